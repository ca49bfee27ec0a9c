"""What the cells of an experiment predicted, put together for its report."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset

from rarecase.core.errors import DataError
from rarecase.data.arrow import rows
from rarecase.data.counts import class_counts, rarest_classes
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import texts
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.metrics import expected_calibration_error
from rarecase.experiment.curves import BASELINE, read_predictions
from rarecase.experiment.grid import Cell, read_cells
from rarecase.experiment.intervals import Predictions, resampled_counts, resampled_figures
from rarecase.experiment.splits import BOOTSTRAP, SETTINGS
from rarecase.hub.ids import name_of
from rarecase.settings.config import ExperimentConfig, read_yaml, split_list

# The order in which tables show them; a strategy of one's own comes after.
_STRATEGIES = (BOOTSTRAP, BASELINE, "topn", "entropy", "coreset", "cluster")


class Key(NamedTuple):
    """What the cells of one group share; they differ in their seeds."""

    setting: str
    strategy: str
    model: str


@dataclass(frozen=True)
class Group:
    """
    The cells of one setting, strategy and model.

    Args:
        seeds (`list[int]`): those whose cells are done.
        cells (`list[Predictions]`): of each seed, over the same test rows.
        ece (`list[float]`): of each seed, the expected calibration error in percent.
        deterministic (`bool`): whether several seeds gave the same probabilities: they say no more than one does.
        rare (`list[int]`): the places of the rarest classes.
        classes (`int`): how many there are.
    """

    seeds: list[int]
    cells: list[Predictions]
    ece: list[float]
    deterministic: bool
    rare: list[int]
    classes: int

    @cached_property
    def figures(self) -> dict[str, np.ndarray]:
        """From `resampled_figures`, a seed a row."""
        return resampled_figures(resampled_counts(self.cells, self.classes), self.rare)

    def by_seed(self, figure: str) -> dict[int, np.ndarray]:
        """A figure by seed, as `rarecase.experiment.compare` takes it."""
        return dict(zip(self.seeds, self.figures[figure], strict=True))


@dataclass(frozen=True)
class Results:
    """
    An experiment as far as it is done.

    Args:
        folder (`Path`): of the experiment.
        config (`dict`): its settings, as in `config.yaml`.
        names (`list[str]`): the classes.
        test (`Dataset`): the test rows that are measured on, in the order of `Predictions`.
        overlap (`int`): test rows whose text stands in a training set, too.
        left_out (`int`): those of them that are not measured on: all or none.
        rare (`list[str]`): the rarest classes of these test rows.
        groups (`dict[Key, Group]`): what is done.
        failed (`dict[Cell, str]`): the reasons of cells that failed.
        missing (`int`): cells that are asked for and have not been run.
    """

    folder: Path
    config: dict[str, Any]
    names: list[str]
    test: Dataset
    overlap: int
    left_out: int
    rare: list[str]
    groups: dict[Key, Group]
    failed: dict[Cell, str]
    missing: int

    @property
    def seeds(self) -> list[int]:
        """All seeds of which something is done."""
        return sorted({seed for group in self.groups.values() for seed in group.seeds})

    @property
    def settings(self) -> list[str]:
        """Those of which something is done, in the order of the tables."""
        return list(dict.fromkeys(key.setting for key in self.groups))

    @property
    def strategies(self) -> list[str]:
        """Those of which something is done, in the order of the tables."""
        return [s for s in dict.fromkeys(key.strategy for key in self.groups) if s != BOOTSTRAP]

    @property
    def models(self) -> list[str]:
        """Those of which something is done, in the order in which they were asked for."""
        return list(dict.fromkeys(key.model for key in self.groups))

    @cached_property
    def splits(self) -> dict[str, Dataset]:
        """By strategy, the rows that were acquired."""
        found = {path.stem: read_parquet(path) for path in (self.folder / "splits").glob("*.parquet")}
        return {name: found[name] for name in _ordered(found, _STRATEGIES)}


def read_results(folder: Path) -> Results:
    """
    Reads what is done of an experiment.

    Args:
        folder (`Path`): with the files that `rarecase experiment` writes.

    Raises:
        `DataError`: where no test row is left to measure on, or a file cannot be read.

    Example:
        >>> read_results(Path("exp")).groups[Key("human+llm", "cluster", "packaged")].figures["macro_f1"].shape
        (10, 1001)
    """
    config = read_yaml(folder / "config.yaml", ExperimentConfig)
    names = list(Taxonomy.load(folder / "taxonomy.yaml").names)
    test = read_parquet(folder / "test.parquet")
    test = rows(test, np.argsort(np.array(test["id"][:]), kind="stable"))
    trained = [folder / "bootstrap.parquet", *(folder / "splits").glob("*.parquet")]
    known = {text for path in trained for text in texts(read_parquet(path))}
    apart = np.array([text not in known for text in texts(test)], dtype=bool)
    kept = np.flatnonzero(apart) if config.get("leave_out_overlap") else np.arange(len(test))
    if not len(kept):
        raise DataError(f"{folder}: every test text stands in a training set, too; leave --leave-out-overlap out")
    measured = rows(test, kept)
    rare = rarest_classes(class_counts(measured, names))
    cells = read_cells(folder)
    models = _models(config, {cell.model or "" for cell in cells})
    done = [cell for cell, record in cells.items() if "error" not in record]
    return Results(
        folder=folder,
        config=config,
        names=names,
        test=measured,
        overlap=int((~apart).sum()),
        left_out=len(test) - len(kept),
        rare=rare,
        groups=_groups(folder, done, kept, [names.index(name) for name in rare], len(names), models),
        failed={cell: record["error"] for cell, record in cells.items() if "error" in record},
        missing=len(_asked(folder, config, models) - set(cells)),
    )


def _groups(
    folder: Path, done: Sequence[Cell], kept: np.ndarray, rare: list[int], classes: int, models: Sequence[str]
) -> dict[Key, Group]:
    by_key: dict[Key, list[Cell]] = {}
    for cell in sorted(done, key=lambda cell: cell.seed):
        by_key.setdefault(Key(cell.setting or "", cell.strategy, cell.model or ""), []).append(cell)
    orders = [
        _ordered({key[place] for key in by_key}, first) for place, first in enumerate((SETTINGS, _STRATEGIES, models))
    ]
    found = {}
    for key in sorted(by_key, key=lambda key: [order.index(part) for order, part in zip(orders, key, strict=True)]):
        predictions, ece, probs = [], [], []
        for cell in by_key[key]:
            ids, labels, scored = (
                part[kept] for part in read_predictions(folder / "cells" / cell.name / "predictions.parquet")
            )
            predictions.append(Predictions(tuple(ids.tolist()), labels, scored.argmax(axis=1)))
            ece.append(expected_calibration_error(labels, scored))
            probs.append(scored)
        alike = len(probs) > 1 and all(np.array_equal(probs[0], others) for others in probs)
        found[key] = Group([cell.seed for cell in by_key[key]], predictions, ece, alike, rare, classes)
    return found


def _asked(folder: Path, config: dict[str, Any], models: Sequence[str]) -> set[Cell]:
    """The cells of the grid, whether they are done or not."""
    strategies = split_list(config.get("strategies") or "") or [
        path.stem for path in (folder / "splits").glob("*.parquet")
    ]
    first = config.get("seed", 0)
    return {
        Cell(strategy, seed, model, setting)
        for setting in split_list(config.get("settings") or "")
        for strategy in ([BOOTSTRAP] if setting == BOOTSTRAP else strategies)
        for seed in range(first, first + config.get("seeds", 1))
        for model in models
    }


def _models(config: dict[str, Any], known: Collection[str]) -> list[str]:
    """By the names of the cells, also where a model's folder no longer stands where it did."""
    given = split_list(config.get("models") or "")
    return [name if (name := Path(model).name) in known else name_of(model) for model in given]


def _ordered(names: Any, first: Sequence[str]) -> list[str]:
    """Those that stand in `first` in its order, then the others by name."""
    return sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name))
