import json
from pathlib import Path

import pytest
import torch

from rarecase.acquire.embed import load_encoder
from rarecase.errors import ConfigError, ModelError
from rarecase.learn import load_learner, make_learner
from rarecase.learn.folders import write_learner_beside
from rarecase.models import MODELS, hyperparameters, local_folder, resolve

PAPER = [
    "google-bert/bert-base-cased",
    "google-bert/bert-base-uncased",
    "FacebookAI/roberta-base",
    "distilbert/distilbert-base-cased",
    "distilbert/distilbert-base-uncased",
]


def folder_with(folder: Path, *names: str, config: dict | None = None) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "bert"}))
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        torch.save({}, folder / name)
    return str(folder)


def test_the_papers_models_have_the_papers_hyperparameters():
    for model in [*PAPER, "somebody/unknown"]:
        row = hyperparameters(model)
        assert (row.model, row.learning_rate, row.batch_size, row.max_length) == (model, 2e-5, 16, 50)
        assert (row.epochs, row.class_weights) == (10, None)
    assert [*PAPER, "packaged"] == list(MODELS)
    assert (hyperparameters("packaged").learning_rate, hyperparameters("packaged").class_weights) == (1e-4, "sqrt")


def test_packaged_is_a_folder_and_the_rest_stays():
    assert (Path(resolve("packaged")) / "model.safetensors").is_file()
    assert resolve("google-bert/bert-base-cased") == "google-bert/bert-base-cased"


@pytest.mark.parametrize(
    ("names", "config", "message"),
    [
        ((), None, "no weights in it, expected model.safetensors"),
        (("pytorch_model.bin",), None, r"only pickled weights \(pytorch_model.bin\)"),
        (("last.ckpt",), None, r"only pickled weights \(last.ckpt\)"),
        (("model.pt",), None, r"only pickled weights \(model.pt\)"),
        (
            ("model.safetensors", "2_Dense/pytorch_model.bin"),
            None,
            r"only pickled weights \(2_Dense/pytorch_model.bin\)",
        ),
        (("model.safetensors",), {"auto_map": {"AutoModel": "evil.Model"}}, r"config.json names code.*auto_map"),
    ],
)
@pytest.mark.parametrize("load", [load_encoder, load_learner, local_folder])
def test_what_cannot_be_loaded_safely_is_refused_by_name(tmp_path, load, names, config, message):
    folder = folder_with(tmp_path / "model", *names, config=config)
    with pytest.raises(ModelError, match=message) as raised:
        load(folder)
    assert str(raised.value).startswith(folder)
    assert "\n" not in str(raised.value)


def test_damaged_weights_are_one_line(tmp_path):
    folder = folder_with(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"no safetensors")
    with pytest.raises(ModelError, match="cannot be loaded: ") as raised:
        load_learner(folder)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("model", ["no/such/folder", "./nowhere", "nobody/nothing"])
def test_a_model_that_is_nowhere_is_one_line(model, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=f"^{model}: (no such folder|neither a folder nor in the cache)") as raised:
        local_folder(model)
    assert "\n" not in str(raised.value)


def test_an_encoder_without_a_head_is_no_learner():
    with pytest.raises(ModelError, match="packaged: an encoder without a trained head"):
        load_learner("packaged")


def test_an_unknown_learner_names_the_near_one():
    with pytest.raises(ConfigError, match="'finetuned' is unknown; did you mean 'finetune'"):
        make_learner("finetuned", "packaged", ["a"], seed=0)


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "learner"
    with write_learner_beside(target) as folder:
        (folder / "config.json").write_text("one")
    with pytest.raises(ZeroDivisionError), write_learner_beside(target) as folder:
        (folder / "config.json").write_text(str(1 / 0))
    assert [path.name for path in tmp_path.iterdir()] == ["learner"]
    assert (target / "config.json").read_text() == "one"
    with write_learner_beside(target) as folder:
        (folder / "head.safetensors").write_text("three")
    assert [path.name for path in target.iterdir()] == ["head.safetensors"]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelError, match="holds something else"), write_learner_beside(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
