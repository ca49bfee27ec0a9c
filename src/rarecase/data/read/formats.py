"""
One file into one Arrow table: CSV, TSV, JSON and Parquet, each plain, gzip or zstd.

Only the columns that rarecase reads are kept, everything textual as strings (an id `007` stays `007`), and every row
keeps its number, so that an error can name it as a person finds it: the header of a CSV or TSV is row 1.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rarecase.core.documents import SURROGATE
from rarecase.core.errors import DataError
from rarecase.data.read.delimited import Records, csv_records, require_few_columns, tsv_records
from rarecase.data.read.json_records import json_records, kind_of
from rarecase.data.read.lines import COMPRESSED, chunks

FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")

_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods", ".numbers")
_SMALL = 64 << 20  # bytes that the columns which are read of any file may expand to
_MOST_EXPANDED = 20  # times its size that a larger one may: texts shrink to a fifth, all columns to a tenth
_PARQUET_BATCH = 1 << 14  # rows
_BATCH = 1 << 16  # rows that are held as Python objects before they become Arrow


@dataclass(frozen=True)
class Rows:
    """The rows of a file or a data set, under the names of columns that it has there."""

    table: pa.Table
    name: str
    numbers: np.ndarray  # of the rows in the file
    header: tuple[str, ...]  # the names of all columns, also of those left out

    def where(self, row: int) -> str:
        """A row as a person finds it: `posts.csv row 17`."""
        return f"{self.name} row {self.numbers[row]}"


class _Size:
    """Counts what is read of a file; a `DataError` where no table in a file of its size expands to so much."""

    def __init__(self, path: Path):
        self._path = path
        self._most = max(_SMALL, _MOST_EXPANDED * path.stat().st_size)
        self._read = 0

    def add(self, read: int) -> None:
        """Counts so many bytes, or characters and eight for the row."""
        self._read += read
        if self._read > self._most:
            raise DataError(
                f"{self._path}: expands to more than {self._most >> 20:,} MiB, as no table of its size does; make it "
                "again"
            )


def format_of(path: Path) -> str | None:
    """The format by the name of a file, such as `.csv` for `posts.csv.gz`; None where it is unknown."""
    name = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    return name.suffix.lower() if name.suffix.lower() in FORMATS else None


def read_file(path: Path, wanted: Collection[str], encoding: str = "utf-8") -> Rows:
    """Reads the `wanted` columns of one file; a `DataError` names the file and the row of what is broken."""
    ending = format_of(path)
    if path.suffix.lower() in _WORKBOOKS:
        raise DataError(f"{path}: no workbook is read; export the sheet as CSV ('CSV UTF-8' in Excel) and name that")
    if ending is None:
        raise DataError(
            f"{path}: unknown ending; expected {', '.join(FORMATS)}, plain or with {' or '.join(COMPRESSED)}"
        )
    if ending == ".parquet":
        rows = _parquet(path, wanted)
    elif ending == ".csv":
        rows = _delimited(path, *csv_records(path, encoding, wanted), wanted)
    elif ending == ".tsv":
        rows = _delimited(path, tsv_records(path, encoding), "a text must not hold a tab or a line break", wanted)
    else:
        rows = _json(path, {*wanted} - {"embedding"}, encoding)  # vectors are those of Parquet files alone
    if not rows.numbers.size:
        raise DataError(f"{path}: no rows; expected at least one{' below the header' if rows.header else ''}")
    return rows


def _delimited(path: Path, records: Records, hint: str, wanted: Collection[str]) -> Rows:
    _, names = next(records, (0, None))
    if names is None:
        raise DataError(f"{path}: the file is empty; expected a header and rows")
    kept, size = _kept(path, names, wanted), _Size(path)

    def rows() -> Records:
        for number, fields in records:
            if len(fields) != len(names):
                raise DataError(
                    f"{path} row {number}: {len(fields)} fields, expected {len(names)} as in the header; {hint}"
                )
            values = [fields[place] for place in kept]
            size.add(8 + sum(map(len, values)))
            yield number, values

    return replace(_collect(path, rows(), [names[place] for place in kept]), header=tuple(names))


def _kept(path: Path, names: Sequence[str], wanted: Collection[str]) -> list[int]:
    """The places of the columns that are read, each there once."""
    kept = [place for place, name in enumerate(names) if name in wanted]
    twice = next((names[place] for place in kept if names.count(names[place]) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: the header has the column {twice[:60]!r} twice; rename one")
    return kept


def _json(path: Path, wanted: Collection[str], encoding: str) -> Rows:
    seen: dict[str, None] = {}
    batch: list[tuple[int, dict[str, str | None]]] = []
    tables: list[Rows] = []

    def close() -> None:
        names = [name for name in seen if name in wanted]
        records = ((number, [texts.get(name) for name in names]) for number, texts in batch)
        tables.append(_collect(path, records, names))
        batch.clear()

    size = _Size(path)
    for number, record in json_records(path, encoding):
        seen.update(dict.fromkeys(record))
        texts = {n: _plain_text(path, number, n, value) for n, value in record.items() if n in wanted}
        size.add(8 + sum(map(len, filter(None, texts.values()))))
        batch.append((number, texts))
        if len(batch) == _BATCH:
            close()
    close()
    # A key that comes later than the first batch is null before.
    table = pa.concat_tables([rows.table for rows in tables], promote_options="default")
    return Rows(table, str(path), np.concatenate([rows.numbers for rows in tables]), tuple(seen))


def _parquet(path: Path, wanted: Collection[str]) -> Rows:
    try:
        source = pa.BufferReader(_unpacked(path)) if path.suffix.lower() in COMPRESSED else path
        file = pq.ParquetFile(source, page_checksum_verification=True)
        header = tuple(file.schema_arrow.names)
        require_few_columns(path, 0, len(header))
        kept = _kept(path, header, wanted)
        names = [header[place] for place in kept]
        _Size(path).add(_bytes_of(file, names))
        # A text that is stored once may stand in every row: dictionaries keep it once until its rows are counted.
        columns = (file.metadata.schema.column(place) for place in range(file.metadata.num_columns))
        texts = [c.path for c in columns if c.physical_type == "BYTE_ARRAY" and c.path in names]
        file = pq.ParquetFile(source, metadata=file.metadata, read_dictionary=texts, page_checksum_verification=True)
        batches, size = [], _Size(path)
        for batch in file.iter_batches(_PARQUET_BATCH, columns=names):
            size.add(sum(map(_plain_bytes, batch.columns)))
            plain = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
            batches.append(pa.record_batch(plain, names))
        table = pa.Table.from_batches(batches) if batches else file.schema_arrow.empty_table().select(names)
        table.validate(full=True)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(f"{path}: {error.strerror}") from error
        raise DataError(f"{path}: not a readable Parquet file (truncated?); fetch or make it again") from None
    table = table.replace_schema_metadata(file.schema_arrow.metadata)
    rows = table.num_rows if names else file.metadata.num_rows
    return Rows(table, str(path), np.arange(1, rows + 1), header)


def _unpacked(path: Path) -> bytes:
    pieces, size = [], _Size(path)
    for piece in chunks(path):
        pieces.append(piece)
        size.add(len(piece))
    return b"".join(pieces)


def _bytes_of(file: pq.ParquetFile, names: Collection[str]) -> int:
    """
    What the columns take in memory: texts that are stored once are counted once.

    Where the footer is damaged in what it says of a column, `.column(…)` ends the process, which no other way to read
    it does. So it is asked for lists alone, of whose values a page of a few bytes may have any number, and only once
    they have been read, without keeping them.
    """
    metadata = file.metadata
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    for place, column in enumerate(map(metadata.schema.column, range(metadata.num_columns))):
        if column.path.partition(".")[0] not in names:
            continue
        if column.max_repetition_level:
            file.scan_contents([column.path])
            size += 8 * sum(group.column(place).num_values for group in groups)
        else:
            size += 8 * metadata.num_rows
    return size


def _plain_bytes(column: pa.Array) -> int:
    """What a column takes once every text stands in its row."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    return pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0


def _collect(path: Path, records: Records, names: list[str]) -> Rows:
    """Records as Arrow strings, a batch at a time, so that a large file is never held as Python objects."""
    schema = pa.schema([(name, pa.string()) for name in names])
    batches, numbers = [], [np.empty(0, np.int64)]
    while chunk := list(islice(records, _BATCH)):
        try:
            columns = [pa.array([values[place] for _, values in chunk], pa.string()) for place in range(len(names))]
        except UnicodeEncodeError:
            row = next(number for number, values in chunk if any(SURROGATE.search(value or "") for value in values))
            raise DataError(
                f"{path} row {row}: half of a surrogate pair (\\ud800 … \\udfff), not valid text"
            ) from None
        batches.append(pa.record_batch(columns, schema=schema))
        numbers.append(np.array([number for number, _ in chunk], np.int64))
    return Rows(pa.Table.from_batches(batches, schema), str(path), np.concatenate(numbers), tuple(names))


def _plain_text(path: Path, number: int, name: str, value: Any) -> str | None:
    """A value of JSON as text; lists and objects are refused."""
    if isinstance(value, str):
        return value
    if value is None or value != value:  # NaN, as some write what is missing
        return None
    if isinstance(value, list | dict):
        raise DataError(f"{path} row {number}: {name!r} is {kind_of(value)}, expected text; write one value a row")
    return json.dumps(value)
