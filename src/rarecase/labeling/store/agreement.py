"""How far people agree by themselves: no review of an adjudicator counts, and no item whose answer is known."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """How far people agree; None where a measure is not defined: nothing in common, or one class only."""

    items: int  # that two or more have labelled
    kappa: float | None  # of more than two people the mean over pairs, weighted by the items they have in common
    alpha: float | None  # nominal, over all votes
    # Of two votes on an item, one of them this class, how often the other is (positive specific agreement; Spitzer and
    # Fleiss, 1974).
    per_class: dict[str, float | None]
    confusion: dict[str, dict[str, int]]  # pairs of votes, by both classes; symmetric, pairs that agree once


def agreement(votes: Sequence[Mapping[str, str]], names: Sequence[str]) -> Agreement:
    """The agreement of votes (of each item, person → label) on these classes."""
    shared = [given for given in votes if len(given) > 1]
    pairs = Counter(
        tuple(sorted(pair, key=names.index)) for given in shared for pair in combinations(given.values(), 2)
    )
    confusion = {one: {other: pairs[one, other] or pairs[other, one] for other in names} for one in names}
    return Agreement(
        items=len(shared),
        kappa=_kappa(shared, names),
        alpha=_alpha(shared, names),
        per_class={name: _specific(name, confusion[name]) for name in names},
        confusion=confusion,
    )


def _kappa(votes: Sequence[Mapping[str, str]], names: Sequence[str]) -> float | None:
    """In one pass over the votes: a call of scikit-learn for each pair of fifty people takes a second."""
    tables: dict[tuple[str, str], np.ndarray] = {}  # by pair of people, shape (classes, classes): one's, other's label
    index = {name: i for i, name in enumerate(names)}
    for given in votes:
        for one, other in combinations(sorted(given), 2):
            table = tables.setdefault((one, other), np.zeros((len(names), len(names))))
            table[index[given[one]], index[given[other]]] += 1
    found, weights = [], []
    for table in tables.values():
        rows, columns, items = table.sum(axis=1), table.sum(axis=0), table.sum()
        if np.count_nonzero(rows + columns) > 1:  # of one class alone chance is as sure, and κ 0 / 0
            chance = rows @ columns / items
            found.append((np.trace(table) - chance) / (items - chance))
            weights.append(items)
    return float(np.average(found, weights=weights)) if found else None


def _alpha(votes: Sequence[Mapping[str, str]], names: Sequence[str]) -> float | None:
    import krippendorff

    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(votes), len(names)))
    for row, given in zip(counts, votes, strict=True):
        for label in given.values():
            row[index[label]] += 1
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return None
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _specific(name: str, pairs: Mapping[str, int]) -> float | None:
    once = sum(count for other, count in pairs.items() if other != name)
    return 2 * pairs[name] / (2 * pairs[name] + once) if once or pairs[name] else None
