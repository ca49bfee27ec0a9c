"""What the cells of an experiment predicted, as one tidy frame: a row per cell, measure and class."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from datasets import Dataset

from rarecase.core.errors import DataError
from rarecase.data.arrow import require, rows
from rarecase.data.counts import class_counts, rarest_classes
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import texts
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.metrics import expected_calibration_error
from rarecase.experiment import paper
from rarecase.experiment.cells import Cell, Predictions, read_cells, read_predictions, unreadable
from rarecase.experiment.experiment import cells_of
from rarecase.experiment.splits import BOOTSTRAP, SETTINGS
from rarecase.hub.ids import name_of
from rarecase.report.compare import BySeed
from rarecase.report.intervals import RESAMPLES, resampled_counts, resampled_figures
from rarecase.report.measures import Measure, frame_of
from rarecase.settings.config import ExperimentConfig, read_config, split_list

BASELINE = "random"
# The order in which tables show them; a strategy of one's own comes after.
_STRATEGIES = (BOOTSTRAP, BASELINE, "topn", "entropy", "coreset", "cluster")


class Key(NamedTuple):
    """What the cells of one group have in common; they differ in their seeds."""

    setting: str
    strategy: str
    model: str


@dataclass(frozen=True)
class Results:
    """An experiment as far as it is done."""

    folder: Path
    config: ExperimentConfig
    names: list[str]
    test: Dataset  # the rows that are measured on, in the order of the predictions
    overlap: int  # how many test rows have a text that is in a training set too
    left_out: int  # how many of them are not measured on: all or none
    groups: dict[Key, dict[int, Predictions]]  # of the cells that are done, by seed
    failed: dict[Cell, str]
    missing: int  # cells that are asked for and have not been run

    @property
    def rare(self) -> list[str]:
        """The rarest classes of the test rows."""
        return rarest_classes(class_counts(self.test, self.names))

    @property
    def seeds(self) -> list[int]:
        """All seeds with a cell that is done."""
        return sorted({seed for group in self.groups.values() for seed in group})

    @property
    def settings(self) -> list[str]:
        """Those with a cell that is done, in the order of the tables."""
        return list(dict.fromkeys(key.setting for key in self.groups))

    @property
    def strategies(self) -> list[str]:
        """Those with a cell that is done, in the order of the tables."""
        return [s for s in dict.fromkeys(key.strategy for key in self.groups) if s != BOOTSTRAP]

    @property
    def models(self) -> list[str]:
        """Those with a cell that is done, in the order of the settings."""
        return list(dict.fromkeys(key.model for key in self.groups))

    def deterministic(self, key: Key) -> bool:
        """Whether several seeds gave the same probabilities: they say no more than one does."""
        first, *others = (cell.probs for cell in self.groups[key].values())
        return bool(others) and all(np.array_equal(first, probs) for probs in others)

    @property
    def in_paper(self) -> bool:
        """Whether the paper has figures for these classes."""
        return paper.has_figures_for(self.names)

    @cached_property
    def splits(self) -> dict[str, Dataset]:
        """By strategy, the rows that were acquired."""
        found = {path.stem: read_parquet(path) for path in (self.folder / "splits").glob("*.parquet")}
        return {name: found[name] for name in _ordered(found, _STRATEGIES)}

    @cached_property
    def measures(self) -> pd.DataFrame:
        """The scores of all cells that are done, see `Measure`."""
        rare = [self.names.index(name) for name in self.rare]
        found = []
        for key, cells in self.groups.items():
            figures = resampled_figures(resampled_counts(list(cells.values()), len(self.names)), rare)
            for place, (seed, cell) in enumerate(cells.items()):
                ece = np.full(1 + RESAMPLES, expected_calibration_error(cell.labels, cell.probs))
                for measure, values in {**{name: of[place] for name, of in figures.items()}, "ece": ece}.items():
                    by_class = zip(self.names, values.T, strict=True) if values.ndim == 2 else [("", values)]
                    found += [
                        Measure(key.strategy, seed, measure, array[0], array, label, key.setting, key.model)
                        for label, array in by_class
                    ]
        return frame_of(found)

    @cached_property
    def macro_f1(self) -> dict[Key, BySeed]:
        """Macro-F1 of each group by seed, for comparisons."""
        found = self.measures[self.measures["measure"] == "macro_f1"]
        return {
            Key(*key): pd.DataFrame(np.stack(group["resampled"]), index=group["seed"])
            for key, group in found.groupby(list(Key._fields), sort=False)
        }


def read_results(folder: Path) -> Results:
    """Reads what is done of an experiment; raises `DataError` where no test row is left to measure on."""
    config = ExperimentConfig(**read_config(folder, ExperimentConfig))
    names = list(Taxonomy.load(folder / "taxonomy.yaml").names)
    test = read_parquet(folder / "test.parquet")
    require(test, "id", "text", "label")
    test = rows(test, np.argsort(np.array(test["id"][:]), kind="stable"))
    trained = [folder / "bootstrap.parquet", *(folder / "splits").glob("*.parquet")]
    known = {text for path in trained for text in texts(read_parquet(path))}
    apart = np.array([text not in known for text in texts(test)], dtype=bool)
    kept = np.flatnonzero(apart) if config.leave_out_overlap else np.arange(len(test))
    if not len(kept):
        raise DataError(f"{folder}: every test text is in a training set too; leave --leave-out-overlap out")
    cells = read_cells(folder)
    models = _models(config, {cell.model or "" for cell in cells})
    strategies = split_list(config.strategies or "") or [path.stem for path in (folder / "splits").glob("*.parquet")]
    return Results(
        folder=folder,
        config=config,
        names=names,
        test=rows(test, kept),
        overlap=int((~apart).sum()),
        left_out=len(test) - len(kept),
        groups=_groups(folder, [c for c, found in cells.items() if found.error is None], len(test), kept, models),
        failed={cell: found.error for cell, found in cells.items() if found.error is not None},
        missing=len(set(cells_of(config, models, strategies)) - set(cells)),
    )


def _groups(
    folder: Path, done: Iterable[Cell], size: int, kept: np.ndarray, models: Sequence[str]
) -> dict[Key, dict[int, Predictions]]:
    """The predictions of each group for the kept of so many test rows by seed, in the order of the tables."""
    found: dict[Key, dict[int, Predictions]] = {}
    for cell in sorted(done, key=lambda cell: cell.seed):
        key = Key(cell.setting or "", cell.strategy, cell.model or "")
        predictions = read_predictions(path := cell.folder(folder) / "predictions.parquet")
        if len(predictions.ids) != size:
            raise unreadable(path)
        found.setdefault(key, {})[cell.seed] = predictions.at(kept)
    settings, strategies, tested = (
        _ordered({key[place] for key in found}, first) for place, first in enumerate((SETTINGS, _STRATEGIES, models))
    )

    def place(key: Key) -> tuple[int, int, int]:
        return settings.index(key.setting), strategies.index(key.strategy), tested.index(key.model)

    return {key: found[key] for key in sorted(found, key=place)}


def _models(config: ExperimentConfig, known: Collection[str]) -> list[str]:
    """By the names of the cells, also where a model's folder no longer stands where it did."""
    return [name if (name := Path(model).name) in known else name_of(model) for model in split_list(config.models)]


def _ordered(names: Iterable[str], first: Sequence[str]) -> list[str]:
    """Those in `first` in its order, then the others by name."""
    return sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name))
