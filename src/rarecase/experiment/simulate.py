"""
Simulation: the loop with its labels hidden in a gold column, over strategies and seeds.

A grid folder holds the tables, their embeddings and the store of replies once; a cell holds only what it chose,
learned and predicted. Seed s draws the test set where there is none, the clustering, the strategy's draws and the
model.
"""

import functools
from dataclasses import replace
from pathlib import Path

from rarecase.acquire.find import find_strategy
from rarecase.acquire.strategy import Strategy
from rarecase.core.errors import ConfigError
from rarecase.core.locks import locked
from rarecase.core.processes import on_main
from rarecase.core.progress import doing, say
from rarecase.data.sets import Sets, draw_test, require_gold
from rarecase.experiment.cells import Cell, Found
from rarecase.experiment.grid import run_grid
from rarecase.labeling.gold import gold_annotator
from rarecase.runs import parts
from rarecase.runs.folder import Manifest, is_begun, refuse_used, stored_sets
from rarecase.runs.session import prepare, rounds, write_begun
from rarecase.settings.checks import check, require_out
from rarecase.settings.config import SimulateConfig, split_list, write_yaml
from rarecase.settings.generation import ENDPOINT_MAY_CHANGE

# A grid can grow by seeds and strategies; finished cells stay.
MAY_CHANGE = ("strategies", "seeds", *ENDPOINT_MAY_CHANGE, "out")


def simulate(config: SimulateConfig) -> Path:
    """Runs every strategy with every seed and gives the grid folder; the same call continues an unfinished grid."""
    check(config)
    out = require_out(config.out)
    names = split_list(config.strategies)
    if not names:
        raise ConfigError("--strategies is empty: expected names separated by commas, such as random,cluster")
    found = [find_strategy(name) for name in names]
    with locked(out, f"another process, which begins {out} or reads it"):
        _begin(out, config, found)
    sets = on_main(stored_sets, out)
    assert sets.gold is not None  # noqa: S101 - checked when the grid began
    annotator = gold_annotator(sets.gold, sets.taxonomy)  # which the main process alone asks
    drawn = functools.lru_cache(maxsize=1)(functools.partial(_drawn, sets, config))

    def run_cell(cell: Cell, place: Path) -> Found:
        say(f"{cell.strategy}, seed {cell.seed}")
        own = drawn(cell.seed)
        done = rounds(place, own, config, cell.strategy, cell.seed, annotator, out / "replies.sqlite")
        return Found(rounds=tuple(round_.record for round_ in done))

    seeds = range(config.seed, config.seed + config.seeds)
    run_grid(out, [Cell(name, seed) for seed in seeds for name in names], run_cell)
    return out


def _begin(out: Path, config: SimulateConfig, strategies: list[Strategy]) -> None:
    """Makes the grid folder, or makes sure that it was begun with the same."""
    if on_main(is_begun, out):
        on_main(_go_on, out, config)
    else:
        on_main(refuse_used, out)
        sets = on_main(_read, config)
        with doing("preparing models and texts"):
            vectors = prepare(config, sets, strategies)
        manifest = functools.partial(parts.manifest_of, kind="grid", config=config, may_change=MAY_CHANGE)
        on_main(write_begun, out, config, sets, vectors, manifest)
    on_main(write_yaml, out / "config.yaml", config)


def _go_on(out: Path, config: SimulateConfig) -> None:
    """Makes sure that the grid was begun with the same, strategies of the user's own too; notes those that are new."""
    manifest = Manifest.read(out, "grid")
    manifest.require_same(out, config, MAY_CHANGE, functools.partial(parts.inputs_of, config))
    code = parts.digests(parts.own_code_of(config))
    if code.keys() - manifest.inputs.keys():
        replace(manifest, inputs={**manifest.inputs, **code}).write(out)


def _read(config: SimulateConfig) -> Sets:
    draws = config.test is None and config.start is None
    if draws and config.test_size is None:
        raise ConfigError("--test is missing; give a labelled table, or --test-size N to draw it from the pool")
    sets = parts.sets_of(config, draws_test=draws)
    require_gold(sets.pool, sets.gold, "simulate", "have people label with rarecase run")
    parts.require_a_batch(draw_test(sets, config.test_size or 0, config.seed)[0] if draws else sets, config)
    return sets


def _drawn(sets: Sets, config: SimulateConfig, seed: int) -> Sets:
    if sets.test is not None:
        return sets
    drawn, dropped = draw_test(sets, config.test_size or 0, seed)
    say(f"seed {seed}: {config.test_size} drawn as test set, {len(drawn.pool)} left; {dropped}")
    return drawn
