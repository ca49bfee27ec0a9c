"""
The one grid runner: a cell is a folder, run once.

A grid that was killed goes on by the same call: a cell whose `cell.json` exists is done, one without goes on stage by
stage, as any run does.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rarecase.files import write_json


@dataclass(frozen=True)
class Cell:
    """
    One run of the grid.

    Args:
        strategy (`str`): as on the command line.
        seed (`int`): draws the pool and the test set, the clustering and the model.
    """

    strategy: str
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.strategy.replace(':', '.')}-{self.seed}"


def run_grid(folder: Path, cells: Iterable[Cell], run_cell: Callable[[Cell, Path], list[dict[str, Any]]]) -> None:
    """
    Runs every cell that is not done.

    Args:
        folder (`Path`): the grid; its cells stand in `cells/`.
        cells (`Iterable[Cell]`): what to run, in order.
        run_cell (`Callable`): runs one in its folder and returns the record of each round.

    Example:
        >>> run_grid(Path("out"), [Cell("random", 0), Cell("cluster", 0)], run_cell)
    """
    for cell in cells:
        place = folder / "cells" / cell.name
        if not (place / "cell.json").exists():
            rounds = run_cell(cell, place)
            write_json(place / "cell.json", {**asdict(cell), "rounds": rounds})


def read_cells(folder: Path) -> dict[Cell, list[dict[str, Any]]]:
    """
    The records of all cells that are done, by cell.

    Example:
        >>> read_cells(Path("out"))[Cell("cluster", 0)][-1]["test"]["macro_f1"]
        61.7
    """
    found = {}
    for path in sorted((folder / "cells").glob("*/cell.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found[Cell(content["strategy"], content["seed"])] = content["rounds"]
    return found
