"""A guard that onnxruntime computes says what one says that torch computes."""

import gc
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import small
import tiny_models
from small import NAMES
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rarecase.cli.main import command
from rarecase.core.errors import ConfigError
from rarecase.guard.guard import Guard
from rarecase.learn.folders import kind_of
from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.make import make_learner

CLOSE = 1e-3
TEXTS = [
    "Is this mole cancer?",
    "a",
    "",
    "и кто это",
    "Which tyre fits my bike, and who sells it?",
    "so it goes " * 300,
]


def classifier(folder: Path, model: str) -> Path:
    """A classifier of another architecture as `transformers` alone writes it."""
    source = tiny_models.made()[model]
    names = {"id2label": dict(enumerate(NAMES)), "label2id": {name: i for i, name in enumerate(NAMES)}}
    AutoModelForSequenceClassification.from_pretrained(source, **names).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def with_head(kind: str, folder: Path) -> Path:
    """A learner with an encoder and a head."""
    train = small.table("bootstrap").remove_columns("embedding")
    options = FitOptions(updates=1, precision="fp32") if kind == "setfit" else FitOptions()
    encoder = str(tiny_models.made()["google-bert/bert-base-uncased"])
    make_learner(kind, encoder, NAMES, options, seed=0).fit(train, train).save(folder)
    return folder


MODELS = {
    "frozen": lambda folder: with_head("frozen", folder),
    "setfit": lambda folder: with_head("setfit", folder),
    "finetune, BERT": lambda folder: classifier(folder, "google-bert/bert-base-uncased"),
    "finetune, RoBERTa": lambda folder: classifier(folder, "FacebookAI/roberta-base"),
}


@pytest.mark.parametrize("name", MODELS)
def test_onnx_says_what_torch_says(name, tmp_path, capfd, recwarn):
    folder = MODELS[name](tmp_path / "model")
    before = sorted(tmp_path.rglob("*"))
    assert kind_of(folder) == name.split(",")[0]
    torch = Guard.from_pretrained(folder)
    gc.collect()  # what other tests left open says so now
    capfd.readouterr()
    recwarn.clear()
    onnx = Guard.from_pretrained(folder, backend="onnx")
    assert (*capfd.readouterr(), [str(one.message) for one in recwarn]) == ("", "", [])
    assert sorted(tmp_path.rglob("*")) == before
    expected, found = torch.scores(TEXTS), onnx.scores(TEXTS)
    assert np.abs(found.probs - expected.probs).max() < CLOSE
    assert found.windows.tolist() == expected.windows.tolist()
    assert found.windows[-1] > 1
    assert [v.label for v in onnx.check(TEXTS)] == [v.label for v in torch.check(TEXTS)]
    alone = np.concatenate([onnx.scores([text]).probs for text in TEXTS])
    assert np.abs(alone - expected.probs).max() < CLOSE
    features = [guard.learner.score(TEXTS[:2])["features"][:] for guard in (torch, onnx)]
    assert np.allclose(*features, atol=CLOSE)


def test_the_command_takes_backend_and_type(tmp_path, capsys, refused):
    folder = classifier(tmp_path / "model", "google-bert/bert-base-uncased")
    posts = tmp_path / "posts.csv"
    posts.write_text("id,text\np1,Is this mole cancer?\np2,Which tyre?\n")

    capsys.readouterr()

    def scores(*flags: str) -> np.ndarray:
        assert command(["guard", "check", str(folder), str(posts), *flags]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return np.array([[*json.loads(line)["scores"].values()] for line in out.splitlines()])

    torch = scores()
    assert np.abs(scores("--backend", "onnx") - torch).max() < CLOSE
    assert 0 < np.abs(scores("--dtype", "bf16") - torch).max() < 0.1
    says = "rarecase: dtype bf16 with the backend onnx: expected fp32; leave one of the two out"
    assert refused("guard", "check", folder, posts, "--backend", "onnx", "--dtype", "bf16").startswith(says)
    assert "--backend" in refused("guard", "check", folder, posts, "--backend", "jax")


def test_without_the_extra_one_line_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"needs onnxruntime; pip install 'rarecase\[onnx\]'"):
        Guard.from_pretrained(tmp_path, backend="onnx")
    with pytest.raises(ConfigError, match="backend 'onx' is unknown; did you mean 'onnx'"):
        Guard.from_pretrained(tmp_path, backend="onx")
