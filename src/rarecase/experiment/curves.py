"""What a grid found: learning curves, what each strategy found of each class, and differences to `random`."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rarecase.core.errors import DataError
from rarecase.data.arrow import matrix
from rarecase.data.counts import cost_per, rarest
from rarecase.data.parquet import read_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.experiment.grid import Cell, read_cells
from rarecase.experiment.intervals import (
    Predictions,
    interval_over_seeds,
    mean_and_interval,
    resampled_f1,
    resampled_macro_f1,
)
from rarecase.runs.folder import RoundFiles

BASELINE = "random"


def curves(folder: Path) -> dict[str, Any]:
    """
    The report of a grid, every figure the mean over its seeds.

    Args:
        folder (`Path`): a grid folder; only strategies whose cells are done for every seed are held against each
            other.

    Returns:
        `dict`: `kind`, `classes`, `test_class_counts` (rows of the test set by class, of the first seed where each
        draws its own), `rarest` (the class with the fewest of them, at least one), `seeds`, and
        `strategies.NAME.{curve, final, found, found_interval, cost_per_rare, cost_per_rare_interval, difference}`;
        metrics in percent, intervals as `[low, high]`. Those of `found` are over seeds, and None where there is one.
        `cost_per_rare` is human labels for each example of the rarest class among them; None where none was found,
        as is the upper end of its interval where seeds can be drawn that found none.

    Example:
        >>> curves(Path("out"))["strategies"]["cluster"]["final"]["macro_f1"]
        72.8
    """
    cells = {cell: record["rounds"] for cell, record in read_cells(folder).items() if "rounds" in record}
    names = Taxonomy.load(folder / "taxonomy.yaml").names
    test = _test_counts(folder, next(iter(cells)), names) if cells else None
    least = rarest(test) if test else None
    by_strategy: dict[str, list[Cell]] = defaultdict(list)
    for cell in sorted(cells, key=lambda cell: (cell.strategy != BASELINE, cell.strategy, cell.seed)):
        by_strategy[cell.strategy].append(cell)
    common = set.intersection(*({c.seed for c in group} for group in by_strategy.values())) if by_strategy else set()
    final = {
        strategy: _resampled(folder, [c for c in group if c.seed in common], cells, -1, names)
        for strategy, group in by_strategy.items()
    }
    return {
        "kind": "grid",
        "classes": list(names),
        "test_class_counts": test,
        "rarest": least,
        "seeds": sorted({cell.seed for cell in cells}),
        "strategies": {
            strategy: {
                **_strategy(folder, group, cells, names, final, strategy),
                **_cost([cells[c] for c in group], least),
            }
            for strategy, group in by_strategy.items()
        },
    }


def _strategy(
    folder: Path,
    group: Sequence[Cell],
    cells: dict[Cell, list[dict[str, Any]]],
    names: Sequence[str],
    final: dict[str, np.ndarray],
    strategy: str,
) -> dict[str, Any]:
    curve = []
    for number in range(min(len(cells[cell]) for cell in group)):
        records = [cells[cell][number] for cell in group]
        macro_f1, interval = mean_and_interval(_resampled(folder, group, cells, number, names))
        curve.append(
            {
                "round": number,
                "labels": float(np.mean([r["labels"] for r in records])),
                "macro_f1": macro_f1,
                "macro_f1_interval": interval,
                "accuracy": _mean(records, "test", "accuracy"),
                "f1": {name: _mean(records, "test", "f1", name) for name in names},
                "class_counts": {name: _mean(records, "class_counts", name) for name in names},
                "class_count_std": _mean(records, "class_count_std"),
            }
        )
    last = [cells[cell][-1] for cell in group]
    f1 = 100 * resampled_f1(_predictions_of(folder, group, cells, -1), len(names))
    answer: dict[str, Any] = {
        "curve": curve,
        "final": {
            **{key: value for key, value in curve[-1].items() if key != "round"},
            "f1_interval": {name: mean_and_interval(f1[:, :, place])[1] for place, name in enumerate(names)},
        },
        "found": {name: _mean(last, "found", name) for name in names},
        "found_interval": {name: interval_over_seeds([r["found"][name] for r in last]) for name in names},
    }
    if BASELINE in final and strategy != BASELINE and len(final[strategy]):
        difference, interval = mean_and_interval(final[strategy] - final[BASELINE])
        answer["difference"] = {"macro_f1": difference, "macro_f1_interval": interval, "to": BASELINE}
    return answer


def _cost(cells: Sequence[list[dict[str, Any]]], least: str | None) -> dict[str, Any]:
    """Labels for each example of the rarest class; the seeds together, since one of them may have found none."""
    last = [records[-1] for records in cells]
    labels, found = (
        np.array([pick(r) for r in last]) for pick in (lambda r: r["labels"], lambda r: r["found"][least])
    )
    cost = cost_per(labels.sum(), found.sum())
    share = interval_over_seeds(found / np.maximum(labels, 1)) if cost is not None else None
    return {"cost_per_rare": cost, "cost_per_rare_interval": share and [cost_per(1, end) for end in reversed(share)]}


def _mean(records: Sequence[dict[str, Any]], *path: str) -> float:
    values = []
    for record in records:
        value: Any = record
        for key in path:
            value = value[key]
        values.append(value)
    return float(np.mean(values))


def _resampled(
    folder: Path, group: Sequence[Cell], cells: dict[Cell, list[dict[str, Any]]], number: int, names: Sequence[str]
) -> np.ndarray:
    return resampled_macro_f1(_predictions_of(folder, group, cells, number), len(names))


def _predictions_of(
    folder: Path, group: Sequence[Cell], cells: dict[Cell, list[dict[str, Any]]], number: int
) -> list[Predictions]:
    return [_predictions(folder, cell, cells[cell][number]["round"]) for cell in group]


def _predictions(folder: Path, cell: Cell, number: int) -> Predictions:
    path = RoundFiles(folder / "cells" / cell.name).path(number, "predictions.parquet")
    ids, labels, probs = read_predictions(path)
    return Predictions(tuple(ids.tolist()), labels, probs.argmax(axis=1))


def read_predictions(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    What was predicted for the test rows, in the order of their ids, so that cells with one test set have one order.

    Args:
        path (`Path`): of `predictions.parquet`.

    Returns:
        Ids, labels (int64) and probabilities, shapes `(rows,)`, `(rows,)` and `(rows, classes)`.

    Raises:
        `DataError`: where the file is missing, truncated, or holds something else.

    Example:
        >>> ids, labels, probs = read_predictions(Path("grid/cells/cluster-0/rounds/05/predictions.parquet"))
    """
    try:
        table = read_parquet(path).select_columns(["id", "label", "probs", "split"])
    except (DataError, FileNotFoundError, ValueError):
        raise DataError(
            f"{path}: no readable predictions; remove the folder of this cell and repeat the command that made it"
        ) from None
    rows = np.flatnonzero(np.array(table["split"][:]) == "test")
    ids = np.array(table["id"][:])[rows]
    order = np.argsort(ids, kind="stable")
    return ids[order], matrix(table, "label")[rows][order].astype(np.int64), matrix(table, "probs")[rows][order]


def _test_counts(folder: Path, cell: Cell, names: Sequence[str]) -> dict[str, int]:
    labels = _predictions(folder, cell, 0).labels
    return dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))
