"""
What an experiment learns from: the start set and the acquired splits of a release, in one reading of their labels, or
what the cells of simulations acquired.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from datasets import Dataset

from rarecase.core.errors import ConfigError, DataError, RarecaseError, did_you_mean, listed
from rarecase.data.arrow import rows, with_column
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.read import read_argument, row_of
from rarecase.data.read.hub import configs_of
from rarecase.data.read.origin import release_of
from rarecase.data.release import ALL
from rarecase.data.schema import GENERATED, conform
from rarecase.data.sets import with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.experiment.acquisitions import acquired_by, acquired_in, grids_of, sets_of
from rarecase.generate.cheap import Cheap
from rarecase.runs.train import classes_of, learned_from
from rarecase.settings.config import ExperimentConfig, split_list

BOOTSTRAP, HUMAN, BEST = "bootstrap", "human", "human+llm"
SETTINGS = (BOOTSTRAP, HUMAN, BEST, "human+weights", "human+cheap")  # in the order of the tables
SHARED = (BOOTSTRAP, "dev", "test")
VARIATIONS = 5  # of each text that people labelled, for `human+cheap`: as many as the paper's language model wrote


@dataclass(frozen=True)
class Splits:
    """
    The tables of an experiment by the name of their file, and for each that cannot be learned from the reason.

    Of a release these are `bootstrap`, `dev`, `test` and `splits/STRATEGY`; of simulations each seed has its own test
    set and splits, `seeds/SEED/test` and `seeds/SEED/STRATEGY`.
    """

    taxonomy: Taxonomy
    tables: dict[str, Dataset]
    refused: dict[str, str]

    def shared(self, name: str, seed: int) -> str:
        """The name of the start set, dev or test for the cells of a seed."""
        return self._there(name, f"seeds/{seed}/{name}")

    def acquired(self, strategy: str, seed: int) -> str:
        """The name of what was acquired by a strategy."""
        return self._there(split_name(strategy), split_name(strategy, seed))

    def _there(self, *names: str) -> str:
        found = next((name for name in names if name in self.tables), None)
        if found is None:
            raise DataError(next(self.refused[name] for name in names if name in self.refused))
        return found


def split_name(strategy: str, seed: int | None = None) -> str:
    """The name of an acquired split, of all seeds or of one, such as `splits/cluster`."""
    file = strategy.replace("/", "--").replace(":", ".")
    return f"splits/{file}" if seed is None else f"seeds/{seed}/{file}"


def strategies_of(config: ExperimentConfig) -> list[str]:
    """The requested configs; without a request all of the data except `bootstrap`."""
    data = _data(config)
    if config.strategies is not None:
        names = split_list(config.strategies)
    elif grids := grids_of(data):
        names = list(acquired_by(grids))
    else:
        names = [name for name in configs_of(data) if name not in (BOOTSTRAP, ALL)]
    if not names or {BOOTSTRAP, ALL} & set(names):
        raise ConfigError(
            f"--strategies {config.strategies or ''}: expected configs of the data, such as cluster, separated by "
            f"commas, without {BOOTSTRAP}, which all of them start from, and {ALL}, which is all of them"
        )
    return names


def split_names(config: ExperimentConfig, strategies: Iterable[str]) -> list[str]:
    """The names of all acquired splits that the cells read."""
    seeds: list[int | None] = [None]
    if grids_of(_data(config)):
        seeds = list(range(config.seed, config.seed + config.seeds))
    return [split_name(strategy, seed) for strategy in strategies for seed in seeds]


def read_splits(config: ExperimentConfig, strategies: Iterable[str]) -> Splits:
    """Reads and checks the splits; one that cannot be learned from is refused, and does not stop the others."""
    grids = grids_of(_data(config))
    return _of_grids(config, grids, strategies) if grids else _of_release(config, strategies)


def write_splits(folder: Path, splits: Splits) -> None:
    """Writes what the cells read."""
    splits.taxonomy.save(folder / "taxonomy.yaml")
    for name, table in splits.tables.items():
        write_parquet(folder / f"{name}.parquet", table)


def stored_splits(folder: Path, names: Iterable[str]) -> Splits:
    """The tables of these names that `write_splits` wrote."""
    tables = {name: read_parquet(folder / f"{name}.parquet") for name in names}
    return Splits(Taxonomy.load(folder / "taxonomy.yaml"), tables, {})


def train_parts(start: Dataset, split: Dataset, setting: str, seed: int) -> list[Dataset]:
    """The training rows of a cell, table by table; `split` is not read in the setting `bootstrap`."""
    if setting == BOOTSTRAP:
        return [start]
    generated = [origin == GENERATED for origin in split["origin"][:]]
    if setting == BEST and not any(generated):
        raise DataError("no variations to learn from; leave human+llm out of --settings, or this strategy out")
    if setting == BEST:
        return [start, split]
    human = rows(split, [row for row, made in enumerate(generated) if not made])
    cheap = [Cheap(seed=seed).generate(human, VARIATIONS)] if setting == "human+cheap" else []
    return [start, human, *cheap]


def _of_release(config: ExperimentConfig, strategies: Iterable[str]) -> Splits:
    data = _data(config)
    raw = {name: read_argument(f"{data}:{BOOTSTRAP}", name) for name in SHARED}
    taxonomy = classes_of(data, BOOTSTRAP, raw.values())

    def classed(name: str, config_name: str, table: Dataset) -> Dataset:
        return with_classes(table, taxonomy, partial(row_of, f"{data}:{config_name}", name, "label"))

    tables, refused = {name: classed(name, BOOTSTRAP, table) for name, table in raw.items()}, {}
    for strategy in strategies:
        try:
            split = learned_from(
                data, strategy, classed("train", strategy, read_argument(f"{data}:{strategy}", "train"))
            )
            tables[split_name(strategy)] = _in_reading(split, strategy, config)
        except RarecaseError as error:
            if strategy not in configs_of(data):
                raise ConfigError(f"--strategies {strategy}: {error}") from None
            refused[split_name(strategy)] = str(error)
    return Splits(taxonomy, tables, refused)


def _of_grids(config: ExperimentConfig, grids: list[Path], strategies: Iterable[str]) -> Splits:
    """The splits of each seed; all grids must have the same test set."""
    if config.reading is not None:
        raise ConfigError("--reading: the labels of a simulation have one reading only; leave it out")
    if config.leave_out_overlap:
        raise ConfigError("--leave-out-overlap: no test text of a simulation is in its pool; leave this flag out")
    taxonomy, known = Taxonomy.load(grids[0] / "taxonomy.yaml"), acquired_by(grids)
    unknown = next((strategy for strategy in strategies if strategy not in known), None)
    if unknown is not None:
        there = listed(known) or "no finished cell"
        raise ConfigError(f"--strategies {unknown}: the grids have {there}{did_you_mean(unknown, known)}")
    tables: dict[str, Dataset] = {}
    refused: dict[str, str] = {}
    for seed in range(config.seed, config.seed + config.seeds):
        for grid in grids:
            sets = sets_of(grid, seed)
            for name in SHARED:
                key = f"seeds/{seed}/{name}" if name == "test" else name
                shared = conform(getattr(sets, name), sets.taxonomy.names)
                if tables.setdefault(key, shared).to_dict() != shared.to_dict():
                    raise DataError(
                        f"--data: {grids[0]} and {grid} have other {name} sets; give grids of the same tables and "
                        "--test-size"
                    )
        for strategy in strategies:
            try:
                tables[split_name(strategy, seed)] = acquired_in(*known[strategy], seed)
            except RarecaseError as error:
                refused[split_name(strategy, seed)] = str(error)
    acquired = [tables[name] for name in split_names(config, strategies) if name in tables]
    varied = any(GENERATED in table["origin"][:] for table in acquired)
    if BEST in split_list(config.settings) and acquired and not varied:
        raise ConfigError(f"--settings {BEST}: these simulations made no variations; give --settings {HUMAN}")
    return Splits(taxonomy, tables, refused)


def _in_reading(split: Dataset, strategy: str, config: ExperimentConfig) -> Dataset:
    """The split with the labels of the requested reading; those of the other are in the column `reading`."""
    if config.reading is None:
        return split
    release = release_of(_data(config))
    known = release.configs.get(strategy) if release else None
    own = known.acquired.get("reading") if known and known.acquired else None
    if own is None:
        raise DataError(f"{strategy}: its labels have one reading only; leave --reading out")
    if own == config.reading:
        return split
    labels, others = split["label"][:], split["reading"][:]
    read = [label if other is None else other for label, other in zip(labels, others, strict=True)]
    other_way = [None if other is None else label for label, other in zip(labels, others, strict=True)]
    feature = split.features["label"]
    return with_column(with_column(split, "label", read, feature), "reading", other_way, feature)


def _data(config: ExperimentConfig) -> str:
    if config.data is None:
        raise ConfigError(
            "--data is missing: a release folder (rarecase import-published, or the data/ of a run), a data set of "
            "the Hub, or folders of rarecase simulate"
        )
    return config.data
