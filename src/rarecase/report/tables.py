"""Tables of a report: columns over rows, rendered for a terminal, as Markdown and as CSV."""

import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
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
Column = list[list[str]]  # on a terminal: the lines of its header, of the rule below, and of each cell
SIGNED = "+z.1f"  # no "-0.0"


GAP = "  "  # between two columns on a terminal
NARROWEST = 8  # letters that a column gets, whatever the terminal


class Table(NamedTuple):
    """A header, and rows whose cells are formatted already."""

    header: list[str]
    rows: Sequence[Sequence[object]]
    keys: int = 1  # columns that say what a row is; a terminal repeats them beside each part of the others

    @classmethod
    def of(cls, rows: Iterable[Any], columns: Columns, keys: int = 1) -> "Table":
        """The table that shows these columns of the rows."""
        return cls([header for header, _ in columns], [[shown(row) for _, shown in columns] for row in rows], keys)

    def rendered(self, style: str = "text", width: int | None = None) -> str:
        """The table as `text` of at most this width, or as `markdown`."""
        if style == "markdown":
            head, *rows = [[in_table(markdown.plain(str(cell))) for cell in row] for row in (self.header, *self.rows)]
            right = ["right"] * len(self.header)
            return tabulate(rows, head, tablefmt="pipe", disable_numparse=True, colalign=right)
        columns = [_column(header, [row[place] for row in self.rows]) for place, header in enumerate(self.header)]
        if width is None or _wide(columns) <= width:
            return _text(columns)
        return "\n\n".join(_text(part) for part in self._parts(columns, width))

    def _parts(self, columns: list[Column], width: int) -> Iterator[list[Column]]:
        """The columns in parts that fit the width, each after the keys, and an interval with what it belongs to."""
        keys = columns[: self.keys]
        if _wide(keys) > width // 2:
            keys = [_narrowed(key, width // (2 * self.keys) - len(GAP)) for key in keys]
        rest = width - _wide(keys) - len(GAP)
        groups: list[list[Column]] = []
        for header, column in zip(self.header[self.keys :], columns[self.keys :], strict=True):
            if header != "interval":
                groups.append([])
            groups[-1].append(column)
        part: list[Column] = []
        for group in groups:
            if _wide(group) > rest:
                group = [_narrowed(column, rest // len(group) - len(GAP) * (len(group) > 1)) for column in group]
            if part and _wide([*part, *group]) > rest:
                yield [*keys, *part]
                part = []
            part += group
        yield [*keys, *part]


def _column(header: str, cells: Iterable[object]) -> Column:
    """A header that is broken at spaces and signs, since a terminal is narrow, over its cells."""
    broken = re.sub(r"(?<=[-:_/.])(?=\w)", "\n", header.replace(" ", "\n"))
    return _ruled(broken.split("\n"), [str(cell).split("\n") for cell in cells])


def _ruled(header: list[str], cells: Column) -> Column:
    return [header, ["-" * max(_length(line) for cell in (header, *cells) for line in cell)], *cells]


def _narrowed(column: Column, width: int) -> Column:
    """A column whose cells are wrapped where it is wider than this."""
    if _wide([column]) <= width:
        return column
    header, _, *cells = [
        [part for line in cell for part in textwrap.wrap(line, max(width, NARROWEST)) or [""]] for cell in column
    ]
    return _ruled(header, cells)


def _wide(columns: Sequence[Column]) -> int:
    """The letters that columns take beside each other."""
    return sum(_length(rule) for _, (rule,), *_ in columns) + len(GAP) * (len(columns) - 1)


def _text(columns: Sequence[Column]) -> str:
    """Columns beside each other, flush right."""
    widths = [_length(rule) for _, (rule,), *_ in columns]
    lines = (line for row in zip(*columns, strict=True) for line in zip_longest(*row, fillvalue=""))
    return "\n".join(GAP.join(map(_right, line, widths)).rstrip() for line in lines)


def _right(cell: str, width: int) -> str:
    return " " * (width - _length(cell)) + cell


def _length(line: str) -> int:
    """How many letters of a terminal a line takes: Chinese, Japanese and Korean ones, and emoji, take two."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in line
    )


def wrapped(sentence: str, width: int | None, indent: str = "") -> str:
    """A sentence in lines of at most this width, those after the first indented; paths and names stay whole."""
    if width is None:
        return sentence
    return textwrap.fill(
        sentence, max(width, 20), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


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
    cells = [{neutralized(name): neutralized(value) for name, value in _flat(row)} for row in rows]
    return pd.DataFrame(cells, dtype=object).to_csv(index=False, lineterminator="\n")


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
