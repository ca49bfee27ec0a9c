"""Means over seeds with resampling intervals: the right figure, paired, and of about the width they claim."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from rarecase.evaluate.metrics import error_rates, error_std
from rarecase.experiment.cells import Predictions
from rarecase.report.intervals import (
    RESAMPLES,
    interval_over_seeds,
    mean_and_interval,
    resampled_counts,
    resampled_figures,
    resampled_macro_f1,
)

CLASSES = 4


def predicted(ids: Iterable[str], labels: np.ndarray, guesses: np.ndarray, classes: int = CLASSES) -> Predictions:
    """A cell that is sure of every guess."""
    return Predictions(tuple(ids), labels, np.eye(classes)[guesses])


def cell(rng: np.random.Generator, rows: int = 200, *, right: float = 0.7, prefix: str = "t") -> Predictions:
    """A classifier that is right with a given probability, else guesses."""
    labels = rng.integers(CLASSES, size=rows)
    guesses = np.where(rng.random(rows) < right, labels, rng.integers(CLASSES, size=rows))
    return predicted((f"{prefix}{i}" for i in range(rows)), labels, guesses)


def width(values: np.ndarray) -> float:
    low, high = mean_and_interval(values)[1]
    return high - low


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_macro_f1_is_that_of_scikit_learn_every_class_counted(pairs):
    labels, guesses = np.array(pairs).T
    found = resampled_macro_f1([predicted(map(str, range(len(pairs))), labels, guesses)], CLASSES)
    expected = 100 * f1_score(labels, guesses, labels=range(CLASSES), average="macro", zero_division=0)
    assert found.shape == (1, 1 + RESAMPLES)
    assert found[0, 0] == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_every_figure_is_that_of_scikit_learn(pairs):
    labels, guesses = np.array(pairs).T
    counts = resampled_counts([predicted(map(str, range(len(pairs))), labels, guesses)], CLASSES)
    found = {name: values[0, 0] for name, values in resampled_figures(counts, rare=[1, 2]).items()}
    for name, score in {"precision": precision_score, "recall": recall_score, "f1": f1_score}.items():
        expected = 100 * score(labels, guesses, labels=range(CLASSES), average=None, zero_division=0)
        assert found[name] == pytest.approx(expected)
        assert found[f"macro_{name}"] == pytest.approx(expected.mean())
        if name != "precision":
            assert found[f"rare_{name}"] == pytest.approx(expected[1:3].mean())
    assert found["accuracy"] == pytest.approx(100 * accuracy_score(labels, guesses))
    assert found["error_std"] == pytest.approx(error_std(error_rates(labels, guesses, CLASSES)))


def test_a_resample_is_the_macro_f1_of_rows_drawn_with_replacement():
    """With two rows, one right and one wrong, there are four samples: macro-F1 of 50, 50, 0 and a third."""
    found = resampled_macro_f1([predicted("ab", np.array([0, 0]), np.array([0, 1]), 2)], 2)[0, 1:]
    values, often = np.unique(found.round(2), return_counts=True)
    assert values.tolist() == [0, 33.33, 50]
    assert often / RESAMPLES == pytest.approx([0.25, 0.5, 0.25], abs=0.06)


def test_the_same_input_and_seed_give_the_same_interval_and_another_seed_another():
    cells = [cell(np.random.default_rng(0))]
    first = resampled_macro_f1(cells, CLASSES)
    assert np.array_equal(first, resampled_macro_f1(cells, CLASSES))
    assert not np.array_equal(first, resampled_macro_f1(cells, CLASSES, seed=1))
    assert mean_and_interval(first, seed=1)[0] == mean_and_interval(first)[0]


def test_identical_cells_differ_by_exactly_nothing():
    rng = np.random.default_rng(1)
    for prefixes in ("ttt", "abc"):  # one test set, and one for each seed
        cells = [cell(rng, prefix=prefix) for prefix in prefixes]
        copies = [Predictions(c.ids, c.labels.copy(), c.probs.copy()) for c in cells]
        difference = resampled_macro_f1(cells, CLASSES) - resampled_macro_f1(copies, CLASSES)
        assert mean_and_interval(difference) == (0.0, [0.0, 0.0])


def test_pairing_narrows_the_interval_of_a_difference():
    """Two classifiers that differ on few rows: on the same test rows far less is left to chance."""
    rng = np.random.default_rng(2)
    one = [cell(rng, prefix=p) for p in "abcde"]
    two = []
    for c in one:
        guesses = c.guesses.copy()
        guesses[:10] = c.labels[:10]
        two.append(predicted(c.ids, c.labels, guesses))
    first, second = resampled_macro_f1(one, CLASSES), resampled_macro_f1(two, CLASSES)
    apart = np.random.default_rng(3).permuted(second[:, 1:], axis=1)
    unpaired = np.concatenate([second[:, :1], apart], axis=1) - first
    assert width(second - first) < 0.6 * width(unpaired)
    assert mean_and_interval(second - first)[1][0] > 0


def test_cells_with_one_test_set_share_its_resamples_and_others_have_their_own():
    rng = np.random.default_rng(4)
    one = cell(rng)
    same = resampled_macro_f1([one, one], CLASSES)
    assert np.array_equal(same[0], same[1])
    other = predicted((f"o{i}" for i in range(len(one.ids))), one.labels, one.guesses)
    apart = resampled_macro_f1([one, other], CLASSES)
    assert apart[0, 0] == apart[1, 0]
    assert not np.array_equal(apart[0], apart[1])


def test_one_seed_has_an_interval_from_its_test_rows_alone():
    found = resampled_macro_f1([cell(np.random.default_rng(5))], CLASSES)
    mean, (low, high) = mean_and_interval(found)
    assert mean == found[0, 0]
    assert [low, high] == pytest.approx(np.percentile(found[0, 1:], [2.5, 97.5]))
    assert low < mean < high


def test_more_seeds_and_more_test_rows_narrow_the_interval():
    rng = np.random.default_rng(6)
    few, many = ([cell(rng, prefix=str(i)) for i in range(k)] for k in (3, 12))
    assert width(resampled_macro_f1(many, CLASSES)) < 0.75 * width(resampled_macro_f1(few, CLASSES))
    small, large = cell(rng, 100), cell(rng, 900)
    assert width(resampled_macro_f1([large], CLASSES)) < 0.5 * width(resampled_macro_f1([small], CLASSES))


def test_seeds_that_differ_widen_the_interval_beyond_that_of_the_test_rows():
    rng = np.random.default_rng(7)
    spread = [cell(rng, 400, right=right) for right in (0.5, 0.6, 0.7, 0.8, 0.9)]
    alike = [cell(rng, 400) for _ in range(5)]
    assert width(resampled_macro_f1(spread, CLASSES)) > 2 * width(resampled_macro_f1(alike, CLASSES))


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    """200 experiments of one seed with 300 test rows; the truth is what the classifier reaches on very many rows."""
    many = cell(np.random.default_rng(0), 500_000)
    truth = 100 * f1_score(many.labels, many.guesses, average="macro")
    held = 0
    for experiment in range(200):
        low, high = mean_and_interval(resampled_macro_f1([cell(np.random.default_rng(experiment), 300)], CLASSES))[1]
        held += low <= truth <= high
    assert 180 <= held <= 199  # 190 expected


def test_an_interval_over_seeds_alone_holds_the_mean_and_narrows_with_more_of_them():
    few, many = [1.0, 4.0, 2.0], [1.0, 4.0, 2.0] * 10
    low, high = interval_over_seeds(few)
    assert 1 <= low < np.mean(few) < high <= 4
    assert interval_over_seeds(many)[1] - interval_over_seeds(many)[0] < (high - low) / 2
    assert interval_over_seeds([3, 3]) == [3, 3]
    assert interval_over_seeds([3]) is None
