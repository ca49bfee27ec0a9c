"""The tables of `generation.py`, in Markdown: what each arm reaches, what the checks found, what somebody saw."""

import csv
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from datasets import Dataset
from scipy import stats

from rarecase.data import arrow, schema
from rarecase.data.parquet import read_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.metrics import all_metrics, expected_calibration_error
from rarecase.experiment.cells import Cell, read_cells, read_predictions
from rarecase.report.intervals import interval_over_seeds, mean_and_interval, resampled_macro_f1
from rarecase.report.tables import Table
from rarecase.verify.policy import is_accepted

NAMES = Taxonomy.default().names
RARE, HARMLESS = "emergency-situation", NAMES.index("not-harmful")
POLICIES = ("none", "majority", "strict")
RAREST = {"f1": "F1 of the rarest", "recall": "its recall"}
predictions = functools.cache(read_predictions)  # the baseline's are compared with every arm's
OTHERS = {
    "ece": "calibration error",
    "look": "harmless sentences flagged: looked at",
    "last": "of the last day",
    "test": "harmful titles flagged: as they are",
    "typo": "with typos",
    "swapped": "with letters swapped",
}


def report(out: Path, arms: Sequence[str]) -> str:
    """All tables, of as much as is there."""
    seeds: dict[tuple[str, str], dict[str, set[int]]] = {}
    for cell in read_cells(out):
        seeds.setdefault((cell.setting or "", cell.model or ""), {}).setdefault(cell.strategy, set()).add(cell.seed)
    parts = []
    for (kind, model), found in sorted(seeds.items()):
        paths = {
            arm: {
                seed: Cell(arm, seed, model, kind).folder(out) / "predictions.parquet" for seed in sorted(found[arm])
            }
            for arm in arms
            if arm in found
        }
        parts += [f"`{kind}`, {model}", _macro_f1(paths), _other_measures(paths)]
    for name in ("variations", "contrasts"):
        if (out / f"{name}.parquet").exists():
            parts += _checked(name, read_parquet(out / f"{name}.parquet"))
    if (out / "eye.csv").exists():
        parts.append(_seen(out))
    return "\n\n".join(parts)


Paths = Mapping[str, Mapping[int, Path]]  # the predictions of each arm and seed


def _macro_f1(paths: Paths) -> str:
    """
    Macro-F1 of each arm; the difference to its baseline, which has the same class weights and no rows but people's,
    over the seeds that both have; and the difference that so many seeds would show.
    """
    rows = []
    for arm, own in paths.items():
        base, shown = "weights" if arm.startswith("weights+") else "none", ["", ""]
        if base != arm and base in paths and (both := sorted(own.keys() & paths[base].keys())):
            one, other = (_resampled([paths[of][seed] for seed in both]) for of in (arm, base))
            mean, (low, high) = mean_and_interval(one - other)
            shown = [f"{mean:+.1f} ({low:+.1f} to {high:+.1f})", f"{_detectable((one - other)[:, 0]):.1f}"]
        mean, (low, high) = mean_and_interval(_resampled([*own.values()]))
        figures = [all_metrics(*_labels_and_guesses(path), NAMES) for path in own.values()]
        rare = [_mean([of[name][RARE] for of in figures]) for name in RAREST]  # type: ignore[literal-required]
        rows.append([arm, len(own), f"{mean:.1f} ({low:.1f} to {high:.1f})", *shown, *rare])
    header = ["learned from", "seeds", "macro-F1", "to its baseline", "detectable", *RAREST.values()]
    return Table(header, rows).rendered("markdown")


def _other_measures(paths: Paths) -> str:
    rows = []
    for arm, own in paths.items():
        figures = [_flagged(read_parquet(path)) for path in own.values()]
        rows.append([arm, *(_mean([of[name] for of in figures]) for name in OTHERS)])
    return Table(["learned from", *OTHERS.values()], rows).rendered("markdown")


def _resampled(paths: Sequence[Path]) -> np.ndarray:
    return resampled_macro_f1([predictions(path) for path in paths], len(NAMES))


def _labels_and_guesses(path: Path) -> tuple[np.ndarray, np.ndarray]:
    found = predictions(path)
    return found.labels, found.guesses


def _detectable(differences: np.ndarray) -> float:
    """The true mean difference that a paired t-test at 5 % would find in 80 of 100 such experiments."""
    n = len(differences)
    return float((stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)) * differences.std(ddof=1) / np.sqrt(n))


def _flagged(table: Dataset) -> dict[str, float]:
    """The calibration error on test, and the share of each set that is taken for harmful, in percent."""
    split, labels, probs = np.array(table["split"][:]), arrow.matrix(table, "label"), arrow.matrix(table, "probs")
    is_flagged, test = probs.argmax(axis=1) != HARMLESS, split == "test"
    sets = {name: split == name for name in ("look", "last", "typo", "swapped")}
    sets["test"] = test & (labels != HARMLESS)
    shares = {name: 100 * float(is_flagged[of].mean()) for name, of in sets.items()}
    return {"ece": expected_calibration_error(labels[test], probs[test]), **shares}


def _mean(values: Sequence[float]) -> str:
    interval = interval_over_seeds(values)
    return f"{np.mean(values):.1f}" + (f" ({interval[0]:.1f} to {interval[1]:.1f})" if interval else "")


def _checked(name: str, table: Dataset) -> list[str]:
    """Which share failed each check, and how many each policy takes, of all and of the rarest class."""
    checks, of_rarest = table["checks"][:], arrow.matrix(table, "label") == NAMES.index(RARE)
    failed = Counter(one["check"] for own in checks for one in own if one["passed"] is False)
    shares = [[check, f"{100 * count / len(table):.1f} %"] for check, count in failed.most_common()]
    kept = {policy: np.array([is_accepted(own, policy) for own in checks]) for policy in POLICIES}
    rows = [
        [policy, f"{of.sum()} of {len(of)}", f"{of[of_rarest].sum()} of {of_rarest.sum()}"]
        for policy, of in kept.items()
    ]
    return [
        f"{name} of {len(set(table['parent_id'][:]))} posts",
        Table(["check", "failed"], shares).rendered("markdown"),
        Table(["policy", "all", "of the rarest class"], rows).rendered("markdown"),
    ]


def _seen(out: Path) -> str:
    """
    The share of good variations among those that each policy takes, by eye; and of the good ones of the rarest class
    the share that it takes. The draw has so many of each kind, which are weighed by how many there are.
    """
    table = read_parquet(out / "variations.parquet")
    every = zip(table["id"][:], table["checks"][:], schema.texts(table), strict=True)
    taken = {id_: tuple(is_accepted(own, policy) for policy in POLICIES) for id_, own, text in every if text}
    there = Counter(taken.values())
    with (out / "eye.csv").open(encoding="utf-8", newline="") as file:
        seen = [{**row, "taken": taken[row["id"]]} for row in csv.DictReader(file) if row["good"]]
    good = {
        kind: [row["good"] == "1" for row in seen if row["drawn"] == "1" and row["taken"] == kind] for kind in there
    }
    rare = [row["taken"] for row in seen if row["label"] == RARE and row["good"] == "1"]
    rows = []
    for place, policy in enumerate(POLICIES):
        kinds = [kind for kind in there if kind[place] and good[kind]]
        share = np.average([np.mean(good[kind]) for kind in kinds], weights=[there[kind] for kind in kinds])
        rows.append([policy, f"{100 * share:.0f} %", f"{sum(of[place] for of in rare)} of {len(rare)}"])
    header = [f"policy, of {len(seen)} that were looked at", "good", "of the good ones of the rarest class"]
    return Table(header, rows).rendered("markdown")
