"""Errors by class pair: drawn by text, counted in full."""

import numpy as np
import pytest
from datasets import Dataset

from rarecase.data.arrow import rows
from rarecase.data.schema import texts
from rarecase.evaluate.confusion import DRAWN, drawn_errors, pairs

NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def answers() -> tuple[Dataset, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    test = Dataset.from_dict({"text": [f"text {i}" for i in rng.permutation(400)]})
    return test, rng.integers(0, 3, 400), rng.integers(0, 3, 400)


def test_a_hundred_different_errors_are_drawn_and_another_seed_draws_others(answers):
    test, labels, guesses = answers
    places = drawn_errors(test, labels, guesses, seed=0)
    assert len(set(places.tolist())) == len(places) == DRAWN
    assert (labels[places] != guesses[places]).all()
    assert places.tolist() == drawn_errors(test, labels, guesses, seed=0).tolist()
    assert places.tolist() != drawn_errors(test, labels, guesses, seed=1).tolist()


def test_the_same_texts_are_drawn_in_whatever_order_they_stand(answers):
    test, labels, guesses = answers
    order = np.random.default_rng(1).permutation(len(test))
    again = drawn_errors(rows(test, order), labels[order], guesses[order], seed=0)
    first = drawn_errors(test, labels, guesses, seed=0)
    assert texts(rows(rows(test, order), again)) == texts(rows(test, first))


def test_two_classifiers_with_common_errors_show_the_same_ones(answers):
    test, labels, guesses = answers
    better = guesses.copy()
    better[:40] = labels[:40]
    common = set(drawn_errors(test, labels, guesses, seed=0)) & set(drawn_errors(test, labels, better, seed=0))
    assert len(common) > 80


def test_where_there_are_fewer_errors_all_are_drawn(answers):
    test, labels, _ = answers
    guesses = labels.copy()
    guesses[7] = (labels[7] + 1) % 3
    assert drawn_errors(test, labels, guesses, seed=0).tolist() == [7]
    assert len(drawn_errors(test, labels, labels, seed=0)) == 0


def test_pairs_are_counted_the_most_frequent_first_and_in_plain_numbers():
    labels, guesses = np.array([0, 1, 1, 2, 2, 2]), np.array([0, 0, 0, 1, 2, 0])
    found = pairs(labels, guesses, NAMES)
    assert found == [
        {"true": "b", "predicted": "a", "count": 2},
        {"true": "c", "predicted": "a", "count": 1},
        {"true": "c", "predicted": "b", "count": 1},
    ]
    assert {type(pair["count"]) for pair in found} == {int}
    assert [pair["count"] for pair in pairs(labels, guesses, NAMES, shared_by=2)] == [1.0, 0.5, 0.5]
    assert pairs(labels, labels, NAMES) == []
