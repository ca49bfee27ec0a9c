"""
CSV files for people, who open them in a spreadsheet program: it runs a cell that begins like a formula.

So each text that begins with `=`, `+`, `-`, `@`, a tab, a carriage return or `'` gets one `'` in front, which is taken
away where it is read. A number stays a number.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

from rarecase.core.errors import DataError
from rarecase.core.files import write_beside

BEGINS = ("=", "+", "-", "@", "\t", "\r", "'")


def neutralized(cell: object) -> object:
    """The cell as it is written: a text is no formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(BEGINS) else cell


def restored(cell: str) -> str:
    """The cell that `neutralized` was given; one that begins with `'` and none of these signs stays as it is."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(BEGINS) else cell


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Writes rows as RFC 4180 in UTF-8, whole or not at all."""
    try:
        with write_beside(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(map(neutralized, row) for row in rows)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another place") from error
