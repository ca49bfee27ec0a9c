"""Tables of a report: columns over rows, rendered for a terminal, as Markdown and as CSV."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import pandas as pd
from tabulate import tabulate

from rarecase.core import markdown
from rarecase.core.csv_cells import neutralized
from rarecase.core.markdown import in_table
from rarecase.data.counts import shown_classes

Row = Mapping[str, Any]  # a row of a report: its keys are those of the JSON
Columns = Sequence[tuple[str, Callable[[Any], object]]]  # the header of each, and what it shows of a row
SIGNED = "+z.1f"  # no "-0.0"


class Table(NamedTuple):
    """A header, and rows whose cells are formatted already."""

    header: list[str]
    rows: Sequence[Sequence[object]]

    @classmethod
    def of(cls, rows: Iterable[Any], columns: Columns) -> "Table":
        """The table that shows these columns of the rows."""
        return cls([header for header, _ in columns], [[shown(row) for _, shown in columns] for row in rows])

    def rendered(self, style: str = "text") -> str:
        """The table as `text` or `markdown`; on a terminal the header is broken at spaces and signs."""
        right = ["right"] * len(self.header)
        if style == "markdown":
            head, *rows = [[in_table(markdown.plain(str(cell))) for cell in row] for row in (self.header, *self.rows)]
            return tabulate(rows, head, tablefmt="pipe", disable_numparse=True, colalign=right)
        broken = [re.sub(r"(?<=[-:_/.])(?=\w)", "\n", h.replace(" ", "\n")) for h in self.header]
        columns = zip(broken, *self.rows, strict=True)
        rule = ["-" * max(len(line) for cell in column for line in str(cell).split("\n")) for column in columns]
        # As rows, since tabulate makes each column with a header two characters wider, and a terminal is narrow.
        return tabulate([broken, rule, *self.rows], tablefmt="plain", disable_numparse=True, colalign=right)


def number_at(*path: str, form: str = ".1f") -> Callable[[Row], str]:
    """A column of numbers, each at the end of a path of keys; empty where there is none."""
    return _shown_at(path, lambda value: format(value, form))


def interval_at(*path: str, form: str = ".1f", between: str = " to ") -> Callable[[Row], str]:
    """A column of intervals, each at the end of a path of keys; empty where there is none."""
    return _shown_at(path, lambda ends: between.join(format(end, form) for end in ends))


def _shown_at(path: Sequence[str], shown: Callable[[Any], str]) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        value: Any = row
        for key in path:
            value = None if value is None else value.get(key)
        return "" if value is None else shown(value)

    return cell


def plain(*names: str) -> Columns:
    """Columns that show the values under their own names."""
    return [(name, itemgetter(name)) for name in names]


def counts_of(test: dict[str, int]) -> Columns:
    """Columns of class counts: those of many classes are the rarest in the test set, and the others together."""

    def count(classes: list[str]) -> Callable[[Row], str]:
        return lambda row: f"{sum(row['class_counts'][name] for name in classes):.0f}"

    return [(shown, count(classes)) for shown, classes in shown_classes(test).items()]


def csv_of(rows: Iterable[Row]) -> str:
    """
    Rows as CSV, unrounded; a nested value is a column `OUTER_INNER`, an interval two, `_low` and `_high`. Texts are no
    formulas (`core/csv_cells.py`).
    """
    cells = [{neutralized(name): _neutralized(value) for name, value in _flat(row)} for row in rows]
    return pd.DataFrame(cells, dtype=object).to_csv(index=False, lineterminator="\n")


def _neutralized(value: object) -> object:
    return neutralized(value) if isinstance(value, str) else value


def _flat(row: Row, before: str = "") -> Iterator[tuple[str, object]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}_")
        elif isinstance(value, list) and name == "seeds":
            yield f"{before}{name}", len(value)
        elif isinstance(value, list):
            yield from zip((f"{before}{name}_low", f"{before}{name}_high"), value, strict=True)
        else:
            yield f"{before}{name}", value
