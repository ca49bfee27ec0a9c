"""How many texts of each class there are, and how unevenly: the figures of the paper's Table 3."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from rarecase.core.errors import DataError
from rarecase.data.arrow import matrix

MOST = 8  # classes that a table or a picture shows one by one: no more colours are told apart


def class_counts(dataset: Dataset, names: Sequence[str]) -> dict[str, int]:
    """Rows per class of the column `label`, whose indices are those of `names`; every class is counted."""
    labels = matrix(dataset, "label")
    if len(labels) and (labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() < len(names)):
        raise DataError(f"column 'label': expected the numbers of {len(names)} classes; it was changed, or is damaged")
    counted = np.bincount(labels.astype(np.int64), minlength=len(names))
    return dict(zip(names, counted.tolist(), strict=True))


def class_count_std(counts: Mapping[Any, int]) -> float:
    """The sample standard deviation (ddof 1) of the class counts; 0 for one class."""
    return float(np.std(list(counts.values()), ddof=1)) if len(counts) > 1 else 0.0


def rarest(counts: Mapping[str, int]) -> str:
    """The class with the fewest rows, of those that have any: nothing can be measured of the others."""
    return min((name for name in counts if counts[name]), key=lambda name: counts[name], default=next(iter(counts)))


def rarest_classes(counts: Mapping[str, int]) -> list[str]:
    """The classes with fewer than half of an even share, the rarest first; the rarest alone where none has."""
    limit = sum(counts.values()) / (2 * len(counts))
    rare = [name for name in counts if 0 < counts[name] < limit]
    return sorted(rare, key=lambda name: counts[name]) or [rarest(counts)]


def shown_classes(test: Mapping[str, int]) -> dict[str, list[str]]:
    """
    What tables and pictures show, and the classes that it stands for: each class by itself, or where there are more
    than eight the seven rarest of the test set and the others as one group.
    """
    if len(test) <= MOST:
        return {name: [name] for name in test}
    by_rows = sorted(test, key=lambda name: test[name] or np.inf)
    others = by_rows[MOST - 1 :]
    return {**{name: [name] for name in by_rows[: MOST - 1]}, f"{len(others)} others": others}


def sum_groups(counts: Mapping[str, float], groups: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Counts per class, added up by group."""
    return {name: sum(counts[of] for of in classes) for name, classes in groups.items()}


def cost_per(spent: float, found: float) -> float | None:
    """The labels, seconds or money that one example of a class cost; None where none was found."""
    return spent / found if found else None
