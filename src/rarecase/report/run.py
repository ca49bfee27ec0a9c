"""The report of a run: its rounds as a table, what an example of the rarest class cost, and its variations."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path
from typing import Any, TypedDict

from rarecase.core.errors import DataError, command_line
from rarecase.data.counts import class_counts, cost_per, rarest
from rarecase.data.parquet import read_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.record import RoundRecord
from rarecase.experiment.cells import read_predictions
from rarecase.labeling.llm import Agreement
from rarecase.report.generation import Generation, generation_of
from rarecase.report.intervals import interval_over_rows, resampled_counts, resampled_figures
from rarecase.report.tables import Columns, Table, counts_of, interval_at, number_at, plain
from rarecase.runs.folder import AGREEMENT, Manifest, RoundFiles, damaged, went_on_after
from rarecase.verify.policy import counted

FEW = 30  # test rows of a class: with fewer, a single one is more than three points of its recall
LEGEND = (
    "std: the standard deviation of the class counts; 0 where every class has as many. interval: 95 %, over resampled "
    "test rows. n: the test rows of the class."
)


class RunReport(TypedDict):
    """
    A run so far; metrics in percent, round 0 is the start set. Those on test have 95 % intervals over resampled test
    rows: `accuracy_interval`, `macro_f1_interval` and `f1_interval` (by class).
    """

    kind: str
    classes: list[str]
    annotator: dict[str, Any] | None  # an `Agreement`, where a language model labels
    test_class_counts: dict[str, int]
    rarest: str
    cost_per_rare: float | None  # labels for each example of the rarest class found; None where there is none
    seconds_per_rare: float | None  # of all votes, likewise; None also where some were not timed
    variations: dict[str, dict[str, Any]]  # by class: how many were `made` and `kept`, and `failed` each check
    notes: list[str]  # sentences for the reader
    generation: Generation | None  # what language models took, if one was asked
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
    counts = counted(files.tables("variations"), Manifest.read(folder, "run").config.policy)
    seconds = _seconds(folder, len(rounds) - 1)
    path = folder / AGREEMENT
    agreement = Agreement.read(path) if path.exists() else None
    return {
        "kind": "run",
        "classes": list(names),
        "annotator": asdict(agreement) if agreement else None,
        "test_class_counts": test,
        "rarest": least,
        "cost_per_rare": cost_per(rounds[-1].labels, found) if rounds else None,
        "seconds_per_rare": cost_per(seconds, found) if seconds else None,
        "variations": {name: asdict(one) for name, one in counts.items()},
        "notes": [
            *([f"{agreement.sentence()}."] if agreement else []),
            *_notes_on_end(folder, rounds),
            *notes_on_rarest(least, test[least]),
        ],
        "generation": generation_of(folder, rounds, least, sum(one.kept for one in counts.values())),
        "rounds": [_with_intervals(record, files, names) for record in rounds],
    }


def _with_intervals(record: RoundRecord, files: RoundFiles, names: Sequence[str]) -> dict[str, Any]:
    """A record whose figures on test have intervals."""
    path = files.path(record.round, "predictions.parquet")
    path.stat()  # one that is missing is named
    try:
        found = read_predictions(path)
    except DataError:
        raise damaged(path) from None
    if found.probs.shape[1:] != (len(names),):
        raise damaged(path)
    row = record.to_json()
    if len(found.ids):  # of no test rows nothing is known
        figures = resampled_figures(resampled_counts([found], len(names)), rare=[0])
        row["test"] |= {f"{name}_interval": interval_over_rows(figures[name][0]) for name in ("accuracy", "macro_f1")}
        row["test"]["f1_interval"] = dict(zip(names, interval_over_rows(figures["f1"][0]), strict=True))
    return row


def _notes_on_end(folder: Path, rounds: Sequence[RoundRecord]) -> Iterator[str]:
    """That more is to come, where the run has not ended."""
    if not (folder / "data").is_dir() or went_on_after(folder) is not None:
        labels = f", and has {rounds[-1].labels} labels so far" if rounds else ""
        yield f"The run has not ended{labels}; go on with: {command_line('run', '--resume', folder)}"


def notes_on_rarest(least: str, rows: int) -> Iterator[str]:
    """What few test rows of the rarest class allow to say."""
    if 0 < rows < FEW:
        counted = "only 1 test row" if rows == 1 else f"only {rows} test rows"
        yield (
            f"{least} has {counted}: a single one is {100 / rows:.0f} points of its recall, so its F1, and macro-F1 "
            "with it, go up and down by chance. A change that stays within the intervals may be chance, too; an "
            "interval of 0.0-0.0 says that none of these rows was recognised, not that none ever will be. More test "
            "rows make intervals narrower."
        )


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
    """A row per round: class counts, their standard deviation, macro-F1 and the F1 of the rarest class on test."""
    least = report["rarest"]
    columns: Columns = [
        *plain("round", "labels"),
        *counts_of(report["test_class_counts"]),
        ("std", number_at("class_count_std")),
        ("dev F1", number_at("dev", "macro_f1")),
        ("test F1", number_at("test", "macro_f1")),
        ("interval", interval_at("test", "macro_f1_interval", between="-")),
        (f"F1 {least} (n={report['test_class_counts'][least]})", number_at("test", "f1", least)),
        ("interval", interval_at("test", "f1_interval", least, between="-")),
    ]
    return Table.of(report["rounds"], columns)


def variations_table(report: RunReport) -> Table | None:
    """A row per class: variations made, kept and the share of these, and how many failed each check; None of none."""
    rows = [{"class": name, **counts} for name, counts in report["variations"].items()]
    failed = list(dict.fromkeys(check for row in rows for check in row["failed"]))
    columns: Columns = [
        ("class", itemgetter("class")),
        ("variations", itemgetter("made")),
        ("kept", itemgetter("kept")),
        ("%", lambda row: f"{100 * row['kept'] / row['made']:.0f}"),
        *((f"failed {check}", lambda row, check=check: row["failed"].get(check, 0)) for check in failed),
    ]
    return Table.of(rows, columns) if rows else None
