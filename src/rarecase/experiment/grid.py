"""
The one grid runner: a cell is a folder, run once.

A grid that was killed goes on by the same call: a cell whose `cell.json` exists is done, one without goes on stage by
stage, as any run does. A cell that fails with one of the errors that are expected of it is a row with its reason, and
is tried again by the next call.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rarecase.core.errors import DataError
from rarecase.core.files import read_json, write_json


@dataclass(frozen=True)
class Cell:
    """
    One run of the grid.

    Args:
        strategy (`str`): as on the command line.
        seed (`int`): draws the pool and the test set, the clustering and the model.
        model (`str`, *optional*): what learns, where the grid has several.
        setting (`str`, *optional*): what is learned from, where the grid has several.
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


def run_grid(
    folder: Path,
    cells: Iterable[Cell],
    run_cell: Callable[[Cell, Path], dict[str, Any]],
    reason: Callable[[Exception], str | None] = lambda error: None,
) -> None:
    """
    Runs every cell that is not done.

    Args:
        folder (`Path`): the grid; its cells stand in `cells/`.
        cells (`Iterable[Cell]`): what to run, in order.
        run_cell (`Callable`): runs one in its folder and returns its record.
        reason (`Callable`): one line for an error that must not stop the others; None for any other.

    Example:
        >>> run_grid(Path("out"), [Cell("random", 0), Cell("cluster", 0)], run_cell)
    """
    for cell in cells:
        place = folder / "cells" / cell.name
        if (place / "cell.json").exists() and "error" not in _read(place / "cell.json"):
            continue
        try:
            record = run_cell(cell, place)
        except Exception as error:
            told = reason(error)
            if told is None:
                raise
            record = {"error": told}
            print(f"{cell.name}: {told}", file=sys.stderr)
        write_json(place / "cell.json", {**_described(cell), **record})


def read_cells(folder: Path) -> dict[Cell, dict[str, Any]]:
    """
    The records of all cells that are done or failed (`error`), by cell.

    Raises:
        `DataError`: where the file of one is damaged.

    Example:
        >>> read_cells(Path("out"))[Cell("cluster", 0)]["rounds"][-1]["test"]["macro_f1"]
        61.7
    """
    found = {}
    for path in sorted((folder / "cells").glob("*/cell.json")):
        content = _read(path)
        cell = Cell(
            **{name: content.pop(name) for name in ("strategy", "seed", "model", "setting") if name in content}
        )
        found[cell] = content
    return found


def _described(cell: Cell) -> dict[str, Any]:
    return {name: value for name, value in asdict(cell).items() if value is not None}


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or not {"strategy", "seed"} <= content.keys():
        raise DataError(f"{path}: no record of a cell; remove it and repeat the command that wrote it")
    return content
