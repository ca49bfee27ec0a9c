"""Paired tests over seeds and test rows: right where a plain test is right, and honest about few seeds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, ttest_1samp

from rarecase.report.compare import averaged, compared, holm, paired_test
from rarecase.report.intervals import RESAMPLES

ROWS = 200


def differences(
    rng: np.random.Generator,
    seeds: int,
    *,
    mean: float = 0,
    training: float = 0,
    noise: float = 10,
    rows: float = 10,
    resamples: int = RESAMPLES,
) -> np.ndarray:
    """Of seeds that share test rows: what a row, a training, and both by chance add to the difference of a row."""
    of_rows = rng.normal(0, rows, ROWS) + rng.normal(0, noise, (seeds, ROWS)) + rng.normal(0, training, (seeds, 1))
    drawn = rng.multinomial(ROWS, np.full(ROWS, 1 / ROWS), size=resamples).T / ROWS
    return mean + np.concatenate([of_rows.mean(axis=1, keepdims=True), of_rows @ drawn], axis=1)


def test_without_any_influence_of_the_rows_it_is_the_paired_t_test():
    found = np.array([1.0, 2.5, 0.5, 3.0])
    same_in_every_resample = np.repeat(found[:, None], 1 + RESAMPLES, axis=1)
    test = paired_test(same_in_every_resample)
    assert test.p == pytest.approx(ttest_1samp(found, 0).pvalue)
    assert test.by_seed
    assert paired_test(same_in_every_resample - found.mean() + test.detectable).p == pytest.approx(0.05)


@pytest.mark.parametrize("seeds", [1, 5])
def test_without_any_influence_of_the_seeds_the_test_rows_alone_decide(seeds):
    one = differences(np.random.default_rng(0), 1, mean=1.5)
    test = paired_test(np.repeat(one, seeds, axis=0))
    error = one[0, 1:].std(ddof=1)
    assert test.standard_error == pytest.approx(error)
    assert test.p == pytest.approx(2 * norm.sf(abs(one[0, 0]) / error))
    assert not test.by_seed


def test_what_does_not_differ_has_a_p_of_one():
    test = paired_test(np.zeros((3, 1 + RESAMPLES)))
    assert (test.p, test.standard_error, test.detectable) == (1, 0, 0)


def test_both_influences_together_are_what_drawing_both_gives():
    """Against a million draws of a t variable and a normal one."""
    rng = np.random.default_rng(1)
    found = differences(rng, 3, mean=2, training=1)
    seeds, rows = found[:, 0].std(ddof=1) / 3**0.5, np.cov(found[:, 1:])[~np.eye(3, dtype=bool)].mean() ** 0.5
    drawn = seeds * rng.standard_t(2, 1_000_000) + rows * rng.normal(size=1_000_000)
    test = paired_test(found)
    assert test.p == pytest.approx(np.mean(np.abs(drawn) > abs(found[:, 0].mean())), abs=0.003)
    assert test.detectable == pytest.approx(np.quantile(np.abs(drawn), 0.95), rel=0.02)


@pytest.mark.parametrize(("seeds", "training"), [(2, 3), (3, 1), (10, 0), (10, 3)])
def test_where_there_is_no_difference_it_finds_one_in_no_more_than_one_of_twenty(seeds, training):
    rng = np.random.default_rng(seeds)
    found = sum(paired_test(differences(rng, seeds, training=training, resamples=200)).p < 0.05 for _ in range(200))
    assert found <= 18  # 10 expected at most; 18 or more come by chance in one of a hundred such tests


def test_more_seeds_find_what_few_cannot():
    rng = np.random.default_rng(5)
    few, many = (
        np.mean([paired_test(differences(rng, n, mean=3, training=1, resamples=200)).p < 0.05 for _ in range(40)])
        for n in (2, 10)
    )
    assert few < 0.4 < 0.8 < many


@pytest.mark.parametrize(
    ("p", "corrected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3 · 0.01, then the larger of 2 · 0.03 and 1 · 0.04
        ([0.5], [0.5]),
        ([0.6, 0.7], [1, 1]),
        ([], []),
    ],
)
def test_the_correction_is_that_of_holm(p, corrected):
    assert holm(p) == pytest.approx(corrected)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrected_p_values_keep_their_order_and_lie_between_p_and_the_correction_of_bonferroni(p):
    corrected = holm(p)
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
    assert all(
        one <= two <= min(1, one * len(p)) or two == pytest.approx(one) for one, two in zip(p, corrected, strict=True)
    )


def by_seed(values: np.ndarray, *seeds: int) -> pd.DataFrame:
    return pd.DataFrame(values, index=seeds or range(len(values)))


def test_pairs_are_compared_on_the_seeds_that_both_have_and_corrected_together():
    rng = np.random.default_rng(6)
    base, better = (60 + differences(rng, 3, mean=mean, rows=0) for mean in (0, 5))
    missing = by_seed(better).drop(0)
    rows = compared([({"this": "b"}, by_seed(better), by_seed(base)), ({"this": "c"}, missing, by_seed(base))])
    assert [row["seeds"] for row in rows] == [3, 2]
    assert rows[0]["macro_f1"] == pytest.approx((better - base)[:, 0].mean())
    assert rows[1]["macro_f1"] == pytest.approx((better - base)[1:, 0].mean())
    assert [row["p_corrected"] for row in rows] == holm([row["p"] for row in rows])
    assert rows[0]["p"] == paired_test(better - base).p
    assert rows[0]["varies"] == "seeds and rows"
    low, high = rows[0]["macro_f1_interval"]
    assert low < rows[0]["macro_f1"] < high


def test_without_a_common_seed_nothing_is_compared():
    values = differences(np.random.default_rng(7), 1)
    assert compared([({}, by_seed(values, 0), by_seed(values, 1))]) == []


def test_a_mean_is_over_the_seeds_that_all_have():
    found = averaged([by_seed([[1.0], [3.0]], 0, 1), by_seed([[5.0], [7.0]], 1, 2)])
    assert found[0].to_dict() == {1: 4.0}
