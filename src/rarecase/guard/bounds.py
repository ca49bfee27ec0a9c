"""
Exact binomial bounds (Clopper and Pearson, 1934), and the misses that a recall allows among so many positives.

Where the threshold is the (m + 1)-th smallest of K scores of a class, the recall at it is at least Beta(K - m, m + 1)
distributed, whatever the scores are (Wilks, 1941), and the lower bound for m misses of K is a quantile of that. So it
holds although the threshold was chosen on the same rows, as long as m follows from K alone.
"""

from functools import cache

import numpy as np
from scipy.stats import beta, binom


@cache
def lower_bound(found: int, trials: int, error: float) -> float:
    """The smallest rate that `found` of `trials` are compatible with: one-sided, wrong with at most `error`."""
    return float(beta.ppf(error, found, trials - found + 1)) if found else 0.0


@cache
def upper_bound(found: int, trials: int, error: float) -> float:
    """The largest rate that `found` of `trials` are compatible with: one-sided, wrong with at most `error`."""
    return float(beta.ppf(1 - error, found + 1, trials - found)) if found < trials else 1.0


def interval(found: int, trials: int, confidence: float) -> tuple[float, float]:
    """The exact two-sided interval of a rate; 0 to 1 where nothing was tried."""
    error = (1 - confidence) / 2
    return lower_bound(found, trials, error), upper_bound(found, trials, error)


@cache
def most_misses(positives: int, target: float, error: float) -> int:
    """
    The most misses among so many positives with which the recall is still at least `target`; -1 where even none is
    too many.

    Example:
        >>> [most_misses(positives, 0.9, 0.05) for positives in (6, 28, 29, 45, 46, 61)]
        [-1, -1, 0, 0, 1, 2]
    """
    return int(most_misses_of(np.array([positives]), target, error)[0])


def most_misses_of(positives: np.ndarray, target: float, error: float) -> np.ndarray:
    """`most_misses` of each of several numbers of positives."""
    most = binom.ppf(error, positives, 1 - target)  # the smallest with a probability of `error` or more
    return (most - (binom.cdf(most, positives, 1 - target) > error)).astype(np.int64)


@cache
def least_positives(misses: int, target: float, error: float) -> int:
    """
    The fewest positives of which so many may be missed.

    Example:
        >>> [least_positives(misses, 0.9, 0.05) for misses in (0, 1, 2)]
        [29, 46, 61]
    """
    low, high = misses, misses + 1
    while most_misses(high, target, error) < misses:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if most_misses(middle, target, error) < misses else (low, middle)
    return high
