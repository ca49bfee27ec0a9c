"""
The one grid runner: a cell is a folder, run once.

A grid that was killed goes on by the same call: a cell whose `cell.json` exists is done, one without goes on stage by
stage, as any run does. A cell that fails with an expected error is recorded with its reason, and the next call tries
it again.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from rarecase.core.errors import InUseError
from rarecase.core.locks import locked
from rarecase.core.processes import is_in_all, on_main
from rarecase.core.progress import Progress, say
from rarecase.experiment.cells import Cell, Found

RunCell: TypeAlias = Callable[[Cell, Path], Found]
Reason: TypeAlias = Callable[[Exception], str | None]


def run_grid(grid: Path, cells: Iterable[Cell], run_cell: RunCell, reason: Reason = lambda error: None) -> None:
    """
    Runs every cell that is not done, in order; `run_cell` gets the cell and its folder.

    `reason` gives one line for an error that must not stop the other cells, and None for any other. A cell that
    another process runs now is waited for after the others, and run where that process was killed.
    """
    every, elsewhere = list(cells), []
    with Progress(len(every), "cell") as progress:
        for cell in every:
            progress.step(cell.name)
            if not _run(grid, cell, run_cell, reason):
                elsewhere.append(cell)
    for cell in elsewhere:
        _run(grid, cell, run_cell, reason, f"{cell.name}, a cell that another process runs")


def _run(grid: Path, cell: Cell, run_cell: RunCell, reason: Reason, waiting_for: str = "") -> bool:
    """Runs a cell unless it is done; gives whether it is, for another process may be at it."""
    if on_main(cell.is_done, grid):
        return True
    try:
        with locked(cell.folder(grid), waiting_for):
            if not on_main(cell.is_done, grid):  # it was when this process came to it
                _run_alone(grid, cell, run_cell, reason)
    except InUseError:
        return False
    return True


def _run_alone(grid: Path, cell: Cell, run_cell: RunCell, reason: Reason) -> None:
    try:
        found = run_cell(cell, cell.folder(grid))
    except Exception as error:
        line = reason(error)
        if line is None or not is_in_all(error):
            raise
        found = Found(error=line)
        say(f"{cell.name}: {line}")
    on_main(found.write, grid, cell)
