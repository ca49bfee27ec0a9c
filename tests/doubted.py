"""Rows of the sample of which some have a wrong label, and how well these are ranked."""

import numpy as np
import small
from datasets import Dataset

from rarecase.data import arrow

HARMLESS = small.NAMES.index("not-harmful")


def planted(seed: int = 0, wrong: int = 8) -> tuple[Dataset, set[str]]:
    """The pool of the sample in which harmless texts have another label, and the ids of these."""
    table = small.table("pool")
    labels, rng = np.array(table["label"][:]), np.random.default_rng(seed)
    rows = rng.choice(np.flatnonzero(labels == HARMLESS), wrong, replace=False)
    labels[rows] = rng.integers(0, HARMLESS, wrong)
    ids = table["id"][:]
    return arrow.with_column(table, "label", labels, table.features["label"]), {ids[row] for row in rows}


def auroc(rows: list[tuple[str, str, float]], wrong: set[str], *, of_one_label: bool) -> float:
    """The share of pairs (wrong, right), perhaps of one label alone, in which the wrong row is doubted more."""
    pairs = [
        0.5 if one[2] == other[2] else float(one[2] > other[2])
        for one in rows
        for other in rows
        if one[0] in wrong and other[0] not in wrong and not (of_one_label and one[1] != other[1])
    ]
    return float(np.mean(pairs))
