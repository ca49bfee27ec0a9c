"""A table for other programs, in the format that the ending of its file's name asks for."""

import json
from pathlib import Path

from datasets import Dataset

from rarecase.core.csv_cells import write_csv
from rarecase.core.files import require_new, write_text
from rarecase.data.parquet import write_parquet


def require_new_table(out: Path) -> None:
    """Raises `ConfigError` where `write_table` knows no such ending, or something is there already."""
    require_new(out, ".csv", ".jsonl", ".parquet")


def write_table(out: Path, table: Dataset) -> None:
    """Writes a table of texts and numbers, whole or not at all; in CSV no cell is a formula."""
    ending = out.suffix.lower()
    if ending == ".parquet":
        write_parquet(out, table)
        return
    rows = zip(*(table[column][:] for column in table.column_names), strict=True)
    if ending == ".csv":
        write_csv(out, [table.column_names, *rows])
        return
    named = (dict(zip(table.column_names, row, strict=True)) for row in rows)
    write_text(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in named))
