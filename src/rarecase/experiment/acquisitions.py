"""
What the cells of simulations acquired, for other models to learn from: does what one learner chose help another?

A grid's cell stands for the split of its strategy and seed, called STRATEGY@LEARNER-MODEL, its labels and variations
those of all its rounds; the test set is the one that its seed drew.
"""

from pathlib import Path

from datasets import Dataset, concatenate_datasets

from rarecase.core.errors import ConfigError, DataError
from rarecase.data.schema import conform
from rarecase.data.sets import Sets, draw_test
from rarecase.data.taxonomy import Taxonomy
from rarecase.experiment.cells import Cell, read_cells
from rarecase.generate import accepted
from rarecase.hub.ids import name_of
from rarecase.runs.folder import Manifest, RoundFiles, stored_sets


def grids_of(data: str) -> list[Path]:
    """
    The folders of `rarecase simulate` that a data argument names; none where it is anything else.

    Raises:
        `DataError`: where only some of several are.

    Example:
        >>> grids_of("grid,other")
        [PosixPath('grid'), PosixPath('other')]
    """
    paths = [Path(part.strip()) for part in data.split(",") if part.strip()]
    grids = [path for path in paths if (path / "run.json").is_file()]
    if grids and len(grids) < len(paths):
        other = next(path for path in paths if path not in grids)
        raise DataError(
            f"--data {other}: no folder of a simulation, as {grids[0]} is; give one release, or grids only"
        )
    for path in grids:
        Manifest.read(path, "grid")
    return grids


def acquirer_of(learner: str, model: str) -> str:
    """
    How a learner is called in the name of what it acquired.

    Example:
        >>> acquirer_of("frozen", "packaged")
        'frozen-packaged'
    """
    return f"{learner}-{name_of(model)}"


def acquired_by(grids: list[Path]) -> dict[str, tuple[Path, str]]:
    """
    By name, every strategy of which a grid has a finished cell: its grid, and what it is called there.

    Raises:
        `ConfigError`: where two grids have the same strategy and learner.

    Example:
        >>> acquired_by([Path("grid")])
        {'entropy@frozen-packaged': (PosixPath('grid'), 'entropy')}
    """
    found: dict[str, tuple[Path, str]] = {}
    for grid in grids:
        begun = Manifest.read(grid, "grid").settings
        by = acquirer_of(begun["learner"], begun["model"])
        for strategy in dict.fromkeys(cell.strategy for cell in _finished(grid)):
            name = f"{strategy}@{by}"
            if found.setdefault(name, (grid, strategy))[0] != grid:
                raise ConfigError(f"--data: {found[name][0]} and {grid} both have {name}; give one of them")
    return found


def acquired_in(grid: Path, strategy: str, seed: int) -> Dataset:
    """
    What people labelled in one cell, and the variations that passed.

    Raises:
        `DataError`: where the cell is not finished.

    Example:
        >>> len(acquired_in(Path("grid"), "entropy", 0))
        100
    """
    cell = Cell(strategy, seed)
    if cell not in _finished(grid):
        raise DataError(f"{grid} has no finished cell of {strategy} with seed {seed}; simulate it, or ask for others")
    stages = RoundFiles(grid / "cells" / cell.name)
    acquired = zip(stages.tables("labels"), map(accepted, stages.tables("variations")), strict=True)
    parts = [part for labels_and_variations in acquired for part in labels_and_variations]
    names = Taxonomy.load(grid / "taxonomy.yaml").names
    return concatenate_datasets([conform(part, names) for part in parts])


def sets_of(grid: Path, seed: int) -> Sets:
    """The start set, dev and the test set of one seed."""
    sets = stored_sets(grid)
    if sets.test is not None:
        return sets
    return draw_test(sets, Manifest.read(grid, "grid").settings["test_size"], seed)[0]


def _finished(grid: Path) -> list[Cell]:
    return [cell for cell, found in read_cells(grid).items() if found.error is None]
