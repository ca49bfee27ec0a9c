"""The report of a run: its rounds as JSON, and as a table for the terminal and for Markdown."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from rarecase.data.counts import class_counts, cost_per, rarest, shown_classes, together
from rarecase.data.parquet import read_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.runs.folder import RoundFiles


def report_of_run(folder: Path) -> dict[str, Any]:
    """
    The rounds of a run so far.

    Args:
        folder (`Path`): a run folder, finished or not.

    Returns:
        `dict`: `kind`, `classes`, `test_class_counts` (rows of the test set by class), `rarest` (the class with the
        fewest of them, at least one), `cost_per_rare`, `seconds_per_rare` and `rounds`, each with `round`, `chosen`
        (ids), `labels`, `class_counts`, `class_count_std`, `found`, `dev` and `test`; metrics in percent. Round 0 is
        the start set. The costs are the labels, and the seconds of all votes, for each example of the rarest class
        that they found: None where there is none, or where votes were not timed.

    Raises:
        `DataError`: where a file of the run cannot be read.

    Example:
        >>> report_of_run(Path("out"))["rounds"][-1]["test"]["macro_f1"]
        61.7
    """
    names = Taxonomy.load(folder / "taxonomy.yaml").names
    rounds = [record.to_json() for record in RoundFiles(folder).records()]
    test = class_counts(read_parquet(folder / "test.parquet"), names)
    least = rarest(test)
    return {
        "kind": "run",
        "classes": list(names),
        "test_class_counts": test,
        "rarest": least,
        **_cost(folder, rounds, least),
        "rounds": rounds,
    }


def _cost(folder: Path, rounds: Sequence[dict[str, Any]], least: str) -> dict[str, float | None]:
    found = rounds[-1]["found"][least] if rounds else 0
    seconds = _seconds(folder, len(rounds) - 1)
    return {
        "cost_per_rare": cost_per(rounds[-1]["labels"], found) if rounds else None,
        "seconds_per_rare": cost_per(seconds, found) if seconds else None,
    }


def _seconds(folder: Path, rounds: int) -> float | None:
    """That people took for all votes of the rounds together; None where one of them was not timed."""
    total = 0.0
    for number in range(1, rounds + 1):
        path = RoundFiles(folder).path(number, "labels.parquet")
        for votes in read_parquet(path)["votes"][:]:
            seconds = [vote["seconds"] for vote in votes or ()]
            if not seconds or not all(seconds):
                return None
            total += sum(seconds)
    return total


def line_of_cost(report: dict[str, Any]) -> str:
    """What an example of the rarest class cost, as a sentence."""
    labels, seconds = report["cost_per_rare"], report["seconds_per_rare"]
    if labels is None:
        return f"no example of {report['rarest']} found"
    people = "" if seconds is None else f" and {seconds:.0f} seconds of people's time"
    return f"{labels:.1f} labels{people} for each example of {report['rarest']} found"


def rows_of_run(report: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """A header, and a row per round: class counts, their standard deviation, macro-F1, F1 of the rarest class."""
    shown, least = shown_classes(report["test_class_counts"]), report["rarest"]
    header = ["round", "labels", *shown, "std", "dev F1", "test F1", f"F1 {least}"]
    rows = [
        [
            r["round"],
            r["labels"],
            *together(r["class_counts"], shown).values(),
            _one(r["class_count_std"]),
            _one(r["dev"]["macro_f1"]),
            _one(r["test"]["macro_f1"]),
            _one(r["test"]["f1"][least]),
        ]
        for r in report["rounds"]
    ]
    return header, rows


def rows_of_grid(report: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """A header, and a row per strategy and round, means over the seeds with the interval of macro-F1."""
    shown, least = shown_classes(report["test_class_counts"]), report["rarest"]
    header = ["strategy", "round", "labels", *shown, "std", "test F1", "interval", f"F1 {least}"]
    rows = []
    for strategy, found in report["strategies"].items():
        for point in found["curve"]:
            low, high = point["macro_f1_interval"]
            rows.append(
                [
                    strategy if point["round"] == 0 else "",
                    point["round"],
                    f"{point['labels']:.0f}",
                    *(f"{count:.0f}" for count in together(point["class_counts"], shown).values()),
                    _one(point["class_count_std"]),
                    _one(point["macro_f1"]),
                    f"{low:.1f}-{high:.1f}",
                    _one(point["f1"][least]),
                ]
            )
    return header, rows


def rows_of_differences(report: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """
    A header, and a row per strategy at the end: macro-F1, its paired difference to `random`, the rarest class
    and how many labels each example of it took.
    """
    least = report["rarest"]
    header = ["strategy", "labels", "test F1", "interval", "to random", "interval"]
    header += [f"F1 {least}", f"{least} found", "interval", "labels each"]
    rows = []
    for strategy, found in report["strategies"].items():
        final, difference = found["final"], found.get("difference")
        low, high = final["macro_f1_interval"]
        rows.append(
            [
                strategy,
                f"{final['labels']:.0f}",
                _one(final["macro_f1"]),
                f"{low:.1f} to {high:.1f}",
                f"{difference['macro_f1']:+.1f}" if difference else "",
                "{:+.1f} to {:+.1f}".format(*difference["macro_f1_interval"]) if difference else "",
                _one(final["f1"][least]),
                _one(found["found"][least]),
                "{:.1f} to {:.1f}".format(*spread) if (spread := found["found_interval"][least]) else "",
                "" if found["cost_per_rare"] is None else _one(found["cost_per_rare"]),
            ]
        )
    return header, rows


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], style: str = "text") -> str:
    """
    A table as text.

    Args:
        header (`Sequence[str]`): broken at spaces and behind the signs in class names on a terminal.
        rows (`Sequence`): the cells, formatted already.
        style (`str`): `text` or `markdown`.

    Example:
        >>> print(table(["a"], [[1]], "markdown"))
        |   a |
        |----:|
        |   1 |
    """
    if style == "markdown":
        return tabulate(rows, header, tablefmt="pipe", disable_numparse=True, colalign=["right"] * len(header))
    broken = [re.sub(r"(?<=[-:_/.])(?=\w)", "\n", h.replace(" ", "\n")) for h in header]
    columns = zip(broken, *rows, strict=True)
    rule = ["-" * max(len(line) for cell in column for line in str(cell).split("\n")) for column in columns]
    # As rows, since tabulate makes each column with a header two characters wider, and a terminal is narrow.
    rows = [broken, rule, *rows]
    return tabulate(rows, tablefmt="plain", disable_numparse=True, colalign=["right"] * len(header))


def _one(value: float) -> str:
    return f"{value:.1f}"
