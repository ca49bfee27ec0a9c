"""
What the cells of simulations acquired, for other models to learn from: does what one learner chose help another?

The split of a strategy and seed is called STRATEGY@LEARNER-MODEL: the labels and variations of all rounds of a cell.
The test set is the one that its seed drew.
"""

from pathlib import Path

from datasets import Dataset, concatenate_datasets

from rarecase.core.errors import ConfigError, DataError
from rarecase.data.schema import conform
from rarecase.data.sets import Sets, draw_test
from rarecase.data.taxonomy import Taxonomy
from rarecase.experiment.cells import Cell, read_cells
from rarecase.hub.ids import name_of
from rarecase.runs.folder import Manifest, RoundFiles, is_begun, stored_sets
from rarecase.verify.policy import accepted


def grids_of(data: str) -> list[Path]:
    """The folders of `rarecase simulate` that a data argument names; empty where it names something else."""
    paths = [Path(part.strip()) for part in data.split(",") if part.strip()]
    grids = [path for path in paths if is_begun(path)]
    if grids and len(grids) < len(paths):
        other = next(path for path in paths if path not in grids)
        raise DataError(
            f"--data {other}: no folder of a simulation, as {grids[0]} is; give one release, or grids only"
        )
    for path in grids:
        Manifest.read(path, "grid")
    return grids


def acquirer_of(learner: str, model: str) -> str:
    """The name of a learner in the name of what it acquired, such as `frozen-packaged`."""
    return f"{learner}-{name_of(model)}"


def acquired_by(grids: list[Path]) -> dict[str, tuple[Path, str]]:
    """By name, such as `entropy@frozen-packaged`: the grid of each strategy with a finished cell, and its own name."""
    found: dict[str, tuple[Path, str]] = {}
    for grid in grids:
        begun = Manifest.read(grid, "grid").config
        by = acquirer_of(begun.learner, begun.model)
        finished = (cell.strategy for cell, its in read_cells(grid).items() if its.error is None)
        for strategy in dict.fromkeys(finished):
            name = f"{strategy}@{by}"
            if found.setdefault(name, (grid, strategy))[0] != grid:
                raise ConfigError(f"--data: {found[name][0]} and {grid} both have {name}; give one of them")
    return found


def acquired_in(grid: Path, strategy: str, seed: int) -> Dataset:
    """What was labelled in one cell, and the variations that its policy accepts."""
    cell = Cell(strategy, seed)
    if not cell.is_done(grid):
        raise DataError(f"{grid} has no finished cell of {strategy} with seed {seed}; simulate it, or ask for others")
    stages = RoundFiles(cell.folder(grid))
    policy = Manifest.read(grid, "grid").config.policy
    names = Taxonomy.load(grid / "taxonomy.yaml").names
    parts: list[Dataset] = []
    for labels, variations in zip(stages.tables("labels"), stages.tables("variations"), strict=True):
        parts += [conform(labels, names), conform(accepted(variations, policy), names)]
    return concatenate_datasets(parts)


def sets_of(grid: Path, seed: int) -> Sets:
    """The start set, dev and the test set of one seed."""
    sets = stored_sets(grid)
    if sets.test is not None:
        return sets
    return draw_test(sets, Manifest.read(grid, "grid").config.test_size, seed)[0]
