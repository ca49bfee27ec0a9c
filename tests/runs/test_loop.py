"""`rarecase.loop`: in memory, over a few texts."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import small
from datasets import ClassLabel, Dataset
from small import NAMES

import rarecase
from rarecase.core.errors import RarecaseError, WaitingForLabels
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.generate import NoVariations
from rarecase.labeling.annotator import labelled
from rarecase.learn.frozen import Frozen
from rarecase.runs.folder import RoundFiles


def part(name: str, count: int = 12) -> Dataset:
    """The texts of a set with the names of their classes."""
    table = small.table(name)
    return Dataset.from_dict({"text": table["text"][:count], "label": [NAMES[n] for n in table["label"][:count]]})


POOL, START = part("pool").remove_columns("label"), part("bootstrap")
LABEL = dict(zip(POOL["text"][:], part("pool")["label"][:], strict=True))


@pytest.fixture(autouse=True)
def loaded_encoder(monkeypatch) -> None:
    """The encoder that other tests have loaded already."""
    monkeypatch.setattr("rarecase.runs.loop.load_encoder", small.encoder)


def gold(texts: list[str]) -> list[str]:
    return [LABEL[text] for text in texts]


def loop(pool: Dataset = POOL, labeled: Dataset = START, **settings: Any) -> Any:
    return rarecase.loop(pool, labeled, **{"ask": gold, "budget": 5, "batch": 3, **settings})


def test_it_gives_the_labelled_rows_a_learner_of_them_and_a_record_of_each_round():
    result = loop(test=part("test", 8))
    acquired = rows(result.train, range(12, len(result.train)))
    assert [record.labels for record in result.rounds] == [0, 3, 5]
    assert acquired["round"][:] == [1, 1, 1, 2, 2]
    assert {*acquired["annotator"][:]} == {"gold"}
    assert [NAMES[label] for label in acquired["label"][:]] == gold(acquired["text"][:])
    assert [id_ for record in result.rounds for id_ in record.chosen] == acquired["id"][:]
    again = Frozen("packaged", NAMES, seed=0, encoder=small.encoder()).fit(result.train, rows(result.train, []))
    assert np.array_equal(matrix(again.score(POOL), "probs"), matrix(result.learner.score(POOL), "probs"))
    assert 0 <= result.rounds[-1].test["macro_f1"] <= 100
    assert math.isnan(result.rounds[-1].dev["macro_f1"])  # not 0, for nothing was measured


def test_it_chooses_what_a_run_with_files_chooses(tmp_path):
    settings = {"strategy": rarecase.cluster, "budget": 6, "batch": 3, "seed": 3}
    found = loop(dev=part("dev", 8), test=part("test", 8), **settings)
    tables = {name: rows(small.table(name), range(8)) for name in ("dev", "test")}
    *_, last = rarecase.run(
        RoundFiles(str(tmp_path / "out")),  # a path as text
        pool=POOL.add_column("id", [f"p{row}" for row in range(len(POOL))]),
        bootstrap=rows(small.table("bootstrap"), range(12)),
        **tables,
        learner=Frozen("packaged", NAMES, seed=3, encoder=small.encoder(), shared=True),
        annotator=gold,
        generator=NoVariations(),
        encoder=small.encoder(),
        **settings,
    )
    assert found.train["text"][:] == last.train["text"][:]
    assert found.rounds[-1].test == last.record.test


def test_what_it_cannot_label_costs_nothing_and_is_not_asked_for_again():
    asked: list[str] = []

    def unsure(texts: list[str]) -> list[str | None]:
        asked.extend(texts)
        return [None if "?" in text else LABEL[text] for text in texts]

    result = loop(ask=unsure, strategy="random", budget=100)
    assert sorted(asked) == sorted(POOL["text"][:])
    assert result.rounds[-1].labels == sum("?" not in text for text in POOL["text"][:]) < len(POOL)


def test_a_batch_without_a_label_ends_the_loop_and_what_was_labelled_stays():
    answers = iter([["not-harmful"] * 3, [None] * 3])
    result = loop(ask=lambda texts: next(answers), budget=9)
    assert [record.labels for record in result.rounds] == [0, 3]
    assert len(result.train) == 15
    assert result.learner.score(POOL)


class People:
    """An annotator that is an object, and whose people may be away."""

    def __init__(self, away: bool = False) -> None:
        self.away = away

    def annotate(self, dataset: Dataset) -> Dataset:
        if self.away:
            raise WaitingForLabels("come back tomorrow")
        return labelled(dataset, [0] * len(dataset), NAMES, annotator="A1", votes=[None] * len(dataset))


def test_an_annotator_may_be_an_object_whose_message_is_passed_on():
    assert loop(ask=People(), strategy="random").rounds[-1].found["self-harm"] == 5
    with pytest.raises(WaitingForLabels, match="come back tomorrow"):
        loop(ask=People(away=True), strategy="random")


def test_the_classes_are_those_of_the_class_label_of_the_names_or_of_the_learner():
    start = {"text": ["a loud day", "a calm day", "so loud", "so calm"], "label": ["loud", "calm", "loud", "calm"]}
    feature = ClassLabel(names=["calm", "loud", "odd"])
    named = Dataset.from_dict(start)
    numbered = with_column(named, "label", [1, 0, 1, 0], feature)
    settings = {"ask": lambda texts: ["calm"] * len(texts), "strategy": "rare", "budget": 1, "batch": 1}
    assert loop(labeled=named, **settings).learner.names == ("calm", "loud")
    assert loop(labeled=numbered, **settings).learner.names == ("calm", "loud", "odd")
    own = Frozen("packaged", ["odd", "loud", "calm"], seed=0, encoder=small.encoder())
    result = loop(labeled=named, learner=own, **settings)
    assert type(result.learner) is Frozen
    assert result.train.features["label"].names == ["odd", "loud", "calm"]


def test_a_strategy_may_be_a_function():
    def longest(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
        return rows(pool, np.argsort([-len(text) for text in pool["text"][:]])[:n])

    longest.needs = ()
    result = loop(strategy=longest, budget=3)
    assert set(result.train["text"][12:]) == set(sorted(POOL["text"][:], key=len)[-3:])


def never(texts: Sequence[str]) -> list[str]:
    raise AssertionError("asked")


class Untrained(Frozen):
    """Is never fitted."""

    def fit(self, train: Dataset, dev: Dataset) -> Frozen:
        raise AssertionError("trained")


def reads(column: str) -> Any:
    return rarecase.needs(column)(lambda pool, n, *, labeled=None, seed=0: pool)


MISSPELT = Dataset.from_dict({"text": ["a", "b"], "label": ["self-harm", "selfharm"]})
LISTS = Dataset.from_dict({"text": list("abcd"), "label": ["x", "x", "y", "x|y"]})
POSTS = Dataset.from_dict({"text": list("abcd"), "label": list("wxyz")})
GENERATED = with_column(POOL, "origin", ["generated"] * len(POOL))
NUMBERED = {name: with_column(table, "id", range(len(table))) for name, table in (("pool", POOL), ("labeled", START))}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"budget": 0}, "budget 0: expected at least 1"),
        ({"seed": 0.5}, "seed 0.5: expected a whole number"),
        ({"batch": 13}, "batch 13: expected at most the 12 posts that the pool has left"),
        ({"ask": 3}, "annotator int has no method annotate"),
        ({"ask": People}, "annotator People is a class; give an object of it"),
        ({"ask": lambda: []}, "<lambda> cannot be called with a list of texts alone"),
        ({"strategy": "entrpy"}, "did you mean 'entropy'"),
        ({"strategy": 3}, "strategy int: expected a name, or a function"),
        ({"strategy": reads("prob")}, "needs the column 'prob', which does not exist.*did you mean 'probs'"),
        ({"learner": "frozn"}, "learner 'frozn' is unknown; did you mean 'frozen'"),
        ({"learner": Frozen}, "learner is the class Frozen: expected a name"),
        ({"learner": 3}, "learner is int: expected a name"),
        ({"pool": ["a"]}, "pool is list, expected a datasets.Dataset"),
        ({"pool": POOL.rename_column("text", "texts")}, "pool: column 'text' is missing.*did you mean 'texts'"),
        ({"pool": START}, "pool: no post is left of the 12 that were read: all are in the other sets"),
        ({"labeled": POOL}, "labeled: column 'label' is missing"),
        ({"labeled": rows(START, [])}, "labeled: dataset: no rows; expected at least one"),
        ({"dev": POOL}, "dev: column 'label' is missing"),
        ({"test": Dataset.from_dict({"text": ["a"], "label": [None]})}, "test: dataset row 0: no label"),
        ({"test": MISSPELT}, "test row 1: label 'selfharm' is not in the taxonomy; did you mean 'self-harm'"),
        ({"pool": rows(GENERATED, [0])}, "pool: no post is left of the 1 that were read; expected one that a person"),
        ({"pool": with_column(POOL, "id", ["a"] * len(POOL))}, "pool: .* name another column, or rename this one"),
        (
            {"labeled": LISTS, "learner": "frozen"},
            "lists of labels in 1 of 4 rows.*; keep one for each text, in a column of its own; or",
        ),
        (
            {"labeled": POSTS, "learner": "frozen"},
            "4 different values .*; name the right one, or the classes$",
        ),
        (NUMBERED, "labeled row 0: its id belongs to another text in pool; .*, or leave the ids out"),
    ],
)
def test_whatever_is_wrong_is_one_line_before_anything_is_trained(given, message):
    learner = Untrained("packaged", NAMES, seed=0)
    with pytest.raises(RarecaseError, match=f"^.*{message}") as raised:
        loop(**{"ask": never, "learner": learner, **given})
    assert "\n" not in str(raised.value)
    assert "--" not in str(raised.value)  # a function has no flags


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda texts: texts, "label 0 is no class \\(classes: self-harm, "),  # and the text is not shown
        (lambda texts: ["self-hram"] * 3, "label 0 'self-hram' is no class; did you mean 'self-harm'"),
        (lambda texts: [0, 1, 2], "label 0 is int; expected the name of a class, or None"),
        (lambda texts: ["self-harm"], "returned 1 labels; expected the name of a class, or None, for each of the 3"),
        (lambda texts: "self-harm", "returned str; expected"),
        (lambda texts: None, "returned NoneType; expected"),
    ],
)
def test_an_answer_that_is_none_for_these_texts_is_one_line(answer, message):
    with pytest.raises(RarecaseError, match=message) as raised:
        loop(ask=answer, strategy="random")
    assert not any(text in str(raised.value) for text in LABEL)
