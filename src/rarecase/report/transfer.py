"""
Do the labels that one learner asked for help another? Lowell, Lipton and Wallace (2019, "Practical obstacles to
deploying active learning") found: often no more than random ones; the paper's section 5.3 finds that they do.
"""

from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TypedDict

from rarecase.data.taxonomy import Taxonomy
from rarecase.experiment.acquisitions import acquirer_of
from rarecase.experiment.cells import Cell, Found, Predictions, read_cells, read_predictions
from rarecase.experiment.splits import BOOTSTRAP
from rarecase.report.intervals import mean_and_interval, notes_on_seeds, resampled_macro_f1
from rarecase.report.tables import Row, Table, plain
from rarecase.runs.folder import Manifest

SENTENCE = (
    "Macro-F1 on test, in percent, of each learner trained on what it or another learner acquired: means over seeds "
    "with 95 % intervals. lost: the macro-F1 with its own acquisitions minus that; above 0 where another's help less."
)


class Key(NamedTuple):
    """What the cells of one group have in common; they differ in their seeds."""

    strategy: str
    setting: str
    acquirer: str
    user: str


class TransferReport(TypedDict):
    """What is lost where a learner takes what another one acquired."""

    kind: str
    strategies: dict[str, dict[str, list[Row]]]  # `matrix`: macro-F1 of users by acquirer; `lost`: own minus another's
    notes: list[str]  # sentences for the reader
    failed: dict[str, str]  # the reason of each failed cell


def is_of_grids(folder: Path) -> bool:
    """Whether an experiment learned from what simulations acquired."""
    return (folder / "seeds").is_dir()


def report_of_transfer(folder: Path) -> TransferReport:
    """The report of an experiment on folders of `rarecase simulate`."""
    found, classes = read_cells(folder), len(Taxonomy.load(folder / "taxonomy.yaml").names)
    cells = _predictions(folder, found)
    strategies: dict[str, dict[str, list[Row]]] = {}
    for key, with_others in cells.items():
        part = strategies.setdefault(key.strategy, {"matrix": [], "lost": []})
        head = {"setting": key.setting, "acquirer": key.acquirer, "user": key.user}
        seeds = sorted(with_others)
        mean, interval = mean_and_interval(resampled_macro_f1([with_others[seed] for seed in seeds], classes))
        part["matrix"].append({**head, "seeds": seeds, "macro_f1": mean, "macro_f1_interval": interval})
        with_own = cells.get(key._replace(acquirer=key.user), {})
        common = sorted(set(with_own) & set(with_others))
        if key.acquirer != key.user and common:
            own, others = (
                resampled_macro_f1([by_seed[seed] for seed in common], classes) for by_seed in (with_own, with_others)
            )
            mean, interval = mean_and_interval(own - others)
            part["lost"].append({**head, "seeds": common, "lost": mean, "lost_interval": interval})
    failed = {cell.name: of.error for cell, of in found.items() if of.error is not None}
    notes = list(notes_on_seeds(min(map(len, cells.values())))) if cells else []
    return {"kind": "transfer", "strategies": strategies, "notes": notes, "failed": failed}


def transfer_table(report: TransferReport) -> Table:
    """A row for each strategy, setting, acquirer and user."""
    names, rows = itemgetter("setting", "acquirer", "user"), []
    for strategy, part in report["strategies"].items():
        lost = {names(row): row for row in part["lost"]}
        rows += [{"strategy": strategy, **lost.get(names(row), {}), **row} for row in part["matrix"]]

    def score(name: str, row: Row) -> str:
        if name not in row:
            return ""
        low, high = row[f"{name}_interval"]
        return f"{row[name]:.1f} ({low:.1f} to {high:.1f})"

    columns = [
        *plain("strategy", "setting"),
        ("acquired by", lambda row: row["acquirer"]),
        ("used by", lambda row: row["user"]),
        ("seeds", lambda row: str(len(row["seeds"]))),
        ("macro-F1", lambda row: score("macro_f1", row)),
        ("lost", lambda row: score("lost", row)),
    ]
    return Table.of(rows, columns, keys=4)


def _predictions(folder: Path, cells: dict[Cell, Found]) -> dict[Key, dict[int, Predictions]]:
    """By seed, what every user predicted with what every acquirer acquired."""
    learner = Manifest.read(folder, "experiment").config.learner
    found: dict[Key, dict[int, Predictions]] = {}
    for cell, of in cells.items():
        if of.error is None and cell.setting != BOOTSTRAP:
            strategy, _, acquirer = cell.strategy.partition("@")
            key = Key(strategy, str(cell.setting), acquirer, acquirer_of(learner, str(cell.model)))
            found.setdefault(key, {})[cell.seed] = read_predictions(cell.folder(folder) / "predictions.parquet")
    return dict(sorted(found.items()))
