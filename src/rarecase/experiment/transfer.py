"""
Do the labels that one learner asked for help another? Each learner learns from what each of them acquired.

Lowell, Lipton and Wallace (2019, "Practical obstacles to deploying active learning") found that they often help no
more than random ones; the paper's section 5.3 finds that they do.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rarecase.data.taxonomy import Taxonomy
from rarecase.experiment.acquisitions import acquirer_of
from rarecase.experiment.curves import read_predictions
from rarecase.experiment.grid import Cell, read_cells
from rarecase.experiment.intervals import Predictions, mean_and_interval, resampled_macro_f1
from rarecase.experiment.splits import BOOTSTRAP
from rarecase.runs.folder import Manifest


class _Key(NamedTuple):
    strategy: str
    setting: str
    acquirer: str
    user: str


def is_of_grids(folder: Path) -> bool:
    """
    Whether an experiment learned from what simulations acquired.

    Example:
        >>> is_of_grids(Path("exp"))
        False
    """
    return (folder / "seeds").is_dir()


def transfer_of(folder: Path) -> dict[str, Any]:
    """
    What is lost where a learner takes what another one acquired.

    Args:
        folder (`Path`): of an experiment on folders of `rarecase simulate`.

    Returns:
        `dict`: under `strategies.NAME`, each with `setting`, `acquirer`, `user` and `seeds`:

        - `matrix`: `macro_f1` of the user in percent, the mean over seeds, and `macro_f1_interval`;
        - `lost`: the macro-F1 with the user's own acquisitions minus that with the acquirer's, the mean over the seeds
          that both have, and `lost_interval`; above 0 where those of another help less.

        Beside it `failed`: of each cell that failed, its name and the reason.

    Example:
        >>> transfer_of(Path("exp"))["strategies"]["entropy"]["lost"][0]["lost"]
        0.4
    """
    records, classes = read_cells(folder), len(Taxonomy.load(folder / "taxonomy.yaml").names)
    cells = _predictions(folder, records)
    found: dict[str, Any] = {}
    for key, own in cells.items():
        part = found.setdefault(key.strategy, {"matrix": [], "lost": []})
        told = {"setting": key.setting, "acquirer": key.acquirer, "user": key.user}
        mean, interval = mean_and_interval(resampled_macro_f1([own[seed] for seed in sorted(own)], classes))
        part["matrix"].append({**told, "seeds": sorted(own), "macro_f1": mean, "macro_f1_interval": interval})
        users = cells.get(key._replace(acquirer=key.user), {})
        common = sorted(set(own) & set(users))
        if key.acquirer != key.user and common:
            with_own, with_others = (
                resampled_macro_f1([part[seed] for seed in common], classes) for part in (users, own)
            )
            mean, interval = mean_and_interval(with_own - with_others)
            part["lost"].append({**told, "seeds": common, "lost": mean, "lost_interval": interval})
    failed = {cell.name: record["error"] for cell, record in records.items() if "error" in record}
    return {"kind": "transfer", "strategies": found, "failed": failed}


def rows_of_transfer(transfer: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """
    A row for each strategy, setting, acquirer and user, for `rarecase.report.run.table`.

    Args:
        transfer (`dict`): from `transfer_of`.

    Example:
        >>> header, rows = rows_of_transfer(transfer_of(Path("exp")))
    """
    return ["strategy", "setting", "acquired by", "used by", "seeds", "macro-F1", "lost"], [*_rows(transfer)]


def _rows(transfer: dict[str, Any]) -> Iterator[list[str]]:
    for strategy, part in transfer["strategies"].items():
        lost = {(row["setting"], row["acquirer"], row["user"]): row for row in part["lost"]}
        for row in part["matrix"]:
            names = (row["setting"], row["acquirer"], row["user"])
            less = _told(lost[names], "lost") if names in lost else ""
            yield [strategy, *names, str(len(row["seeds"])), _told(row, "macro_f1"), less]


def _told(row: dict[str, Any], figure: str) -> str:
    low, high = row[f"{figure}_interval"]
    return f"{row[figure]:.1f} ({low:.1f} to {high:.1f})"


def _predictions(folder: Path, records: dict[Cell, dict[str, Any]]) -> dict[_Key, dict[int, Predictions]]:
    """By seed, what every user predicted with what every acquirer acquired."""
    learner = Manifest.read(folder, "experiment").settings["learner"]
    found: dict[_Key, dict[int, Predictions]] = {}
    for cell, record in records.items():
        if "error" in record or cell.setting == BOOTSTRAP:
            continue
        strategy, _, acquirer = cell.strategy.partition("@")
        ids, labels, probs = read_predictions(folder / "cells" / cell.name / "predictions.parquet")
        key = _Key(strategy, str(cell.setting), acquirer, acquirer_of(learner, str(cell.model)))
        found.setdefault(key, {})[cell.seed] = Predictions(tuple(ids.tolist()), labels, probs.argmax(axis=1))
    return dict(sorted(found.items()))
