"""The report of a run: the records of its rounds, as a table, and what an example of the rarest class cost."""

from pathlib import Path
from typing import Any, TypedDict

from rarecase.data.counts import class_counts, cost_per, rarest
from rarecase.data.parquet import read_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.report.tables import Columns, Table, counts_of, number_at, plain
from rarecase.runs.folder import RoundFiles, damaged


class RunReport(TypedDict):
    """
    A run so far; metrics in percent, round 0 is the start set.

    The costs are the labels, and the seconds of all votes, for each example of the rarest class that they found: None
    where there is none, or where votes were not timed.
    """

    kind: str
    classes: list[str]
    test_class_counts: dict[str, int]
    rarest: str
    cost_per_rare: float | None
    seconds_per_rare: float | None
    rounds: list[dict[str, Any]]


def report_of_run(folder: Path) -> RunReport:
    """The report of a run, finished or not."""
    names = Taxonomy.load(folder / "taxonomy.yaml").names
    files = RoundFiles(folder)
    rounds = files.records()
    if other := next((record for record in rounds if record.found.keys() != set(names)), None):
        raise damaged(files.path(other.round, "metrics.json"))
    test = class_counts(read_parquet(folder / "test.parquet"), names)
    least = rarest(test)
    found = rounds[-1].found[least] if rounds else 0
    seconds = _seconds(folder, len(rounds) - 1)
    return {
        "kind": "run",
        "classes": list(names),
        "test_class_counts": test,
        "rarest": least,
        "cost_per_rare": cost_per(rounds[-1].labels, found) if rounds else None,
        "seconds_per_rare": cost_per(seconds, found) if seconds else None,
        "rounds": [record.to_json() for record in rounds],
    }


def _seconds(folder: Path, rounds: int) -> float | None:
    """That people took for all votes of the rounds together; None where one of them was not timed."""
    total = 0.0
    for number in range(1, rounds + 1):
        for votes in RoundFiles(folder).stored(number, "labels", columns=["votes"])["votes"][:]:
            seconds = [vote["seconds"] for vote in votes or ()]
            if not seconds or not all(seconds):
                return None
            total += sum(seconds)
    return total


def line_of_cost(report: RunReport) -> str:
    """What an example of the rarest class cost, as a sentence."""
    labels, seconds = report["cost_per_rare"], report["seconds_per_rare"]
    if labels is None:
        return f"no example of {report['rarest']} found"
    people = "" if seconds is None else f" and {seconds:.0f} seconds of people's time"
    return f"{labels:.1f} labels{people} for each example of {report['rarest']} found"


def rounds_table(report: RunReport) -> Table:
    """A row per round: class counts, their standard deviation, macro-F1 and the F1 of the rarest class."""
    least = report["rarest"]
    columns: Columns = [
        *plain("round", "labels"),
        *counts_of(report["test_class_counts"]),
        ("std", number_at("class_count_std")),
        ("dev F1", number_at("dev", "macro_f1")),
        ("test F1", number_at("test", "macro_f1")),
        (f"F1 {least}", number_at("test", "f1", least)),
    ]
    return Table.of(report["rounds"], columns)
