"""How many texts of each class there are, and how unevenly: the figures of the paper's Table 3."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from rarecase.data.arrow import matrix

MOST = 8  # classes that a table or a picture shows one by one: no more colours are told apart


def class_counts(dataset: Dataset, names: Sequence[str]) -> dict[str, int]:
    """
    Rows per class, every class of the taxonomy counted.

    Args:
        dataset (`Dataset`): column `label`, class indices in the order of `names`.
        names (`Sequence[str]`): the classes.

    Example:
        >>> class_counts(start, ["harmful", "not-harmful"])
        {'harmful': 12, 'not-harmful': 38}
    """
    counted = np.bincount(matrix(dataset, "label").astype(np.int64), minlength=len(names))
    return dict(zip(names, counted.tolist(), strict=True))


def class_count_std(counts: Mapping[Any, int]) -> float:
    """
    The sample standard deviation (ddof 1) of the class counts; 0 for one class.

    Example:
        >>> round(class_count_std({"a": 96, "b": 180, "c": 84, "d": 84, "e": 12, "f": 144}), 1)
        57.6
    """
    return float(np.std(list(counts.values()), ddof=1)) if len(counts) > 1 else 0.0


def rarest(counts: Mapping[str, int]) -> str:
    """
    The class with the fewest rows, of those that have any: of the others nothing can be measured.

    Example:
        >>> rarest({"self-harm": 0, "emergency-situation": 3, "not-harmful": 26})
        'emergency-situation'
    """
    return min((name for name in counts if counts[name]), key=lambda name: counts[name], default=next(iter(counts)))


def rarest_classes(counts: Mapping[str, int]) -> list[str]:
    """
    The classes with fewer than half the rows of an even share, the rarest first; the rarest alone where none has.

    Args:
        counts (`Mapping[str, int]`): rows per class, of the test set; classes without any row are left out.

    Example:
        >>> rarest_classes({"self-harm": 438, "emergency-situation": 82, "not-harmful": 709})
        ['emergency-situation']
    """
    limit = sum(counts.values()) / (2 * len(counts))
    rare = [name for name in counts if 0 < counts[name] < limit]
    return sorted(rare, key=lambda name: counts[name]) or [rarest(counts)]


def shown_classes(test: Mapping[str, int]) -> dict[str, list[str]]:
    """
    What tables and pictures show: each class by itself, or where there are more than eight the seven rarest and the
    others together.

    Args:
        test (`Mapping[str, int]`): rows of the test set per class; a class without any is no rare one.

    Returns:
        `dict[str, list[str]]`: by what is shown, the classes that it stands for; in the order of `test`, or the rarest
        first.

    Example:
        >>> list(shown_classes({f"class {i}": 9 - i for i in range(10)}))[-3:]
        ['class 3', 'class 2', '3 others']
    """
    if len(test) <= MOST:
        return {name: [name] for name in test}
    by_rows = sorted(test, key=lambda name: test[name] or np.inf)
    others = by_rows[MOST - 1 :]
    return {**{name: [name] for name in by_rows[: MOST - 1]}, f"{len(others)} others": others}


def together(counts: Mapping[str, Any], shown: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """
    Counts per class, added up to those of what is shown.

    Example:
        >>> together({"a": 1, "b": 2, "c": 3}, {"a": ["a"], "2 others": ["b", "c"]})
        {'a': 1, '2 others': 5}
    """
    return {name: sum(counts[of] for of in classes) for name, classes in shown.items()}


def cost_per(spent: float, found: float) -> float | None:
    """
    What one example of a class cost: everything that was spent, over the examples found; None where none was found.

    Args:
        spent (`float`): labels, seconds or money.
        found (`float`): human-labelled examples of the class.

    Example:
        >>> cost_per(100, 8)
        12.5
    """
    return spent / found if found else None
