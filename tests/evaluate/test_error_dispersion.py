"""The metric of our own, as anybody loads it: by its path, through `evaluate`, without a download."""

import statistics
from pathlib import Path

import evaluate
import pytest

import rarecase


@pytest.fixture(scope="module")
def metric() -> evaluate.Metric:
    return evaluate.load(str(Path(rarecase.__file__).parent / "evaluate" / "error_dispersion.py"))


def test_it_gives_the_deviation_of_error_rates_and_of_class_counts(metric):
    found = metric.compute(references=[0, 0, 0, 0, 1, 1, 2], predictions=[0, 0, 0, 1, 1, 0, 0], classes=3)
    assert found["error_rates"] == [25, 50, 100]
    assert found["error_std"] == pytest.approx(statistics.stdev([25, 50, 100]))
    assert found["class_counts"] == [4, 2, 1]
    assert found["class_count_std"] == pytest.approx(statistics.stdev([4, 2, 1]))


def test_the_figures_of_table_3_of_the_paper_come_out(metric):
    labels = [label for label, rows in enumerate((115, 121, 87, 94, 30, 153)) for _ in range(rows)]
    found = metric.compute(references=labels, predictions=labels, classes=6)
    assert round(found["class_count_std"], 1) == 41.4
    assert (found["error_std"], found["error_rates"]) == (0, [0] * 6)


def test_a_class_without_rows_is_counted_and_has_no_error_rate(metric):
    metric.add_batch(references=[0, 1], predictions=[0, 0])
    found = metric.compute(classes=3)
    assert found["error_rates"] == [0, 100, None]
    assert found["class_counts"] == [1, 1, 0]


def test_it_says_whose_measure_it_is(metric):
    assert "Hassan" in metric.citation
    assert "standard deviation" in metric.description
