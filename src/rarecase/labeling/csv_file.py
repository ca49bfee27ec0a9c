"""CSV files as spreadsheet programs give them back; what `core/csv_cells.py` put in front of a cell is taken away."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from rarecase.core.csv_cells import restored
from rarecase.core.documents import MEBIBYTE, require_file
from rarecase.core.errors import DataError, did_you_mean
from rarecase.data.read.delimited import delimiter_of
from rarecase.data.read.lines import encoding_by_mark

LONGEST = 64 * MEBIBYTE  # sixty thousand posts of a kilobyte, which is more than people label at once
MOST_ROWS = 1 << 20  # what a spreadsheet program shows


def read_csv(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """
    The rows that are not empty, by these columns, with their numbers (the header is row 1, as a spreadsheet counts). A
    byte order mark, `;` or tabs and left-out trailing cells are understood; of two columns with one name the first
    counts.
    """
    try:
        return _rows(path, _table(path, columns), columns, optional)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "no CSV file in UTF-8"
        raise DataError(f"{path}: {reason}; expected a CSV file, saved as 'CSV UTF-8'") from None


def _table(path: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    require_file(path)
    with path.open("rb") as file:
        content = file.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise DataError(
            f"{path}: longer than {LONGEST // MEBIBYTE} MiB; expected what people filled in, or a part of it"
        )
    encoding = encoding_by_mark(content) or "utf-8-sig"
    lines = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")
    header = lines.readline()
    lines.seek(0)
    return csv.reader(lines, delimiter=delimiter_of(header, columns))


def _rows(
    path: Path, table: Iterator[list[str]], columns: Sequence[str], optional: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    head = [cell.strip().casefold() for cell in next(table, [])]
    for column in columns:
        if column not in head:
            hint = did_you_mean(column, head)
            raise DataError(f"{path} row 1: no column {column!r}{hint}; expected the columns {', '.join(columns)}")
    places = {column: head.index(column) for column in (*columns, *optional) if column in head}
    rows = []
    for number, cells in enumerate(table, 2):
        if number > MOST_ROWS:
            raise DataError(f"{path}: more than {MOST_ROWS:,} rows; expected what people filled in, or a part of it")
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(head):
            advice = "put quotes around a text that contains the separator"
            raise DataError(f"{path} row {number}: {len(cells)} cells, expected {len(head)}; {advice}")
        found = {name: restored(cells[place]) if place < len(cells) else "" for name, place in places.items()}
        rows.append((number, found))
    return rows
