"""The five models of the paper, loaded through the table as they would be in the world: by their ids, from a Hub."""

import json

import numpy as np
import pytest
import releases
import small
import tiny_models
from datasets import Dataset
from small import NAMES
from transformers import AutoTokenizer, pipeline

from rarecase.cli.main import command
from rarecase.data.arrow import matrix
from rarecase.learn import load_learner
from rarecase.learn.hyperparameters import MODELS
from rarecase.models.checkpoint import PACKAGED, local_folder

FIVE = [model for model in MODELS if model != PACKAGED]
# Longer than any of the five reads, nothing at all, and letters that no vocabulary of the sample has.
ODD = ["word " * 700, "", "Zürich\u00a0— naïve 😀"]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return releases.write(tmp_path_factory.mktemp("release") / "data")


@pytest.fixture(scope="module")
def world(hub):
    """A Hub that holds the five."""
    tiny_models.push_all(hub)
    with hub.in_process():
        yield hub


def test_the_checkpoints_are_those_of_the_table():
    assert list(tiny_models.MODELS) == FIVE


@pytest.mark.parametrize("model", FIVE)
def test_one_of_the_five_trains_and_a_pipeline_gives_what_its_learner_gives(model, world, release, tmp_path, capsys):
    out = tmp_path / "guard"
    settings = ["--learner", "finetune", "--model", model, "--epochs", "2", "--learning-rate", "1e-3"]
    assert command(["train", str(release), "--config-name", "bootstrap", *settings, "--out", str(out)]) == 0
    assert "trained on 60 texts" in capsys.readouterr().out
    assert [line for line in world.log(rf"/{model}/resolve/.*\.safetensors") if line["status"] < 400]
    assert not world.log(r"\.bin")

    texts = [*small.table("test")["text"][:], *ODD]
    learner = load_learner(out)
    probs = matrix(learner.score(Dataset.from_dict({"text": texts})), "probs")
    answers = pipeline("text-classification", str(out), truncation=True)(texts, top_k=None)
    scores = [[{answer["label"]: answer["score"] for answer in row}[name] for name in NAMES] for row in answers]
    assert np.abs(probs - np.array(scores)).max() < 1e-6
    assert [row[0]["label"] for row in answers] == [NAMES[place] for place in probs.argmax(axis=1)]
    assert len(np.unique(probs.round(4), axis=0)) > len(texts) / 2  # it reads what it is given

    record = json.loads((out / "rarecase.json").read_text())
    assert (record["model"], record["names"]) == (model, list(NAMES))
    assert AutoTokenizer.from_pretrained(out).model_max_length == record["settings"]["max_length"] == 512


@pytest.mark.parametrize("model", FIVE)
def test_its_tokenizer_is_of_the_right_kind(model, world):
    tokenizer = AutoTokenizer.from_pretrained(local_folder(model))
    begin, pad, end = ("<s>", "<pad>", "</s>") if "roberta" in model else ("[CLS]", "[PAD]", "[SEP]")
    special = (tokenizer.cls_token, tokenizer.pad_token, tokenizer.sep_token)
    assert special == (begin, pad, end)
    assert tokenizer.pad_token_id == (1 if "roberta" in model else 0)
    assert tokenizer.model_max_length == 512
    folds = tokenizer("Tyre")["input_ids"] == tokenizer("tyre")["input_ids"]
    assert folds == ("uncased" in model)
    assert (tokenizer.unk_token_id in tokenizer("😀")["input_ids"]) == ("roberta" not in model)  # bytes know all
