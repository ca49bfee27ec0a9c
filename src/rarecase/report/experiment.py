"""The report of an experiment: Tables 3 to 6, 8 and Figure 3 beside the paper's, with seeds, intervals and tests."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd

from rarecase.core.errors import ConfigError, did_you_mean, listed
from rarecase.data.counts import class_count_std, class_counts, rarest
from rarecase.data.parquet import read_parquet
from rarecase.evaluate.confusion import DRAWN, drawn_errors, pairs
from rarecase.experiment import paper
from rarecase.experiment.splits import BEST, BOOTSTRAP, HUMAN
from rarecase.report.compare import BySeed, averaged, compared
from rarecase.report.intervals import ENOUGH
from rarecase.report.measures import intervals_of
from rarecase.report.results import BASELINE, Key, Results, read_results
from rarecase.report.tables import Row

ALL = "all"  # the mean over all models, or over all strategies
MEANS = (*paper.FIGURES, "rare_recall", "rare_f1", "error_std")
BY_CLASS = ("recall", "f1")
TABLES = {BOOTSTRAP: "table4", HUMAN: "table5", BEST: "table6"}
# The comparisons of settings: what labels add, what variations add to them, and whether cheaper means add as much.
_QUESTIONS = (
    (HUMAN, BOOTSTRAP),
    (BEST, BOOTSTRAP),
    (BEST, HUMAN),
    ("human+weights", HUMAN),
    ("human+cheap", HUMAN),
    (BEST, "human+weights"),
    (BEST, "human+cheap"),
)


class ExperimentReport(TypedDict):
    """What an experiment says so far; metrics in percent, means over seeds, intervals as `[low, high]`."""

    kind: str
    classes: list[str]
    rarest: str
    rarest_classes: list[str]
    seeds: list[int]
    settings: list[str]
    strategies: list[str]
    models: list[str]
    reading: str | None
    test_rows: int
    overlap: int
    left_out: int
    cells: dict[str, int]
    failed: list[Row]
    table3: Row
    table4: list[Row]  # a row per strategy and model, as in the three that follow
    table5: list[Row]
    table6: list[Row]
    arms: list[Row]  # of the other settings
    table8: list[Row]  # of the setting with variations, or of the last one where there is none
    figure3: Row | None  # drawn errors by class pair, of one trained model per strategy as in the paper
    confusions: Row | None  # all errors
    differences: dict[str, list[Row]]
    transfer: list[Row] | None
    paper: Row | None
    notes: list[str]  # sentences for the reader


def report_of_experiment(results: Results | Path, *, model: str | None = None) -> ExperimentReport:
    """The report so far, with the errors of `model`, by default that of the highest macro-F1 with variations."""
    if isinstance(results, Path):
        results = read_results(results)
    known = results.in_paper
    by_key = {Key(*key): found for key, found in results.measures.groupby(list(Key._fields), sort=False)}
    rows = [_row(key, found, results) for key, found in by_key.items()]
    by_setting = {setting: [row for row in rows if row["setting"] == setting] for setting in results.settings}
    shown = next((s for s in (BEST, HUMAN) if s in by_setting), (results.settings or [BEST])[-1])
    best = _best(results, by_setting.get(shown, []), model)
    return {
        "kind": "experiment",
        "classes": results.names,
        "rarest": rarest(class_counts(results.test, results.names)),
        "rarest_classes": results.rare,
        "seeds": results.seeds,
        "settings": results.settings,
        "strategies": results.strategies,
        "models": results.models,
        "reading": results.config.reading,
        "test_rows": len(results.test),
        "overlap": results.overlap,
        "left_out": results.left_out,
        "cells": {
            "done": sum(map(len, results.groups.values())),
            "failed": len(results.failed),
            "missing": results.missing,
        },
        "failed": [
            {"setting": c.setting, "strategy": c.strategy, "model": c.model, "seed": c.seed, "error": reason}
            for c, reason in results.failed.items()
        ],
        "table3": _table3(results),
        "table4": by_setting.get(BOOTSTRAP, []),
        "table5": by_setting.get(HUMAN, []),
        "table6": by_setting.get(BEST, []),
        "arms": [row for row in rows if row["setting"] not in (BOOTSTRAP, HUMAN, BEST)],
        "table8": [_table8(row, known) for row in by_setting.get(shown, [])],
        "figure3": best and _figure3(results, best),
        "confusions": best and _confusions(results, best),
        "differences": {
            "strategies": _tested(_strategy_pairs(results)),
            "settings": _tested(_setting_pairs(results)),
        },
        "transfer": _transfer(results),
        "paper": {"citation": paper.CITATION, "contradictions": list(paper.CONTRADICTIONS)} if known else None,
        "notes": list(_notes(results)),
    }


def _row(key: Key, found: pd.DataFrame, results: Results) -> Row:
    """The means over seeds of a group, with their intervals."""
    seeds, deterministic = list(results.groups[key]), results.deterministic(key)
    means = intervals_of(found[found["measure"] != "precision"])
    row: dict[str, object] = {**key._asdict(), "seeds": seeds, "deterministic": deterministic}
    for name in MEANS:
        row[name], row[f"{name}_interval"] = means[name, ""]
    row["ece"], between_seeds = means["ece", ""]
    row["ece_interval"] = None if deterministic or len(seeds) == 1 else between_seeds
    for name in BY_CLASS:
        row[name] = {label: means[name, label][0] for label in results.names}
        row[f"{name}_interval"] = {label: means[name, label][1] for label in results.names}
    return {**row, "paper": paper.figures(key.strategy, key.model, key.setting) if results.in_paper else None}


def _table3(results: Results) -> Row:
    """Human labels and variations of every split, without the start set, as in the paper."""
    shared = {name: read_parquet(results.folder / f"{name}.parquet") for name in (BOOTSTRAP, "dev")}
    sets = {**results.splits, **shared, "test": results.test}
    counts = {name: class_counts(table, results.names) for name, table in sets.items()}
    known = results.in_paper
    return {
        "class_counts": counts,
        "class_count_std": {name: class_count_std(counts[name]) for name in results.splits},
        "paper": {name: paper.class_counts(name) for name in sets} if known else None,
        "paper_std": {name: paper.class_count_std(name) for name in results.splits} if known else None,
    }


def _table8(row: Row, known: bool) -> Row:
    names = ("setting", "strategy", "model", "seeds", "deterministic", "error_std", "error_std_interval")
    figure = paper.error_std(row["strategy"], row["model"], row["setting"]) if known else None
    return {**{name: row[name] for name in names}, "paper": figure}


def _best(results: Results, rows: Sequence[Row], model: str | None) -> Key | None:
    """The group of the highest macro-F1, of one model or of all."""
    if model is not None and model not in results.models:
        hint = did_you_mean(model, results.models)
        raise ConfigError(f"--model {model}: no cell of it is done; there are {listed(results.models)}{hint}")
    rows = [row for row in rows if model in (None, row["model"])]
    best = max(rows, key=lambda row: row["macro_f1"], default=None)
    return None if best is None else Key(best["setting"], best["strategy"], best["model"])


def _beside(results: Results, best: Key) -> dict[str, Key]:
    """By strategy, the groups of the same model and setting."""
    return {key.strategy: key for key in results.groups if (key.setting, key.model) == (best.setting, best.model)}


def _figure3(results: Results, best: Key) -> Row:
    drawn = {}
    for strategy, key in _beside(results, best).items():
        seed, first = next(iter(results.groups[key].items()))
        positions = drawn_of(results, key)
        drawn[strategy] = {
            "seed": seed,
            "errors": int((first.labels != first.guesses).sum()),
            "pairs": pairs(first.labels[positions], first.guesses[positions], results.names),
        }
    return {"model": best.model, "setting": best.setting, "drawn": DRAWN, "strategies": drawn}


def _confusions(results: Results, best: Key) -> Row:
    found = {}
    for strategy, key in _beside(results, best).items():
        cells = results.groups[key].values()
        labels, guesses = (np.concatenate(part) for part in zip(*((c.labels, c.guesses) for c in cells), strict=True))
        found[strategy] = pairs(labels, guesses, results.names, shared_by=len(cells))
    return {"model": best.model, "setting": best.setting, "strategies": found}


def drawn_of(results: Results, key: Key) -> np.ndarray:
    """The positions of the test rows whose errors Figure 3 shows, of the first seed of a group."""
    first = next(iter(results.groups[key].values()))
    return drawn_errors(results.test, first.labels, first.guesses, results.config.seed)


Comparison = tuple[dict[str, str], BySeed, BySeed]  # the keys of its row, and the two figures


def _comparison(results: Results, keys: dict[str, str], parts: list[tuple[Key, Key]]) -> Iterator[Comparison]:
    """The macro-F1 of one and the other, over the parts that both have: means only over the same."""
    f1 = results.macro_f1
    both = [(f1[one], f1[other]) for one, other in parts if one in f1 and other in f1]
    if both:
        one, other = map(averaged, zip(*both, strict=True))
        yield keys, one, other


def _tested(comparisons: Iterator[Comparison]) -> list[Row]:
    """The means over models first, corrected together: one question each; then each model by itself."""
    listed = list(comparisons)
    means = [comparison for comparison in listed if comparison[0]["model"] == ALL]
    return compared(means) + compared([comparison for comparison in listed if comparison[0]["model"] != ALL])


def _strategy_pairs(results: Results) -> Iterator[Comparison]:
    for setting in (s for s in results.settings if s != BOOTSTRAP):
        for model, models in _with_all(results.models):
            for to, this in combinations(results.strategies, 2):
                keys = {"setting": setting, "model": model, "this": this, "to": to}
                parts = [(Key(setting, this, one), Key(setting, to, one)) for one in models]
                yield from _comparison(results, keys, parts)


def _setting_pairs(results: Results) -> Iterator[Comparison]:
    for this, to in _QUESTIONS:
        for strategy, strategies in _with_all(results.strategies):
            for model, models in _with_all(results.models):
                keys = {"strategy": strategy, "model": model, "this": this, "to": to}
                parts = [
                    (Key(this, s, m), Key(to, BOOTSTRAP if to == BOOTSTRAP else s, m))
                    for s in strategies
                    for m in models
                ]
                yield from _comparison(results, keys, parts)


def _with_all(names: list[str]) -> list[tuple[str, list[str]]]:
    """Each by itself, and the mean over all where there are several."""
    return [*([(ALL, names)] if len(names) > 1 else []), *((name, [name]) for name in names)]


def _transfer(results: Results) -> list[Row] | None:
    """
    The gain over random of the learner that acquired a split, less the mean gain of the others: what they lose by it
    (Lowell, Lipton and Wallace, 2019; the paper's section 5.3).
    """
    learner = next((model for model in results.models if paper.short_name(model) == paper.LEARNER), None)
    if not results.in_paper or learner is None or BASELINE not in results.strategies:
        return None
    lost = []
    for setting in (s for s in results.settings if s != BOOTSTRAP):
        for strategy in (s for s in results.strategies if s != BASELINE):
            gains = {model: _gain(results, Key(setting, strategy, model)) for model in results.models}
            own, others = gains.pop(learner), [gain for gain in gains.values() if gain is not None]
            if own is None or not others:
                continue
            mean = averaged(others)
            common = own.index.intersection(mean.index)
            if len(common):
                keys = {"setting": setting, "strategy": strategy, "learner": learner}
                both = {
                    name: float(np.mean(gain.loc[common, 0].to_numpy()))
                    for name, gain in (("gain", own), ("others_gain", mean))
                }
                lost.append(({**keys, **both}, own, mean))
    return compared(lost, "lost")


def _gain(results: Results, key: Key) -> BySeed | None:
    """What a strategy adds to the macro-F1 of random, by seed; None where no seed has both."""
    f1, to = results.macro_f1, key._replace(strategy=BASELINE)
    gain = (f1[key] - f1[to]).dropna() if key in f1 and to in f1 else None
    return gain if gain is not None and len(gain) else None


def _notes(results: Results) -> Iterator[str]:
    if results.overlap:
        rows = f"{results.overlap} test rows have a text that is also in the start set or in a split"
        yield (
            f"{rows}: they are left out of every figure."
            if results.left_out
            else f"{rows}: they are measured on; --leave-out-overlap leaves them out."
        )
    fixed = sorted({key.model for key in results.groups if results.deterministic(key)})
    if fixed:
        yield (
            f"{', '.join(fixed)}: cells that are the same for every seed, since nothing in them is drawn. Several "
            "seeds say no more than one: their intervals and p-values reflect the test rows alone."
        )
    few = min((len(cells) for key, cells in results.groups.items() if not results.deterministic(key)), default=ENOUGH)
    if few == 1:
        yield "Where there is one seed, intervals and p-values reflect the test rows alone, not other trainings."
    elif few < ENOUGH:
        yield (
            f"With {few} seeds intervals are too narrow, since they are drawn from {few} values. The p-values allow "
            "for this, and find large differences only: the minimum detectable difference is shown for each."
        )
    if results.groups:
        yield (
            "p is corrected for the number of comparisons (Holm): the means over models together, and those of each "
            "model by itself together; * marks those below 0.05. The uncorrected p is in JSON and CSV. Intervals are "
            "not corrected; the minimum detectable difference is the smallest one with an uncorrected p of 0.05."
        )
    own = paper.class_counts("test") == class_counts(results.test, results.names)
    if results.in_paper and not own:
        here = f"{len(results.test):,} rows are measured on"
        yield f"The paper's figures are those of its own 2,700 test titles; here {here}."
