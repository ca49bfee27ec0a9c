import statistics

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from rarecase.evaluate.metrics import (
    all_metrics,
    error_rates,
    error_std,
    expected_calibration_error,
    metrics,
)

NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def answers() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, 200), rng.integers(0, 3, 200)


def test_the_figures_are_scikit_learns_in_percent(answers):
    found = metrics(*answers, NAMES)
    assert set(found) == {"accuracy", "macro_f1", "f1"}
    assert found["accuracy"] == pytest.approx(100 * accuracy_score(*answers))
    assert found["macro_f1"] == pytest.approx(100 * f1_score(*answers, average="macro"))
    assert list(found["f1"].values()) == pytest.approx(100 * f1_score(*answers, average=None))


def test_a_card_gets_precision_recall_and_who_was_taken_for_whom_too(answers):
    found = all_metrics(*answers, NAMES)
    assert metrics(*answers, NAMES).items() <= found.items()
    for figure, score in {"precision": precision_score, "recall": recall_score}.items():
        assert list(found[figure]) == NAMES
        assert list(found[figure].values()) == pytest.approx(100 * score(*answers, average=None))
        assert found[f"macro_{figure}"] == pytest.approx(100 * score(*answers, average="macro"))
    pairs = list(zip(*(values.tolist() for values in answers), strict=True))
    assert found["confusion"] == [[pairs.count((truth, guess)) for guess in range(3)] for truth in range(3)]


def test_a_class_that_nobody_saw_counts_with_zero():
    found = all_metrics([0, 1, 0], [0, 1, 0], NAMES)
    for figure in ("f1", "precision", "recall"):
        assert found[figure] == {"a": 100.0, "b": 100.0, "c": 0.0}
        assert found[f"macro_{figure}"] == pytest.approx(200 / 3)
    assert found["confusion"] == [[2, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_the_numbers_are_plain_also_without_rows():
    for found in (all_metrics([0, 1], [1, 1], NAMES), all_metrics([], [], NAMES)):
        by_class = [value for figure in ("precision", "recall", "f1") for value in found[figure].values()]
        means = [found[figure] for figure in ("accuracy", "macro_precision", "macro_recall", "macro_f1")]
        assert {type(value) for value in by_class + means} == {float}
        assert {type(count) for row in found["confusion"] for count in row} == {int}
    assert sum(map(sum, found["confusion"])) == 0


def test_error_rates_are_what_recall_leaves_and_their_deviation_is_that_of_a_sample(answers):
    rates = error_rates(*answers, 3)
    assert rates == pytest.approx(100 - 100 * recall_score(*answers, average=None))
    assert error_std(rates) == pytest.approx(statistics.stdev(rates))


def test_a_class_without_rows_has_no_error_rate_and_no_part_in_the_deviation():
    rates = error_rates([0, 0, 1, 1], [0, 1, 1, 1], 3)
    assert rates[:2].tolist() == [50, 0]
    assert np.isnan(rates[2])
    assert error_std(rates) == pytest.approx(statistics.stdev([50, 0]))
    assert error_std(error_rates([0, 0], [0, 1], 3)) == 0
    assert error_std(error_rates([], [], 3)) == 0


def calibration_error_bin_by_bin(labels: np.ndarray, probs: np.ndarray) -> float:
    """Equation 3 of Guo et al. (2017), as it is written: B_m are the rows with confidence in ((m - 1) / M, m / M]."""
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    total = 0.0
    for m in range(1, 16):
        rows = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if rows.any():
            total += rows.sum() / len(labels) * abs(right[rows].mean() - confidence[rows].mean())
    return 100 * total


@pytest.mark.parametrize("sharpness", [0.1, 1, 10])
def test_the_expected_calibration_error_is_that_of_its_paper(sharpness):
    rng = np.random.default_rng(1)
    probs, labels = rng.dirichlet([1 / sharpness] * 4, 500), rng.integers(0, 4, 500)
    assert expected_calibration_error(labels, probs) == pytest.approx(calibration_error_bin_by_bin(labels, probs))
    assert expected_calibration_error(labels, probs.astype(np.float32)) == pytest.approx(
        calibration_error_bin_by_bin(labels, probs), abs=0.2
    )


def test_a_classifier_that_is_as_often_right_as_it_says_is_calibrated():
    probs = np.tile([0.75, 0.25], (4, 1))
    assert expected_calibration_error([0, 0, 0, 1], probs) == 0
    assert expected_calibration_error([1, 1, 1, 1], np.tile([1.0, 0.0], (4, 1))) == 100
    assert expected_calibration_error([], np.zeros((0, 2))) == 0
