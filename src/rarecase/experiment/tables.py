"""
The report of an experiment: Tables 3 to 6 and 8 and Figure 3 of the paper beside its own figures, with seeds,
intervals and tests.
"""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from rarecase.core.errors import ConfigError, did_you_mean
from rarecase.data.counts import class_count_std, class_counts, rarest
from rarecase.data.parquet import read_parquet
from rarecase.evaluate.confusion import DRAWN, drawn_errors, pairs
from rarecase.experiment import paper
from rarecase.experiment.compare import BySeed, averaged, compared
from rarecase.experiment.intervals import interval_over_seeds, mean_and_interval
from rarecase.experiment.results import BASELINE, Group, Key, Results, read_results
from rarecase.experiment.splits import BEST, BOOTSTRAP, HUMAN

ALL = "all"  # the mean over all models, or over all strategies
MEANS = (*paper.FIGURES, "rare_recall", "rare_f1", "error_std")
BY_CLASS = ("recall", "f1")
TABLES = {BOOTSTRAP: "table4", HUMAN: "table5", BEST: "table6"}
# What is asked of the settings: what labels add, what variations add to them, and whether cheaper means add as much.
_QUESTIONS = (
    (HUMAN, BOOTSTRAP),
    (BEST, BOOTSTRAP),
    (BEST, HUMAN),
    ("human+weights", HUMAN),
    ("human+cheap", HUMAN),
    (BEST, "human+weights"),
    (BEST, "human+cheap"),
)


def report_of_experiment(results: Results | Path, *, model: str | None = None) -> dict[str, Any]:
    """
    Everything that an experiment says so far.

    Args:
        results (`Results | Path`): what was read of the experiment, or its folder, finished or not.
        model (`str`, *optional*): whose errors to show; by default that of the highest macro-F1 with variations.

    Returns:
        `dict`: plain numbers, metrics in percent, means over seeds with resampling intervals as `[low, high]` under
        the same name with `_interval`:

        - `kind`, `classes`, `rarest`, `rarest_classes`, `seeds`, `settings`, `strategies`, `models`, `reading`;
        - `test_rows` that are measured on, `overlap` (test rows whose text stands in a training set) and `left_out`;
        - `cells` (`done`, `failed`, `missing`) and `failed`, with the reason of each;
        - `table3`: `class_counts` and `class_count_std` of each split, the paper's beside;
        - `table4`, `table5`, `table6` and `arms` (other settings): rows with `setting`, `strategy`, `model`, `seeds`,
          `deterministic`, `accuracy`, `macro_precision`, `macro_recall`, `macro_f1`, `rare_recall`, `rare_f1`,
          `error_std`, `ece`, `recall` and `f1` by class, and `paper`, its figures or None;
        - `table8`: rows with `error_std`, the paper's beside; without variations, of the last setting there is;
        - `figure3`: of one model, `strategies.NAME.pairs`, 100 drawn errors by class pair; `confusions`: all errors
          by class pair, the mean over seeds;
        - `differences.strategies` and `differences.settings`: from `rarecase.experiment.compare.compared`; `model` and
          `strategy` can be `all`, the mean. The means over models are corrected together, what is told of each model
          by itself is another family;
        - `transfer`: what a split gains over random for the learner that acquired it, and how much of it other models
          lose; None where that learner is not known;
        - `paper`: `citation` and `contradictions`, None for other classes than its six; `notes`: what a reader has to
          know, a sentence each.

    Raises:
        `ConfigError`: where `model` is none of the experiment's.

    Example:
        >>> report_of_experiment(Path("exp"))["table6"][0]["macro_f1"]
        72.8
    """
    if isinstance(results, Path):
        results = read_results(results)
    rows = [_row(key, group, results) for key, group in results.groups.items()]
    by_setting = {setting: [row for row in rows if row["setting"] == setting] for setting in results.settings}
    shown = next((s for s in (BEST, HUMAN) if s in by_setting), (results.settings or [BEST])[-1])
    figure3, confusions = _errors(results, by_setting.get(shown, []), model)
    transfer = _transfer(results)
    return {
        "kind": "experiment",
        "classes": results.names,
        "rarest": rarest(class_counts(results.test, results.names)),
        "rarest_classes": results.rare,
        "seeds": results.seeds,
        "settings": results.settings,
        "strategies": results.strategies,
        "models": results.models,
        "reading": results.config.get("reading"),
        "test_rows": len(results.test),
        "overlap": results.overlap,
        "left_out": results.left_out,
        "cells": {
            "done": sum(len(group.seeds) for group in results.groups.values()),
            "failed": len(results.failed),
            "missing": results.missing,
        },
        "failed": [
            {"setting": c.setting, "strategy": c.strategy, "model": c.model, "seed": c.seed, "error": reason}
            for c, reason in results.failed.items()
        ],
        "table3": _table3(results),
        **{name: by_setting.get(setting, []) for setting, name in TABLES.items()},
        "arms": [row for row in rows if row["setting"] not in TABLES],
        "table8": [_table8(row, results) for row in by_setting.get(shown, [])],
        "figure3": figure3,
        "confusions": confusions,
        "differences": {
            "strategies": _tested(_strategy_pairs(results)),
            "settings": _tested(_setting_pairs(results)),
        },
        "transfer": transfer,
        "paper": {"citation": paper.CITATION, "contradictions": list(paper.CONTRADICTIONS)}
        if paper.speaks_of(results.names)
        else None,
        "notes": list(_notes(results)),
    }


def _row(key: Key, group: Group, results: Results) -> dict[str, Any]:
    row: dict[str, Any] = {**key._asdict(), "seeds": group.seeds, "deterministic": group.deterministic}
    for name in MEANS:
        row[name], row[f"{name}_interval"] = mean_and_interval(group.figures[name])
    row["ece"] = float(np.mean(group.ece))
    row["ece_interval"] = None if group.deterministic else interval_over_seeds(group.ece)
    for name in BY_CLASS:
        found = [mean_and_interval(values) for values in np.moveaxis(group.figures[name], 2, 0)]
        row[name] = {label: mean for label, (mean, _) in zip(results.names, found, strict=True)}
        row[f"{name}_interval"] = {label: interval for label, (_, interval) in zip(results.names, found, strict=True)}
    row["paper"] = paper.figures(key.strategy, key.model, key.setting) if paper.speaks_of(results.names) else None
    return row


def _table3(results: Results) -> dict[str, Any]:
    """Rows per class of every split; human labels and variations, without the start set, as in the paper."""
    sets = {
        **results.splits,
        **{name: read_parquet(results.folder / f"{name}.parquet") for name in (BOOTSTRAP, "dev")},
        "test": results.test,
    }
    counts = {name: class_counts(table, results.names) for name, table in sets.items()}
    known = paper.speaks_of(results.names)
    return {
        "class_counts": counts,
        "class_count_std": {name: class_count_std(counts[name]) for name in results.splits},
        "paper": {name: paper.class_counts(name) for name in sets} if known else None,
        "paper_std": {name: paper.class_count_std(name) for name in results.splits} if known else None,
    }


def _table8(row: dict[str, Any], results: Results) -> dict[str, Any]:
    names = ("setting", "strategy", "model", "seeds", "deterministic", "error_std", "error_std_interval")
    key = Key(row["setting"], row["strategy"], row["model"])
    figure = paper.error_std(key.strategy, key.model, key.setting) if paper.speaks_of(results.names) else None
    return {**{name: row[name] for name in names}, "paper": figure}


def _errors(
    results: Results, rows: list[dict[str, Any]], model: str | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Figure 3, and the confused pairs over the whole test set, of one model in one setting."""
    if model is not None and model not in results.models:
        hint = did_you_mean(model, results.models)
        raise ConfigError(f"--model {model}: no cell of it is done; there are {', '.join(results.models)}{hint}")
    chosen = [row for row in rows if model in (None, row["model"])]
    if not chosen:
        return None, None
    best = max(chosen, key=lambda row: row["macro_f1"])
    keys = {
        key.strategy: key for key in results.groups if (key.setting, key.model) == (best["setting"], best["model"])
    }
    head = {"model": best["model"], "setting": best["setting"]}
    drawn, confused = {}, {}
    for strategy, key in keys.items():
        group = results.groups[key]
        first = group.cells[0]  # one trained model, as in the paper
        places = drawn_of(results, key)
        labels, guesses = (np.concatenate([getattr(c, part) for c in group.cells]) for part in ("labels", "guesses"))
        drawn[strategy] = {
            "seed": group.seeds[0],
            "errors": int((first.labels != first.guesses).sum()),
            "pairs": pairs(first.labels[places], first.guesses[places], results.names),
        }
        confused[strategy] = pairs(labels, guesses, results.names, shared_by=len(group.cells))
    return {**head, "drawn": DRAWN, "strategies": drawn}, {**head, "strategies": confused}


def drawn_of(results: Results, key: Key) -> np.ndarray:
    """The places of the test rows whose errors Figure 3 shows, of the first seed of a group."""
    cell = results.groups[key].cells[0]
    return drawn_errors(results.test, cell.labels, cell.guesses, results.config.get("seed", 0))


Pair = tuple[dict[str, Any], BySeed, BySeed]


def _pair(results: Results, keys: dict[str, Any], parts: list[tuple[Key, Key]]) -> Iterator[Pair]:
    """The macro-F1 of one and the other, over the parts that both have: means only over the same."""
    both = [(one, other) for one, other in parts if one in results.groups and other in results.groups]
    if both:
        sides = ([results.groups[part].by_seed("macro_f1") for part in side] for side in zip(*both, strict=True))
        one, other = map(averaged, sides)
        yield keys, one, other


def _tested(pairs: Iterator[Pair]) -> list[dict[str, Any]]:
    """The means over models first, corrected together: one question each; then each model by itself."""
    listed = list(pairs)
    means = [pair for pair in listed if pair[0]["model"] == ALL]
    return compared(means) + compared([pair for pair in listed if pair[0]["model"] != ALL])


def _strategy_pairs(results: Results) -> Iterator[Pair]:
    for setting in (s for s in results.settings if s != BOOTSTRAP):
        for model, models in _with_all(results.models):
            for to, this in combinations(results.strategies, 2):
                keys = {"setting": setting, "model": model, "this": this, "to": to}
                yield from _pair(results, keys, [(Key(setting, this, one), Key(setting, to, one)) for one in models])


def _setting_pairs(results: Results) -> Iterator[Pair]:
    for this, to in _QUESTIONS:
        for strategy, strategies in _with_all(results.strategies):
            for model, models in _with_all(results.models):
                keys = {"strategy": strategy, "model": model, "this": this, "to": to}
                parts = [
                    (Key(this, s, m), Key(to, BOOTSTRAP if to == BOOTSTRAP else s, m))
                    for s in strategies
                    for m in models
                ]
                yield from _pair(results, keys, parts)


def _with_all(names: list[str]) -> list[tuple[str, list[str]]]:
    """Each by itself, and the mean over all where there are several."""
    return [*([(ALL, names)] if len(names) > 1 else []), *((name, [name]) for name in names)]


def _transfer(results: Results) -> list[dict[str, Any]] | None:
    """
    The gain over random of the learner that acquired a split, less the mean gain of the others: what they lose by it
    (Lowell, Lipton and Wallace, 2019; the paper's section 5.3).
    """
    learner = next((model for model in results.models if paper.short_name(model) == paper.LEARNER), None)
    if not paper.speaks_of(results.names) or learner is None or BASELINE not in results.strategies:
        return None
    lost: list[Pair] = []
    for setting in (s for s in results.settings if s != BOOTSTRAP):
        for strategy in (s for s in results.strategies if s != BASELINE):
            gains = {model: _gain(results, Key(setting, strategy, model)) for model in results.models}
            own, others = gains.pop(learner), averaged([gain for gain in gains.values() if gain])
            if common := sorted(set(own) & set(others)):
                means = (float(np.mean([gain[seed][0] for seed in common])) for gain in (own, others))
                keys = {"setting": setting, "strategy": strategy, "learner": learner}
                lost.append(({**keys, **dict(zip(("gain", "others_gain"), means, strict=True))}, own, others))
    return compared(lost, "lost")


def _gain(results: Results, key: Key) -> BySeed:
    """What its strategy adds to the macro-F1 of random, by seed."""
    keys = key, key._replace(strategy=BASELINE)
    if not all(key in results.groups for key in keys):
        return {}
    this, to = (results.groups[key].by_seed("macro_f1") for key in keys)
    return {seed: this[seed] - to[seed] for seed in this if seed in to}


def _notes(results: Results) -> Iterator[str]:
    if results.overlap:
        rows = f"{results.overlap} test rows have a text that stands in the start set or in a split, too"
        yield (
            f"{rows}: they are left out of every figure."
            if results.left_out
            else (f"{rows}, and are measured on; --leave-out-overlap leaves them out.")
        )
    fixed = sorted({key.model for key, group in results.groups.items() if group.deterministic})
    if fixed:
        yield (
            f"{', '.join(fixed)}: cells that are the same for every seed, since nothing in them is drawn. Their seeds "
            "say as much as one: intervals and p-values there speak of the test rows alone."
        )
    few = min((len(group.seeds) for group in results.groups.values() if not group.deterministic), default=5)
    if few == 1:
        yield "Where there is one seed, intervals and p-values speak of the test rows alone, not of other trainings."
    elif few < 5:
        yield (
            f"With {few} seeds intervals are too narrow, since they are drawn from {few} values. The p-values allow "
            "for it, and find large differences only: beside each stands the least that would have had a p of 0.05."
        )
    if results.groups:
        yield (
            "p is corrected for the number of comparisons (Holm): the means over models together, and those of each "
            "model by itself together; * marks those below 0.05. As it was before stands in JSON and CSV. Intervals "
            "are not corrected; `would count` is the least difference that would have had a p of 0.05 before that."
        )
    if paper.speaks_of(results.names) and class_counts(results.test, results.names) != paper.class_counts("test"):
        rows = f"{len(results.test):,} rows are measured on"
        yield f"The paper's figures are those of its own 2,700 test titles; here {rows}."
