"""CSV files as spreadsheet programs give them back; what `core/csv_cells.py` put in front of a cell is taken away."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from rarecase.core.csv_cells import restored
from rarecase.core.errors import DataError, did_you_mean


def read_csv(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """
    The rows that are not empty, by column, with their numbers; the header is row 1, as a spreadsheet counts.

    A byte order mark, `;` or tabs between the cells and left-out trailing cells are understood; a `DataError` names
    the file and row where the rest is not readable, or one of these columns is missing.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
        header = re.split(r"[\r\n]", content, maxsplit=1)[0]
        table = list(csv.reader(io.StringIO(content, newline=""), delimiter=max(",;\t", key=header.count)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "no CSV file in UTF-8"
        raise DataError(f"{path}: {reason}; expected a CSV file, saved as 'CSV UTF-8'") from None
    head = [cell.strip().casefold() for cell in table[0]] if table else []
    for column in columns:
        if column not in head:
            hint = did_you_mean(column, head)
            raise DataError(f"{path} row 1: no column {column!r}{hint}; expected the columns {', '.join(columns)}")
    rows = []
    for number, cells in enumerate(table[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(head):
            advice = "put quotes around a text that contains the separator"
            raise DataError(f"{path} row {number}: {len(cells)} cells, expected {len(head)}; {advice}")
        found = list(zip_longest(head, map(restored, cells), fillvalue=""))
        rows.append((number, dict(reversed(found))))  # of two columns with one name the first counts
    return rows
