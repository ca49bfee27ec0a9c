"""
Means over seeds with resampling intervals.

An interval says how far a figure would move with other seeds and other test rows: each of the resamples draws the
seeds with replacement and, for each, the test rows with replacement. Comparisons are paired: two strategies are
compared on the same seeds and the same test rows. (Efron and Tibshirani, 1993; the paper calls the start set
"bootstrap", so that word is not used for resampling here.)

Arrays of resamples have the shape `(seeds, 1 + RESAMPLES)`, or `(seeds, 1 + RESAMPLES, classes)`; index 0 of the
second axis is the test set as it is.

A class of one or two test rows is missing from many resamples, where its F1 is 0: with many such classes the intervals
of macro-F1 lie low.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from rarecase.core import randomness
from rarecase.experiment.cells import Predictions

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
ENOUGH = 5  # seeds: of two values, an interval over them holds the true mean in half of all cases, of three in 70 %


class Counts(NamedTuple):
    """Rows of each class: predicted rightly, of that true class, and predicted as it."""

    hits: np.ndarray
    support: np.ndarray
    predicted: np.ndarray


def resampled_counts(cells: Sequence[Predictions], classes: int, *, seed: int = 0) -> Counts:
    """
    The counts of one cell per seed, with the test rows as they are and resampled. The same seeds in the same order
    give the same resamples, which makes comparisons paired; cells with one test set share its resamples.
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
    """F1 of every class of one cell per seed, from 0 to 1; see `resampled_counts`."""
    counts = resampled_counts(cells, classes, seed=seed)
    return 2 * counts.hits / np.maximum(counts.support + counts.predicted, 1)


def resampled_macro_f1(cells: Sequence[Predictions], classes: int, *, seed: int = 0) -> np.ndarray:
    """The mean of `resampled_f1` over the classes, in percent."""
    return 100 * resampled_f1(cells, classes, seed=seed).mean(axis=2)


def resampled_figures(counts: Counts, rare: Sequence[int]) -> dict[str, np.ndarray]:
    """The figures of `rarecase.evaluate.metrics` in percent, resampled; `rare_*` are means over the classes `rare`."""
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


@lru_cache(maxsize=64)
def _row_weights(seed: int, place: int, rows: int) -> np.ndarray:
    """How often each row occurs in each resample, shape `(1 + RESAMPLES, rows)`; drawn once for all comparisons."""
    drawn = randomness.generator(seed, "test rows", place).integers(rows, size=(RESAMPLES, rows))
    weights = np.ones((1 + RESAMPLES, rows), np.float32)  # which is exact for counts up to 2^24
    for resample, picks in enumerate(drawn, 1):
        weights[resample] = np.bincount(picks, minlength=rows)
    return weights


def mean_and_interval(values: np.ndarray, *, seed: int = 0) -> tuple[float, list[float]]:
    """The mean of column 0, and its 95 % interval `[low, high]` over resampled seeds and test rows."""
    seeds = len(values)
    drawn = randomness.generator(seed, "seeds").integers(seeds, size=(RESAMPLES, seeds))
    means = values[drawn, np.arange(1, 1 + RESAMPLES)[:, None]].mean(axis=1)
    low, high = np.percentile(means, PERCENTILES)
    return float(values[:, 0].mean()), [float(low), float(high)]


def interval_over_rows(values: np.ndarray) -> list[Any]:
    """The 95 % interval `[low, high]` of one seed, shape `(1 + RESAMPLES,)`; one a class where there are classes."""
    return np.percentile(values[1:], PERCENTILES, axis=0).T.tolist()


def interval_over_seeds(values: Sequence[float] | np.ndarray) -> list[float] | None:
    """The 95 % interval of what depends on no test row, over seeds alone; None for one, which tells of no other."""
    if len(values) < 2:
        return None
    return mean_and_interval(np.repeat(np.array(values, float)[:, None], 1 + RESAMPLES, axis=1))[1]


def notes_on_seeds(seeds: int) -> Iterator[str]:
    """What intervals over so few seeds do not say."""
    if seeds == 1:
        yield "Where there is one seed, intervals reflect the test rows alone, not other seeds."
    elif seeds < ENOUGH:
        yield (
            f"With {seeds} seeds intervals are too narrow, since they are drawn from {seeds} values: take at least "
            f"{ENOUGH} before you trust a difference."
        )
