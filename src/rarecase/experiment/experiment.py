"""
The paper's experiments: models learn from released splits, in several settings, over seeds.

    EXP/run.json  config.yaml  taxonomy.yaml  {bootstrap,dev,test}.parquet  splits/STRATEGY.parquet
    EXP/cells/MODEL-STRATEGY-SETTING-SEED/{predictions.parquet,cell.json}

A cell learns once and keeps its predictions, so that every figure is computed by the report. The setting `bootstrap`
reads no strategy and is run once for all of them. Where the data comes from simulations, each seed has its own test
set and splits, in `seeds/SEED/`.
"""

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets

from rarecase.core.errors import ConfigError, DataError, RarecaseError, RunFolderError, did_you_mean
from rarecase.core.files import digest, write_folder_beside
from rarecase.core.locks import locked
from rarecase.core.processes import on_main
from rarecase.core.progress import say
from rarecase.data.counts import class_counts
from rarecase.data.parquet import write_parquet
from rarecase.evaluate.predictions import predictions_of
from rarecase.experiment.cells import Cell, Found
from rarecase.experiment.grid import run_grid
from rarecase.experiment.splits import (
    BOOTSTRAP,
    SETTINGS,
    Splits,
    read_splits,
    split_names,
    stored_splits,
    strategies_of,
    train_parts,
    write_splits,
)
from rarecase.hub.ids import name_of
from rarecase.learn import make_learner
from rarecase.learn.hyperparameters import FitOptions
from rarecase.runs.folder import Input, Manifest, is_begun, refuse_used
from rarecase.runs.lengths import say_what_is_cut
from rarecase.runs.parts import digest_of_model, digests
from rarecase.settings.checks import check, require_out
from rarecase.settings.config import PAPERS_LENGTH, ExperimentConfig, split_list, write_yaml

# A grid can grow by models, strategies, settings and seeds; finished cells stay.
MAY_CHANGE = ("models", "strategies", "settings", "seeds", "leave_out_overlap", "shard", "out")


def experiment(config: ExperimentConfig) -> Path:
    """Runs every cell that is not done, also those that failed before, and gives the folder."""
    check(config)
    out = require_out(config.out)
    models, strategies = _models(config), on_main(strategies_of, config)
    cells = _shard(_cells(config, models, strategies), config.shard)
    with locked(out, f"another process, which begins {out} or reads it"):
        splits = on_main(_begin, out, config, models, strategies)
    run_grid(out, cells, _runner(splits, config, models), reason_of)
    return out


def _begin(out: Path, config: ExperimentConfig, models: dict[str, str], strategies: list[str]) -> Splits:
    """Makes the folder, or makes sure that it was begun with the same, and adds the splits that are new."""
    if is_begun(out):
        Manifest.read(out, "experiment").require_same(out, config, MAY_CHANGE, partial(_inputs, models))
        splits = _read_again(out, config, strategies)
    else:
        refuse_used(out)
        splits = read_splits(config, strategies)
        with write_folder_beside(out) as folder:
            write_splits(folder, splits)
            _mark(folder, config, models, splits.tables)
        splits = replace(splits, tables=stored_splits(out, splits.tables).tables)
    _mark(out, config, models, splits.tables)
    write_yaml(out / "config.yaml", config)
    return splits


def _cells(config: ExperimentConfig, models: Iterable[str], strategies: list[str]) -> list[Cell]:
    settings = split_list(config.settings)
    unknown = next((name for name in settings if name not in SETTINGS), None)
    if unknown is not None or not settings:
        raise ConfigError(
            f"--settings {config.settings!r}: expected any of {', '.join(SETTINGS)}, separated by commas"
            f"{did_you_mean(unknown or '', SETTINGS)}"
        )
    cells = cells_of(config, models, strategies)
    if len({cell.name for cell in cells}) < len(cells):
        raise ConfigError("--models and --strategies: two cells would have one name; rename a model's folder")
    return cells


def cells_of(config: ExperimentConfig, models: Iterable[str], strategies: list[str]) -> list[Cell]:
    """The cells of the grid, in the order in which they run."""
    return [
        Cell(strategy, seed, model, setting)
        for model in models
        for seed in range(config.seed, config.seed + config.seeds)
        for setting in split_list(config.settings)
        for strategy in ([BOOTSTRAP] if setting == BOOTSTRAP else strategies)
    ]


def _runner(splits: Splits, config: ExperimentConfig, models: dict[str, str]) -> Callable[[Cell, Path], Found]:
    """The function that runs a cell; what is computed once per text is kept for the other cells of the same model."""
    names, options = splits.taxonomy.names, FitOptions.of(config)
    if config.learner == "finetune" and config.max_length is None:
        options = replace(options, max_length=PAPERS_LENGTH)

    @functools.lru_cache(maxsize=1)
    def loaded(model: str) -> tuple[Any, Callable[[str], Dataset]]:
        learner = make_learner(config.learner, models[model], names, options, seed=config.seed)
        say_what_is_cut(learner, splits.tables.values(), model)
        return learner.encoder, functools.cache(lambda name: learner.prepare(splits.tables[name]))

    def run_cell(cell: Cell, place: Path) -> Found:
        model, setting, seed = str(cell.model), str(cell.setting), cell.seed
        say(f"{model}, {cell.strategy}, {setting}, seed {seed}")
        start, dev, test = (splits.shared(name, seed) for name in (BOOTSTRAP, "dev", "test"))
        split = start if setting == BOOTSTRAP else splits.acquired(cell.strategy, seed)
        encoder, table = loaded(model)
        own = replace(options, class_weights="balanced") if setting == "human+weights" else options
        learner = make_learner(config.learner, models[model], names, own, seed=seed, encoder=encoder)
        parts = train_parts(table(start), table(split), setting, seed)
        train = concatenate_datasets([learner.prepare(part) for part in parts])
        learner = learner.fit(train, table(dev))
        scored = {name: learner.score(table(key)) for name, key in (("dev", dev), ("test", test))}
        on_main(write_parquet, place / "predictions.parquet", predictions_of(scored))
        settings = learner.describe().settings
        return Found(train_rows=len(train), class_counts=class_counts(train, names), fit=settings)

    return run_cell


def reason_of(error: Exception) -> str | None:
    """One line for an error that can occur in one cell and not in the next; None for an unexpected one."""
    if any(map(_is_of_memory, (error, error.__cause__))):
        return "out of memory; give a smaller model, or run this cell on a larger machine (--shard)"
    return " ".join(str(error).split()) if isinstance(error, RarecaseError) else None


def _is_of_memory(error: BaseException | None) -> bool:
    """torch has a type of error for a GPU, and none for a processor."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error).lower())


def _mark(folder: Path, config: ExperimentConfig, models: dict[str, str], tables: Iterable[str]) -> None:
    """Records, last of all, what the cells read, so that no later call continues with anything else."""
    settings = {name: value for name, value in asdict(config).items() if name not in MAY_CHANGE}
    held = {name: digest([folder / f"{name}.parquet"]) for name in sorted(tables)}
    known = Manifest.read(folder, "experiment").models if is_begun(folder) else {}
    now = digests(_inputs(models))
    taxonomy = digest([folder / "taxonomy.yaml"])
    Manifest("experiment", settings=settings, taxonomy=taxonomy, tables=held, models={**known, **now}).write(folder)


def _inputs(models: dict[str, str]) -> dict[str, Input]:
    """The models that are folders now: whose cells are done may have moved away."""
    found = {name: Input(f"the model {model}", digest_of_model(model)) for name, model in models.items()}
    return {name: model for name, model in found.items() if model.digest is not None}


def _read_again(out: Path, config: ExperimentConfig, strategies: list[str]) -> Splits:
    """
    The stored splits, which must be those that the data still holds, and those that are new or were refused before.

    Where the data is gone, the stored ones are all that there is, if no cell needs more.
    """
    stored = stored_splits(out, Manifest.read(out, "experiment").tables)
    try:
        read = read_splits(config, strategies)
    except DataError:
        is_there = any(Path(source).exists() for source in split_list(config.data or ""))
        if is_there or not stored.tables.keys() >= set(split_names(config, strategies)):
            raise
        say(f"warning: --data {config.data} cannot be read any more; going on with the stored copy")
        return stored
    for name, table in stored.tables.items():
        if name in read.tables and read.tables[name].to_dict() != table.to_dict():
            raise RunFolderError(
                f"{out}: what --data {config.data} holds is not what it was begun with ({name}); put that back, or "
                "begin anew in another --out"
            )
    added = {name: table for name, table in read.tables.items() if name not in stored.tables}
    if added:
        write_splits(out, replace(stored, tables=added))
    return replace(stored, tables={**stored.tables, **added}, refused=read.refused)


def _models(config: ExperimentConfig) -> dict[str, str]:
    """The models by the name that is published, which must be different for each."""
    given = split_list(config.models)
    models = {name_of(model): model for model in given}
    if len(models) < len(given) or not given:
        raise ConfigError(f"--models {config.models!r}: expected models with different names, separated by commas")
    return models


def _shard(cells: list[Cell], shard: str | None) -> list[Cell]:
    if shard is None:
        return cells
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard, re.ASCII)
    place, parts = map(int, found.groups()) if found else (0, 0)
    if not 1 <= place <= parts:
        raise ConfigError(f"--shard {shard}: expected I/N with I from 1 to N, such as 1/4")
    return cells[place - 1 :: parts]
