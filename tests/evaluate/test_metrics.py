import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from rarecase.evaluate.metrics import metrics

NAMES = ["a", "b", "c"]


def test_the_figures_are_scikit_learns_in_percent():
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    found = metrics(labels, predictions, NAMES)
    assert found["accuracy"] == pytest.approx(100 * accuracy_score(labels, predictions))
    assert found["macro_f1"] == pytest.approx(100 * f1_score(labels, predictions, average="macro"))
    assert list(found["f1"].values()) == pytest.approx(100 * f1_score(labels, predictions, average=None))


def test_a_class_that_nobody_saw_counts_with_zero():
    found = metrics([0, 1, 0], [0, 1, 0], NAMES)
    assert found["f1"] == {"a": 100.0, "b": 100.0, "c": 0.0}
    assert found["macro_f1"] == pytest.approx(200 / 3)


def test_the_numbers_are_plain_floats_also_without_rows():
    for found in (metrics([0, 1], [1, 1], NAMES), metrics([], [], NAMES)):
        assert {type(value) for value in (found["accuracy"], found["macro_f1"], *found["f1"].values())} == {float}
