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
    from sklearn.metrics import cohen_kappa_score

    people = sorted({person for given in votes for person in given})
    found, weights = [], []
    for one, other in combinations(people, 2):
        both = [(given[one], given[other]) for given in votes if one in given and other in given]
        if len({label for pair in both for label in pair}) > 1:  # of one class alone chance is as sure, and κ 0 / 0
            found.append(float(cohen_kappa_score(*zip(*both, strict=True), labels=list(names))))
            weights.append(len(both))
    return float(np.average(found, weights=weights)) if found else None


def _alpha(votes: Sequence[Mapping[str, str]], names: Sequence[str]) -> float | None:
    import krippendorff

    people = sorted({person for given in votes for person in given})
    said = [[names.index(given[person]) if person in given else np.nan for given in votes] for person in people]
    table = np.array(said, dtype=float).reshape(len(people), len(votes))
    if len(np.unique(table[~np.isnan(table)])) < 2:
        return None
    return float(krippendorff.alpha(table, level_of_measurement="nominal", value_domain=list(range(len(names)))))


def _specific(name: str, pairs: Mapping[str, int]) -> float | None:
    once = sum(count for other, count in pairs.items() if other != name)
    return 2 * pairs[name] / (2 * pairs[name] + once) if once or pairs[name] else None
