"""`rarecase.push`: a learner in memory, on a Hub."""

import json
from pathlib import Path

import numpy as np
import pytest
import small
from datasets import Dataset
from huggingface_hub import HfApi, ModelCard, hf_hub_download
from small import NAMES

import rarecase
from rarecase.core.errors import RarecaseError
from rarecase.data.arrow import matrix, rows
from rarecase.evaluate.metrics import all_metrics
from rarecase.learn.frozen import Frozen


@pytest.fixture(scope="module")
def start() -> Dataset:
    return rows(small.table("bootstrap"), range(20))


@pytest.fixture(scope="module")
def learner(start) -> Frozen:
    return Frozen("packaged", NAMES, seed=0, encoder=small.encoder(), shared=True).fit(start, rows(start, []))


def named(table: Dataset) -> Dataset:
    """With the names of classes as labels, as a user may have them."""
    return Dataset.from_dict({"text": table["text"][:], "label": [NAMES[label] for label in table["label"][:]]})


def test_a_measured_one_has_its_figures_on_the_card_and_is_the_same_once_it_is_loaded(fresh_hub, learner, start):
    test = rows(small.table("test"), range(20))
    pushed = rarecase.push(learner, "acme/guard", license="mit", train=start, test=named(test))
    assert (pushed.private, pushed.repo_id, HfApi().model_info("acme/guard").private) == (True, "acme/guard", True)
    card = ModelCard(Path(hf_hub_download("acme/guard", "README.md")).read_text())
    figures = all_metrics(test["label"][:], matrix(learner.score(test), "probs").argmax(axis=1), NAMES)
    found = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert found["Accuracy"] == pytest.approx(figures["accuracy"])
    assert found["Macro F1"] == pytest.approx(figures["macro_f1"])
    assert "It learned from 20 texts of a data set that is not published." in card.text
    assert f"| accuracy | – | {figures['accuracy']:.1f} |" in card.text  # and no 0 for what was not measured
    assert "It was trained by a program, on data that has no name here." in card.text
    assert "rarecase train" not in card.text
    record = json.loads(Path(hf_hub_download("acme/guard", "rarecase.json")).read_text())
    assert record["data"]["configs"] == []
    loaded = rarecase.load_learner("acme/guard")
    texts = small.table("dev").select_columns(["text"]).select(range(5))
    assert np.array_equal(matrix(loaded.score(texts), "probs"), matrix(learner.score(texts), "probs"))


def test_one_that_was_not_measured_says_so_and_a_later_push_may_say_more(fresh_hub, learner, start):
    assert rarecase.push(learner, "acme/guard").changed
    card = ModelCard(Path(hf_hub_download("acme/guard", "README.md")).read_text())
    assert "\nNot measured.\n" in card.text
    assert "\n## Licence\n\nThe publisher states none.\n" in card.text
    assert "license" not in card.data.to_dict()
    tables = {name: rows(small.table(name), range(8)) for name in ("dev", "test")}
    again = rarecase.push(learner, "acme/guard", license="mit", private=False, train=start, **tables)
    assert again.changed
    assert not HfApi().model_info("acme/guard").private
    assert (
        "| accuracy | – |" not in Path(hf_hub_download("acme/guard", "README.md", revision=again.revision)).read_text()
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"learner": "guard"}, "learner is str, expected a fitted learner"),
        ({"learner": Frozen("packaged", NAMES, seed=0)}, "the learner has not been fitted"),
        ({"private": False}, "license is missing: a public model needs the id of a licence"),
        ({"test": named(small.table("test"))}, "expected train and test together"),
        ({"train": ["a"], "test": named(small.table("test"))}, "train is list, expected a datasets.Dataset"),
        ({"repo_id": "guard me"}, "not an id of the Hub"),
    ],
)
def test_what_cannot_be_published_is_one_line(fresh_hub, learner, given, message):
    with pytest.raises(RarecaseError, match=message):
        rarecase.push(**{"learner": learner, "repo_id": "acme/guard", **given})
    assert not HfApi().repo_exists("acme/guard")
