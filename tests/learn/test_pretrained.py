"""What a user does with a learner in Python: loads it by its class, asks it about texts, lets it read more of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small
import tiny_models
import torch
from datasets import Dataset
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from rarecase.core.errors import ConfigError, DataError, ModelError
from rarecase.data.arrow import matrix
from rarecase.data.schema import as_table
from rarecase.learn import load_learner, make_learner
from rarecase.learn.finetune import Finetune
from rarecase.learn.frozen import Frozen
from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.setfit import SetFit
from rarecase.learn.tuned import Tuned

from .conftest import NAMES

CLASSES = {"frozen": Frozen, "setfit": SetFit, "finetune": Finetune}
TEXTS = ["Moss in the beds", "The rear tyre is flat", "Moss in the beds"]


@pytest.fixture(scope="module")
def folders(train, dev, tmp_path_factory) -> dict[str, Path]:
    """A learner of each kind; a head says of itself which of the two it is."""
    root = tmp_path_factory.mktemp("learners")
    Frozen("packaged", NAMES, seed=0, encoder=small.encoder()).fit(train, dev).save(root / "frozen")
    head = json.loads(shutil.copytree(root / "frozen", root / "setfit").joinpath("head.json").read_text())
    (root / "setfit" / "head.json").write_text(json.dumps({**head, "learner": "setfit"}))
    Finetune("packaged", NAMES, FitOptions(updates=2), seed=0).fit(train, dev.select([])).save(root / "finetune")
    return {kind: root / kind for kind in CLASSES}


@pytest.mark.parametrize("kind", CLASSES)
def test_each_class_loads_its_own_and_names_what_another_folder_holds(folders, kind):
    assert type(CLASSES[kind].from_pretrained(folders[kind])) is type(load_learner(folders[kind])) is CLASSES[kind]
    for other in set(CLASSES) - {kind}:
        says = f"{folders[other]}: a learner of the kind {other}, expected {kind}; use load_learner, which loads any"
        with pytest.raises(ModelError, match=says):
            CLASSES[kind].from_pretrained(folders[other])


@pytest.mark.parametrize("kind", CLASSES)
def test_texts_are_classified_without_a_table(folders, kind):
    learner = load_learner(folders[kind])
    scored = learner.score(TEXTS)
    probs = matrix(scored, "probs")
    assert scored["text"][:] == TEXTS
    assert np.array_equal(probs, matrix(learner.score(Dataset.from_dict({"text": TEXTS})), "probs"))
    assert learner.predict(TEXTS) == Tuned(learner).predict(TEXTS) == [NAMES[i] for i in probs.argmax(axis=1)]
    assert [list(row) for row in learner.probabilities(TEXTS)] == [NAMES] * 3
    assert np.allclose([list(row.values()) for row in learner.probabilities(TEXTS)], probs)
    assert learner.predict([]) == learner.probabilities([]) == []
    for same in (tuple(TEXTS), np.array(TEXTS), pd.Series(TEXTS), Dataset.from_dict({"text": TEXTS})["text"]):
        assert as_table(same)["text"][:] == TEXTS


@pytest.mark.parametrize(
    "texts",
    ["a text", ["a text", None], [3], None, {"a text"}, {"text": "a text"}, (t for t in TEXTS), np.array("a text")],
    ids=lambda texts: type(texts).__name__,
)
def test_what_is_no_list_of_texts_is_refused(folders, texts):
    with pytest.raises(DataError, match="expected a Dataset or a list of texts"):
        load_learner(folders["frozen"]).predict(texts)


def test_a_fine_tuned_model_reads_as_much_as_it_can_and_says_so_to_everybody(folders):
    learner = load_learner(folders["finetune"])
    assert learner.describe().settings["max_length"] == learner.reader().tokens == 512
    assert AutoTokenizer.from_pretrained(folders["finetune"]).model_max_length == 512
    one, other = learner.probabilities(["word " * 300, "word " * 300 + "tomatoes"])
    assert one != other
    [answer] = pipeline("text-classification", str(folders["finetune"]))(["word " * 900], truncation=True, top_k=None)
    assert {row["label"]: pytest.approx(row["score"], abs=1e-6) for row in answer} == learner.probabilities(
        ["word " * 900]
    )[0]


def test_a_fine_tuned_model_reads_what_is_asked_for_and_again_when_it_is_loaded(train, dev, tmp_path):
    learner = make_learner("finetune", "packaged", NAMES, FitOptions(updates=2, max_length=12), seed=0)
    assert learner.reader().tokens == 12  # before there is anything to train
    learner.fit(train, dev).save(tmp_path / "guard")
    short = load_learner(tmp_path / "guard")
    assert short.describe().settings["max_length"] == short.reader().tokens == 12
    texts = ["word " * 20, "word " * 20 + "tomatoes"]
    assert short.probabilities(texts)[0] == short.probabilities(texts)[1]
    longer = load_learner(tmp_path / "guard", max_length=1000)
    assert longer.reader().tokens == 512
    assert longer.probabilities(texts)[0] != longer.probabilities(texts)[1]
    with pytest.raises(ModelError, match="would read 2 tokens of a text, and adds 2 of its own"):
        load_learner(tmp_path / "guard", max_length=2)
    again = Finetune(str(tmp_path / "guard"), NAMES, FitOptions(max_length=30), seed=0)
    assert again.reader().tokens == 30


def test_a_head_reads_what_is_asked_for_and_again_when_it_is_loaded(folders, train, dev, tmp_path):
    texts = ["word " * 20, "word " * 20 + "tomatoes"]
    known = load_learner(folders["frozen"])
    assert "max_length" not in known.describe().settings
    assert known.probabilities(texts)[0] != known.probabilities(texts)[1]
    for kind in ("frozen", "setfit"):
        short = load_learner(folders[kind], max_length=12)
        assert short.probabilities(texts)[0] == short.probabilities(texts)[1]
    learner = make_learner("frozen", "packaged", NAMES, FitOptions(max_length=12), seed=0).fit(train, dev)
    assert learner.describe().settings["max_length"] == learner.describe().options().max_length == 12
    learner.save(tmp_path / "guard")
    again = load_learner(tmp_path / "guard")
    assert again.describe() == learner.describe()
    assert again.reader().tokens == 12
    assert load_learner(tmp_path / "guard", max_length=20).describe().settings["max_length"] == 20


@pytest.mark.parametrize("kind", CLASSES)
def test_what_is_no_length_is_refused_before_anything_is_loaded(kind):
    with pytest.raises(ConfigError, match="max_length = 0: expected at least 1"):
        CLASSES[kind].from_pretrained("nowhere", max_length=0)


def test_how_much_a_model_reads_is_known_without_its_weights(monkeypatch):
    def loaded(*_, **__):
        raise AssertionError("loaded")

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", loaded)
    drawn = torch.get_rng_state()
    assert Finetune("packaged", NAMES, seed=0).reader().tokens == 512
    roberta = str(tiny_models.made()["FacebookAI/roberta-base"])
    positions = AutoConfig.from_pretrained(roberta).max_position_embeddings
    assert Finetune(roberta, NAMES, FitOptions(max_length=900), seed=0).reader().tokens == positions - 2
    assert torch.equal(drawn, torch.get_rng_state())


def test_a_classifier_of_several_labels_a_text_is_refused(folders, tmp_path):
    config = json.loads(shutil.copytree(folders["finetune"], tmp_path / "model").joinpath("config.json").read_text())
    for problem in ("multi_label_classification", "regression"):
        (tmp_path / "model" / "config.json").write_text(json.dumps({**config, "problem_type": problem}))
        with pytest.raises(ModelError, match=f"its problem_type is {problem}, expected a classifier of one label"):
            load_learner(tmp_path / "model")
