import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from rarecase.evaluate.metrics import all_metrics, metrics

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
