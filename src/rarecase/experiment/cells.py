"""The cells of a grid: what one is, what it found (`cell.json`) and what it predicted."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rarecase.core.errors import DataError
from rarecase.core.files import read_json, write_json
from rarecase.core.typed import from_json
from rarecase.data.arrow import matrix
from rarecase.data.parquet import read_parquet
from rarecase.evaluate.record import RoundRecord


@dataclass(frozen=True)
class Cell:
    """
    One run of the grid; `model` and `setting` only where the grid has several.

    The seed draws the pool and the test set, the clustering and the model.
    """

    strategy: str
    seed: int
    model: str | None = None
    setting: str | None = None

    @property
    def name(self) -> str:
        """The name of its folder."""
        parts = (self.model, self.strategy, self.setting, str(self.seed))
        return "-".join(part.replace("/", "--").replace(":", ".") for part in parts if part is not None)

    def folder(self, grid: Path) -> Path:
        """Its folder in that of the grid."""
        return grid / "cells" / self.name

    def record(self, grid: Path) -> Path:
        """Where what it found is, once it is done, or failed."""
        return self.folder(grid) / "cell.json"

    def is_done(self, grid: Path) -> bool:
        """Whether it has ended in this grid, and not failed."""
        record = self.record(grid)
        return record.exists() and read_cell(record)[1].error is None


@dataclass(frozen=True)
class Found:
    """
    What a cell found: `rounds` in a simulation, the training rows and settings in an experiment, `error` if it failed.
    """

    rounds: tuple[RoundRecord, ...] | None = None
    train_rows: int | None = None
    class_counts: dict[str, int] | None = None
    fit: dict[str, Any] | None = None
    error: str | None = None

    def write(self, grid: Path, cell: Cell) -> None:
        """Writes `cell.json`, after which the cell is done, or failed."""
        found = {**vars(self), "rounds": self.rounds and [record.to_json() for record in self.rounds]}
        known = {name: value for name, value in {**asdict(cell), **found}.items() if value is not None}
        write_json(cell.record(grid), known)


def read_cell(path: Path) -> tuple[Cell, Found]:
    """Reads a `cell.json`; raises `DataError` where it is damaged."""
    content = read_json(path)
    try:
        cell, found = from_json(Cell, content, path.name), from_json(Found, content, path.name)
        for record in found.rounds or ():
            record.check(path.name)
        return cell, found
    except DataError:
        raise DataError(f"{path}: no record of a cell; remove it and repeat the command that wrote it") from None


def read_cells(grid: Path) -> dict[Cell, Found]:
    """All cells that are done or failed."""
    return dict(map(read_cell, sorted((grid / "cells").glob("*/cell.json"))))


@dataclass(frozen=True)
class Predictions:
    """
    What one cell predicted for its test rows, in the order of their ids: cells with one test set have one order.

    `labels` has shape `(rows,)`, int64; `probs` has shape `(rows, classes)`.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    probs: np.ndarray

    @cached_property
    def guesses(self) -> np.ndarray:
        """The predicted classes."""
        return self.probs.argmax(axis=1)

    def at(self, rows: np.ndarray) -> "Predictions":
        """Those of some rows."""
        return Predictions(tuple(self.ids[row] for row in rows), self.labels[rows], self.probs[rows])


def read_predictions(path: Path) -> Predictions:
    """Reads a `predictions.parquet`; raises `DataError` where it is missing or damaged."""
    try:
        table = read_parquet(path).select_columns(["id", "label", "probs", "split"])
        rows = np.flatnonzero(np.array(table["split"][:]) == "test")
        ids = np.array(table["id"][:])[rows]
        order = np.argsort(ids, kind="stable")
        labels, probs = (matrix(table, name)[rows][order] for name in ("label", "probs"))
        np.zeros(probs.shape[1])[labels]  # an IndexError where one is no class
        return Predictions(tuple(ids[order].tolist()), labels.astype(np.int64), probs)
    except (DataError, FileNotFoundError, IndexError, TypeError, ValueError):
        raise unreadable(path) from None


def unreadable(path: Path) -> DataError:
    """The error for predictions of a cell that are damaged, or of other test rows."""
    return DataError(
        f"{path}: no readable predictions; remove the folder of this cell and repeat the command that made it"
    )
