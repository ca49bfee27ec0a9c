"""
How far people agree: Cohen's κ, Krippendorff's α, agreement on each class, and which classes are taken for which.

Only what people said by themselves counts: no verdict of an adjudicator, no item whose answer is known.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np


@dataclass(frozen=True)
class Agreement:
    """
    How far people agree.

    Args:
        items (`int`): items that two or more have labelled.
        kappa (`float`, *optional*): Cohen's κ (1960); of more than two people the mean over pairs, weighted by the
            items that the two have in common. None where it is not defined: nothing in common, or one class only.
        alpha (`float`, *optional*): Krippendorff's α (nominal) over all votes.
        per_class (`dict[str, float | None]`): of two votes on an item, one of them this class, how often the other is
            (positive specific agreement; Spitzer and Fleiss, 1974).
        confusion (`dict[str, dict[str, int]]`): pairs of votes, by both classes; symmetric, pairs that agree once.
    """

    items: int
    kappa: float | None
    alpha: float | None
    per_class: dict[str, float | None]
    confusion: dict[str, dict[str, int]]


def agreement(votes: Sequence[Mapping[str, str]], names: Sequence[str]) -> Agreement:
    """
    Args:
        votes (`Sequence[Mapping[str, str]]`): of each item, person → label.
        names (`Sequence[str]`): the classes, in order.

    Example:
        >>> agreement([{"ann": "a", "bob": "a"}, {"ann": "b", "bob": "b"}], ["a", "b"]).kappa
        1.0
    """
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
    place = {name: index for index, name in enumerate(names)}
    for given in votes:
        for one, other in combinations(sorted(given), 2):
            table = tables.setdefault((one, other), np.zeros((len(names), len(names))))
            table[place[given[one]], place[given[other]]] += 1
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

    place = {name: index for index, name in enumerate(names)}
    counts = np.zeros((len(votes), len(names)))
    for row, given in zip(counts, votes, strict=True):
        for label in given.values():
            row[place[label]] += 1
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return None
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _specific(name: str, pairs: Mapping[str, int]) -> float | None:
    once = sum(count for other, count in pairs.items() if other != name)
    return 2 * pairs[name] / (2 * pairs[name] + once) if once or pairs[name] else None
