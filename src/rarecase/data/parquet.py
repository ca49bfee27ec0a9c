"""Tables as Parquet files: written whole or not at all, the same rows with the same bytes."""

import errno
import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, Features
from datasets.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from rarecase.core.documents import require_file
from rarecase.core.errors import DataError
from rarecase.core.files import write_beside
from rarecase.data.arrow import from_table, to_table


def write_parquet(path: Path, dataset: Dataset) -> None:
    """Writes a `Dataset` to Parquet, its features in the schema; the same rows give the same bytes."""
    with write_beside(path) as temporary:
        _to_parquet(dataset, str(temporary))


def parquet_bytes(dataset: Dataset) -> bytes:
    """The file that `write_parquet` would write, in memory: for what must not touch a disk."""
    buffer = io.BytesIO()
    _to_parquet(dataset, buffer)
    return buffer.getvalue()


def num_bytes(dataset: Dataset) -> int:
    """The size that `datasets` counts: that of what comes out of the Parquet file, whatever buffers the table has."""
    return pq.read_table(io.BytesIO(parquet_bytes(dataset))).nbytes


def _to_parquet(dataset: Dataset, target: str | io.BytesIO) -> None:
    # One chunk, no indices mapping: else the row groups, and with them the bytes, follow the table's history.
    plain = from_table(to_table(dataset).combine_chunks())
    had_bars = not are_progress_bars_disabled()
    disable_progress_bars()  # they would appear where stderr is no terminal
    try:
        plain.to_parquet(target, write_page_checksum=True)
    finally:
        if had_bars:
            enable_progress_bars()


def read_parquet(path: Path, columns: list[str] | None = None) -> Dataset:
    """Reads a Parquet file that `write_parquet` wrote, or some columns, into memory and past every cache."""
    try:
        require_file(path)
        table = pq.read_table(path, columns=columns, page_checksum_verification=True)
    except FileNotFoundError:  # pyarrow's does not name the file
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the file may be whole
            raise DataError(f"{path}: {error.strerror}") from error
        raise DataError(f"{path}: not a readable Parquet file (truncated?); make it again") from error
    try:
        features = Features.from_arrow_schema(table.schema)
        return from_table(table.cast(features.arrow_schema))
    except Exception as error:  # whatever: a stranger may have written what the schema says of its columns
        raise DataError(f"{path}: not a readable Parquet file (its schema); make it again") from error
