"""The report of a simulation: learning curves, what each strategy found of each class, and differences to `random`."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from rarecase.data.counts import cost_per, rarest
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.record import RoundRecord
from rarecase.experiment.cells import Cell, Predictions, read_cells, read_predictions
from rarecase.report.intervals import (
    interval_over_seeds,
    mean_and_interval,
    notes_on_seeds,
    resampled_f1,
    resampled_macro_f1,
)
from rarecase.report.measures import Measure, frame_of, intervals_of, means_of
from rarecase.report.results import BASELINE
from rarecase.report.run import notes_on_rarest
from rarecase.report.tables import Columns, Row, Table, counts_of, interval_at, number_at
from rarecase.runs.folder import RoundFiles

Rounds = dict[Cell, tuple[RoundRecord, ...]]

LEGEND = (
    "std: the standard deviation of the class counts; 0 where every class has as many. interval: 95 %, over resampled "
    "seeds and test rows. to random: macro-F1 minus that of random, paired. labels each: the labels that one text of "
    "the rarest class took."
)


class GridReport(TypedDict):
    """
    The report of a simulation. Of each strategy: the number of its `runs`, its `curve`, the `final` means, the rows
    that were labelled of each class (`found`), the `difference` to `random`, and the labels per example of the rarest
    class (`cost_per_rare`): None where none was found, as is the upper end of its interval where seeds can be drawn
    that found none. Intervals that depend on no test row are None for one seed.
    """

    kind: str
    classes: list[str]
    test_class_counts: dict[str, int] | None  # of the first seed, where each draws its own test set
    rarest: str | None
    seeds: list[int]
    notes: list[str]
    strategies: dict[str, Row]


def report_of_grid(grid: Path) -> GridReport:
    """The report of a simulation; strategies are compared on the seeds that all of them have."""
    done = {cell: found.rounds for cell, found in read_cells(grid).items() if found.rounds}
    names = Taxonomy.load(grid / "taxonomy.yaml").names
    test = _test_counts(grid, min(done, key=lambda cell: cell.seed), names) if done else None
    by_strategy: dict[str, Rounds] = {}
    for cell in sorted(done, key=lambda cell: (cell.strategy != BASELINE, cell.strategy, cell.seed)):
        by_strategy.setdefault(cell.strategy, {})[cell] = done[cell]
    seeds = [{cell.seed for cell in cells} for cells in by_strategy.values()]
    common = set.intersection(*seeds) if seeds else set()
    # Resampled anew for these seeds: where each has its own test set, the resamples go by its position among them.
    final = {
        strategy: resampled_macro_f1(
            [_predictions(grid, cell, rounds[-1].round) for cell, rounds in cells.items() if cell.seed in common],
            len(names),
        )
        for strategy, cells in by_strategy.items()
    }
    least = rarest(test) if test else ""
    strategies: dict[str, Row] = {}
    for strategy, cells in by_strategy.items():
        own = final[strategy] if strategy != BASELINE and common else None
        difference = None if own is None or BASELINE not in final else own - final[BASELINE]
        strategies[strategy] = _strategy(grid, cells, names, least, difference)
    return {
        "kind": "grid",
        "classes": list(names),
        "test_class_counts": test,
        "rarest": least or None,
        "seeds": sorted({cell.seed for cell in done}),
        "notes": [*_notes_on_runs(by_strategy, common), *(notes_on_rarest(least, test[least]) if test else ())],
        "strategies": strategies,
    }


def _notes_on_runs(by_strategy: Mapping[str, Rounds], common: Collection[int]) -> Iterator[str]:
    """That means are of different runs, where a grid was stopped, or has grown; and that they are few."""
    every = len({cell.seed for cells in by_strategy.values() for cell in cells})
    fewer = [f"{name} has {len(cells)} of {every} runs" for name, cells in by_strategy.items() if len(cells) < every]
    if fewer:
        compared = "differences over the seeds that all have" if common else "and no seed is one that all have"
        yield f"{', '.join(fewer)}: the means of each strategy are over its own, {compared}."
    if by_strategy:
        yield from notes_on_seeds(len(common) or min(map(len, by_strategy.values())))


def _predictions(grid: Path, cell: Cell, number: int) -> Predictions:
    return read_predictions(RoundFiles(cell.folder(grid)).path(number, "predictions.parquet"))


def _test_counts(grid: Path, cell: Cell, names: Sequence[str]) -> dict[str, int]:
    counted = np.bincount(_predictions(grid, cell, 0).labels, minlength=len(names))
    return dict(zip(names, counted.tolist(), strict=True))


def _strategy(
    grid: Path, cells: Rounds, names: Sequence[str], least: str, difference: np.ndarray | None
) -> dict[str, object]:
    rounds = range(min(map(len, cells.values())))
    curve = [_point(number, frame_of(_measures(grid, cells, number, names)), names) for number in rounds]
    last = frame_of(_measures(grid, cells, -1, names))
    means, f1 = means_of(last), intervals_of(last[last["measure"] == "f1"])
    by_seed = {of: values.to_numpy() for of, values in last.groupby(["measure", "label"], sort=False)["value"]}
    report: dict[str, object] = {
        "runs": len(cells),
        "curve": curve,
        "final": {
            **{name: value for name, value in curve[-1].items() if name != "round"},
            "f1_interval": {name: f1["f1", name][1] for name in names},
        },
        "found": {name: means["found", name] for name in names},
        "found_interval": {name: interval_over_seeds(by_seed["found", name]) for name in names},
    }
    if difference is not None:
        mean, spread = mean_and_interval(difference)
        report["difference"] = {"macro_f1": mean, "macro_f1_interval": spread, "to": BASELINE}
    # The seeds together, since one of them may have found none.
    labels, rare = by_seed["labels", ""], by_seed["found", least]
    report["cost_per_rare"] = cost = cost_per(labels.sum(), rare.sum())
    share = interval_over_seeds(rare / np.maximum(labels, 1)) if cost is not None else None
    report["cost_per_rare_interval"] = share and [cost_per(1, end) for end in reversed(share)]
    return report


def _measures(grid: Path, cells: Rounds, number: int, names: Sequence[str]) -> Iterator[Measure]:
    """What the cells of one strategy measured in a round, or in the last one of each (-1)."""
    records = {cell: rounds[number] for cell, rounds in cells.items()}
    f1 = resampled_f1([_predictions(grid, cell, record.round) for cell, record in records.items()], len(names))
    for (cell, record), by_class in zip(records.items(), f1, strict=True):
        measure = partial(Measure, cell.strategy, cell.seed, round=record.round)
        macro_f1 = 100 * by_class.mean(axis=1)
        yield measure("macro_f1", macro_f1[0], macro_f1)
        yield measure("accuracy", record.test["accuracy"])
        yield measure("labels", record.labels)
        yield measure("class_count_std", record.class_count_std)
        for name, resampled in zip(names, by_class.T, strict=True):
            yield measure("f1", record.test["f1"][name], 100 * resampled, label=name)
            yield measure("class_counts", record.class_counts[name], label=name)
            yield measure("found", record.found[name], label=name)


def _point(number: int, found: pd.DataFrame, names: Sequence[str]) -> Row:
    means = means_of(found)
    macro_f1, spread = intervals_of(found[found["measure"] == "macro_f1"])["macro_f1", ""]
    return {
        "round": number,
        "labels": means["labels", ""],
        "macro_f1": macro_f1,
        "macro_f1_interval": spread,
        "accuracy": means["accuracy", ""],
        "f1": {name: means["f1", name] for name in names},
        "class_counts": {name: means["class_counts", name] for name in names},
        "class_count_std": means["class_count_std", ""],
    }


def curves_table(report: GridReport) -> Table:
    """A row per strategy and round: means over the seeds, with the interval of macro-F1."""
    least = str(report["rarest"])
    columns: Columns = [
        ("strategy", lambda row: row["strategy"] if row["round"] == 0 else ""),
        ("round", lambda row: row["round"]),
        ("labels", number_at("labels", form=".0f")),
        *counts_of(report["test_class_counts"] or {}),
        ("std", number_at("class_count_std")),
        ("test F1", number_at("macro_f1")),
        ("interval", interval_at("macro_f1_interval", between="-")),
        (f"F1 {least}", number_at("f1", least)),
    ]
    rows = [{"strategy": name, **point} for name, found in report["strategies"].items() for point in found["curve"]]
    return Table.of(rows, columns, keys=2)


def differences_table(report: GridReport) -> Table:
    """A row per strategy at the end: macro-F1, its paired difference to `random`, the rarest class and its labels."""
    least = str(report["rarest"])
    columns: Columns = [
        ("strategy", lambda row: row["strategy"]),
        ("labels", number_at("final", "labels", form=".0f")),
        ("test F1", number_at("final", "macro_f1")),
        ("interval", interval_at("final", "macro_f1_interval")),
        ("to random", number_at("difference", "macro_f1", form="+.1f")),
        ("interval", interval_at("difference", "macro_f1_interval", form="+.1f")),
        (f"F1 {least}", number_at("final", "f1", least)),
        (f"{least} found", number_at("found", least)),
        ("interval", interval_at("found_interval", least)),
        ("labels each", number_at("cost_per_rare")),
    ]
    return Table.of([{"strategy": name, **found} for name, found in report["strategies"].items()], columns)
