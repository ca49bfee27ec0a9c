"""
Means over seeds with resampling intervals.

An interval says how far a figure would move with other seeds and other test rows: each of the resamples draws the
seeds with replacement and, for each, the test rows with replacement. Comparisons are paired: two strategies are held
against each other on the same seeds and the same test rows. (Efron and Tibshirani, 1993; the paper calls the start set
"bootstrap", so the word is not used for this here.)

A class of one or two test rows is missing from many resamples, where its F1 is 0: with many such classes the intervals
of macro-F1 lie low.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rarecase.core import randomness

RESAMPLES = 1000
LEVEL = (2.5, 97.5)


@dataclass(frozen=True)
class Predictions:
    """
    What one cell predicted for its test rows after one round.

    Args:
        ids (`tuple[str, ...]`): of the test rows, in a fixed order.
        labels (`np.ndarray`): int64, shape `(rows,)`.
        guesses (`np.ndarray`): int64, shape `(rows,)`.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    guesses: np.ndarray


class Counts(NamedTuple):
    """
    Rows of each class, all that accuracy, precision, recall, F1 and error rates are made of.

    Args:
        hits (`np.ndarray`): predicted rightly; float64, shape `(seeds, 1 + RESAMPLES, classes)`, as the others; place
            0 of the second axis is the test set as it is.
        support (`np.ndarray`): those that hold.
        predicted (`np.ndarray`): those predicted.
    """

    hits: np.ndarray
    support: np.ndarray
    predicted: np.ndarray


def resampled_counts(cells: Sequence[Predictions], classes: int, *, seed: int = 0) -> Counts:
    """
    The counts of one cell per seed, with the test rows as they are and resampled.

    Args:
        cells (`Sequence[Predictions]`): one per seed; see `resampled_f1`.
        classes (`int`): how many classes the taxonomy has.
        seed (`int`): decides the resamples.

    Example:
        >>> resampled_counts([Predictions(("a", "b"), np.array([0, 1]), np.array([0, 0]))], 2).hits[0, 0]
        array([1., 0.])
    """
    shared = len({cell.ids for cell in cells}) == 1
    result = np.empty((3, len(cells), 1 + RESAMPLES, classes))
    for place, cell in enumerate(cells):
        weights = _row_weights(seed, 0 if shared else place, len(cell.labels))
        true, guessed = (np.eye(classes, dtype=np.float32)[part] for part in (cell.labels, cell.guesses))
        counted = weights @ np.concatenate([true * guessed, true, guessed], axis=1)
        result[:, place] = np.stack(np.split(counted, 3, axis=1))
    return Counts(*result)


def resampled_f1(cells: Sequence[Predictions], classes: int, *, seed: int = 0) -> np.ndarray:
    """
    F1 of every class of one cell per seed, with the test rows as they are and resampled.

    Args:
        cells (`Sequence[Predictions]`): one per seed; the same seeds in the same order give the same resamples, which
            is what makes comparisons paired. Cells with one test set share its resamples.
        classes (`int`): how many classes the taxonomy has; every one counts.
        seed (`int`): decides the resamples.

    Returns:
        `np.ndarray`: from 0 to 1, float64, shape `(seeds, 1 + RESAMPLES, classes)`; place 0 of the second axis is the
        test set as it is.

    Example:
        >>> resampled_f1([Predictions(("a", "b"), np.array([0, 1]), np.array([0, 1]))], 2)[0, 0]
        array([1., 1.])
    """
    counts = resampled_counts(cells, classes, seed=seed)
    return 2 * counts.hits / np.maximum(counts.support + counts.predicted, 1)


def resampled_figures(counts: Counts, rare: Sequence[int]) -> dict[str, np.ndarray]:
    """
    Every figure that counts of rows give, in percent; those of `rarecase.evaluate.metrics`, with their resamples.

    Args:
        counts (`Counts`): from `resampled_counts`.
        rare (`Sequence[int]`): the places of the rarest classes.

    Returns:
        `dict`: `accuracy`, `macro_precision`, `macro_recall`, `macro_f1`, `rare_recall`, `rare_f1` and `error_std`,
        each of shape `(seeds, 1 + RESAMPLES)`; `precision`, `recall` and `f1` by class, shape `(…, classes)`.

    Example:
        >>> resampled_figures(counts, rare=[4])["macro_f1"][:, 0]
        array([70.1, 72.4, 71.3])
    """
    hits, support, predicted = counts
    by_class = {
        "precision": 100 * hits / np.maximum(predicted, 1),
        "recall": 100 * hits / np.maximum(support, 1),
        "f1": 200 * hits / np.maximum(support + predicted, 1),
    }
    errors = np.where(support > 0, 100 - by_class["recall"], np.nan)
    known = (support > 0).sum(axis=2)
    spread = np.nansum((errors - np.nansum(errors, axis=2, keepdims=True) / known[:, :, None]) ** 2, axis=2)
    return {
        "accuracy": 100 * hits.sum(axis=2) / support.sum(axis=2),
        **{f"macro_{name}": values.mean(axis=2) for name, values in by_class.items()},
        **{f"rare_{name}": by_class[name][:, :, list(rare)].mean(axis=2) for name in ("recall", "f1")},
        "error_std": np.sqrt(spread / np.maximum(known - 1, 1)),  # of the classes that have rows, ddof 1
        **by_class,
    }


def resampled_macro_f1(cells: Sequence[Predictions], classes: int, *, seed: int = 0) -> np.ndarray:
    """
    The mean of `resampled_f1` over the classes, in percent: shape `(seeds, 1 + RESAMPLES)`.

    Example:
        >>> resampled_macro_f1([Predictions(("a", "b"), np.array([0, 1]), np.array([0, 1]))], 2)[0, 0]
        100.0
    """
    return 100 * resampled_f1(cells, classes, seed=seed).mean(axis=2)


@lru_cache(maxsize=64)
def _row_weights(seed: int, place: int, rows: int) -> np.ndarray:
    """How often each row stands in each resample, shape `(1 + RESAMPLES, rows)`; drawn once for all that is
    compared."""
    drawn = randomness.generator(seed, "test rows", place).integers(rows, size=(RESAMPLES, rows))
    weights = np.ones((1 + RESAMPLES, rows), np.float32)  # which is exact for counts up to 2^24
    for resample, picks in enumerate(drawn, 1):
        weights[resample] = np.bincount(picks, minlength=rows)
    return weights


def interval_over_seeds(values: Sequence[float], *, seed: int = 0) -> list[float] | None:
    """
    The interval of the mean of something that hangs on no test row: over resampled seeds alone.

    Args:
        values (`Sequence[float]`): one per seed.
        seed (`int`): decides the resamples, those of `mean_and_interval`.

    Returns:
        `[low, high]`, 95 %; None for a single seed, which says nothing of others.

    Example:
        >>> interval_over_seeds([3, 3, 3])
        [3.0, 3.0]
    """
    if len(values) < 2:
        return None
    return mean_and_interval(np.repeat(np.array(values, float)[:, None], 1 + RESAMPLES, axis=1), seed=seed)[1]


def mean_and_interval(values: np.ndarray, *, seed: int = 0) -> tuple[float, list[float]]:
    """
    The mean over seeds, and its interval over resampled seeds and test rows.

    Args:
        values (`np.ndarray`): shape `(seeds, 1 + RESAMPLES)`, from `resampled_macro_f1` or a difference of two of
            those.
        seed (`int`): decides the resamples; the same for everything that is compared.

    Returns:
        `(float, [low, high])`: the mean of column 0, and the 95 % interval.

    Example:
        >>> mean_and_interval(np.full((3, 1001), 70.0))
        (70.0, [70.0, 70.0])
    """
    seeds = len(values)
    drawn = randomness.generator(seed, "seeds").integers(seeds, size=(RESAMPLES, seeds))
    means = values[drawn, np.arange(1, 1 + RESAMPLES)[:, None]].mean(axis=1)
    low, high = np.percentile(means, LEVEL)
    return float(values[:, 0].mean()), [float(low), float(high)]
