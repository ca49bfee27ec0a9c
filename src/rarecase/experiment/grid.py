"""
The one grid runner: a cell is a folder, run once.

A grid that was killed goes on by the same call: a cell whose `cell.json` exists is done, one without goes on stage by
stage, as any run does. A cell that fails with an expected error is recorded with its reason, and the next call tries
it again.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from rarecase.experiment.cells import Cell, Found, read_cell


def run_grid(
    grid: Path,
    cells: Iterable[Cell],
    run_cell: Callable[[Cell, Path], Found],
    reason: Callable[[Exception], str | None] = lambda error: None,
) -> None:
    """
    Runs every cell that is not done, in order; `run_cell` gets the cell and its folder.

    `reason` gives one line for an error that must not stop the other cells, and None for any other.
    """
    for cell in cells:
        record = cell.folder(grid) / "cell.json"
        if record.exists() and read_cell(record)[1].error is None:
            continue
        try:
            found = run_cell(cell, cell.folder(grid))
        except Exception as error:
            line = reason(error)
            if line is None:
                raise
            found = Found(error=line)
            print(f"{cell.name}: {line}", file=sys.stderr)
        found.write(grid, cell)
