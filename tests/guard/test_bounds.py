"""The exact bounds, against sums of scipy's binomial probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from rarecase.guard.bounds import interval, least_positives, lower_bound, most_misses, upper_bound

TARGETS = st.floats(0.5, 0.99)
ERRORS = st.floats(0.001, 0.3)
SIZES = st.integers(0, 400)
COUNTS = SIZES.flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))


def at_least(found: int, trials: int, rate: float) -> float:
    """The probability of so many or more."""
    return float(np.sum(binom.pmf(np.arange(found, trials + 1), trials, rate)))


@given(COUNTS, ERRORS)
def test_the_bounds_are_the_rates_at_which_the_count_has_the_probability_of_the_error(count, error):
    found, trials = count
    low, high = lower_bound(found, trials, error), upper_bound(found, trials, error)
    assert low == 0 if not found else at_least(found, trials, low) == pytest.approx(error, rel=1e-6)
    assert high == 1 if found == trials else 1 - at_least(found + 1, trials, high) == pytest.approx(error, rel=1e-6)
    assert trials == 0 or low < found / trials < high or low == 0 or high == 1


@given(SIZES, TARGETS, ERRORS)
def test_so_many_misses_are_allowed_and_no_more(positives, target, error):
    misses = most_misses(positives, target, error)
    assert -1 <= misses <= positives
    if misses >= 0:
        assert at_least(positives - misses, positives, target) <= error * (1 + 1e-9)
        assert lower_bound(positives - misses, positives, error) >= target * (1 - 1e-9)
    if misses < positives:
        assert at_least(positives - misses - 1, positives, target) >= error * (1 - 1e-9)


@given(SIZES, TARGETS, ERRORS)
def test_one_more_positive_allows_at_most_one_more_miss(positives, target, error):
    """Why a row without a label may count as a positive that is missed, see `rarecase.guard.calibrate`."""
    assert most_misses(positives + 1, target, error) - most_misses(positives, target, error) in (0, 1)


@given(st.integers(0, 30), TARGETS, ERRORS)
def test_the_fewest_positives_are_the_fewest(misses, target, error):
    least = least_positives(misses, target, error)
    assert most_misses(least, target, error) >= misses > most_misses(least - 1, target, error)


def test_known_numbers():
    assert lower_bound(6, 6, 0.05) == pytest.approx(0.607, abs=1e-3)
    assert [least_positives(misses, 0.95, 0.05) for misses in range(3)] == [59, 93, 124]
    assert interval(0, 0, 0.95) == (0.0, 1.0)
    assert interval(15, 100, 0.95) == pytest.approx((0.0865, 0.2353), abs=1e-4)
