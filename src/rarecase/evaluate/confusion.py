"""Which classes are taken for which: the paper's Figure 3 and its error analysis (section 5.4), as counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from rarecase.core import randomness
from rarecase.data.schema import canonical_order

DRAWN = 100  # errors of each strategy that Figure 3 shows


def drawn_errors(test: Dataset, labels: np.ndarray, guesses: np.ndarray, seed: int) -> np.ndarray:
    """
    Errors drawn at random, as many as Figure 3 of the paper shows.

    Every classifier's errors are drawn in one order of the test rows, which goes by their texts: what two of them both
    got wrong is drawn from both or from none, as far as it comes.

    Args:
        test (`Dataset`): the test rows, column `text`.
        labels (`np.ndarray`): the classes that hold, shape `(rows,)`.
        guesses (`np.ndarray`): the classes predicted, shape `(rows,)`.
        seed (`int`): decides the draw.

    Returns:
        `np.ndarray`: places of at most 100 rows, in the order of the draw.

    Example:
        >>> len(drawn_errors(test, labels, guesses, seed=0))
        100
    """
    order = randomness.generator(seed, "errors").permutation(canonical_order(test))
    return order[labels[order] != guesses[order]][:DRAWN]


def pairs(
    labels: np.ndarray, guesses: np.ndarray, names: Sequence[str], *, shared_by: int = 1
) -> list[dict[str, Any]]:
    """
    The errors by class pair, the most frequent first.

    Args:
        labels (`np.ndarray`): the classes that hold, shape `(rows,)`.
        guesses (`np.ndarray`): the classes predicted, shape `(rows,)`.
        names (`Sequence[str]`): the classes.
        shared_by (`int`): over how many classifiers the rows go; counts are the mean of one.

    Returns:
        `list[dict]`: `true`, `predicted` and `count`, for every pair that occurs.

    Example:
        >>> pairs(np.array([0, 1, 1]), np.array([0, 0, 0]), ["harmful", "not-harmful"])
        [{'true': 'not-harmful', 'predicted': 'harmful', 'count': 2}]
    """
    wrong = labels != guesses
    found, counts = np.unique(np.stack([labels[wrong], guesses[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [
        {
            "true": names[found[0, place]],
            "predicted": names[found[1, place]],
            "count": int(counts[place]) if shared_by == 1 else float(counts[place] / shared_by),
        }
        for place in order
    ]
