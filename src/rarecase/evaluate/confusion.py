"""Which classes are taken for which: the paper's Figure 3 and its error analysis (section 5.4), as counts."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from datasets import Dataset

from rarecase.core import randomness
from rarecase.data.schema import canonical_order

DRAWN = 100  # errors of each strategy that Figure 3 shows


class Pair(TypedDict):
    """How often rows of one class were predicted as another."""

    true: str
    predicted: str
    count: float


def drawn_errors(test: Dataset, labels: np.ndarray, guesses: np.ndarray, seed: int) -> np.ndarray:
    """
    The positions of at most 100 errors drawn at random, as many as Figure 3 of the paper shows, in order of the draw.

    The errors of every classifier are drawn in the same order of the test rows, which depends on their texts alone, so
    that two classifiers with common errors show the same ones as far as possible.
    """
    order = randomness.generator(seed, "errors").permutation(canonical_order(test))
    return order[labels[order] != guesses[order]][:DRAWN]


def pairs(labels: np.ndarray, guesses: np.ndarray, names: Sequence[str], *, shared_by: int = 1) -> list[Pair]:
    """The errors by class pair, the most frequent first; of several classifiers (`shared_by`) the mean of one."""
    wrong = labels != guesses
    found, counts = np.unique(np.stack([labels[wrong], guesses[wrong]]), axis=1, return_counts=True)
    return [
        {
            "true": names[found[0, place]],
            "predicted": names[found[1, place]],
            "count": int(counts[place]) if shared_by == 1 else float(counts[place] / shared_by),
        }
        for place in np.argsort(-counts, kind="stable")
    ]
