"""
The records of CSV, by `,`, `;` or tabs, and of TSV; errors name the row.

Those of TSV are as they stand in the file; a cell of CSV loses the `'` that `core/csv_cells.py` puts in front of one.
"""

import csv
import re
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from rarecase.core.csv_cells import restored
from rarecase.core.errors import DataError
from rarecase.data.read.lines import LONGEST_LINE, text_lines

_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_LONGEST_HEADER = 1 << 16  # characters of it that tell the delimiter
_MOST_COLUMNS = 200_000  # a line could have millions, each an object

Records = Iterator[tuple[int, list[Any]]]


def delimiter_of(header: str, wanted: Collection[str]) -> str:
    """
    What is between the names in the header of a CSV file: `,`, `;` or a tab.

    It is that by which most of the `wanted` columns are found, and of equal ones that by which there are most columns;
    so a name may hold the others, and a header of one name is one column, whatever the rows hold.
    """
    line = re.split(r"[\r\n]", header[:_LONGEST_HEADER], maxsplit=1)[0]
    folded = {name.casefold() for name in wanted}

    def found(delimiter: str) -> tuple[int, int]:
        names = next(csv.reader([line], delimiter=delimiter), [])
        return len(folded.intersection(name.strip().casefold() for name in names)), len(names)

    return max(_DELIMITERS, key=found)


def csv_records(path: Path, encoding: str, wanted: Collection[str]) -> tuple[Records, str]:
    """The records of a CSV file, the header first, and what to do where one has too many fields."""
    lines = (line for _, line in text_lines(path, encoding))
    blank, header = 0, ""
    for header in lines:
        if header.strip("\r\n"):
            break
        blank += 1
    delimiter = delimiter_of(header, wanted)
    hint = f"quote a text that holds {_DELIMITERS[delimiter]}"
    return _csv_records(path, chain([header], lines), delimiter, blank), hint


def _csv_records(path: Path, lines: Iterator[str], delimiter: str, blank: int) -> Records:
    number, length, fields = blank, 0, 0  # the last two of the row that has begun, which may have many lines

    def checked() -> Iterator[str]:
        nonlocal length, fields
        for line in lines:
            length, fields = length + len(line), fields + line.count(delimiter)
            if length > LONGEST_LINE:
                raise DataError(
                    f"{path} row {number + 1}: longer than {LONGEST_LINE >> 20} MiB; is a quote left open?"
                )
            require_few_columns(path, number + 1, fields)
            yield line

    reader = csv.reader(checked(), delimiter=delimiter, strict=True)
    try:
        for number, record in enumerate(reader, blank + 1):
            length = fields = 0
            if record:
                yield number, list(map(restored, record))
    except csv.Error as error:
        if "field limit" in str(error):
            found = f"a field of over {csv.field_size_limit():,} characters, expected at most 100,000"
            raise DataError(f"{path} row {number + 1}: {found}; is a quote left open?") from None
        # None of the module's messages contains the text.
        raise DataError(
            f'{path} row {number + 1}: {error}; expected CSV: a text with {_DELIMITERS[delimiter]} in "quotes", '
            "a quote in it doubled"
        ) from None


def tsv_records(path: Path, encoding: str) -> Records:
    """The records of a TSV file, the header first."""
    # Never quoted: a `"` belongs to the text, which the csv module and pyarrow would take for the begin of a field.
    for number, line in text_lines(path, encoding):
        line = line.removesuffix("\n").removesuffix("\r")
        if line:
            require_few_columns(path, number, line.count("\t"))
            yield number, line.split("\t")


def require_few_columns(path: Path, row: int, count: int) -> None:
    """Raises `DataError` where there are more columns than any table has; row 0 is the whole file."""
    if count > _MOST_COLUMNS:
        where = f" row {row}" if row else ""
        raise DataError(f"{path}{where}: more than {_MOST_COLUMNS:,} columns; keep those that rarecase reads")
