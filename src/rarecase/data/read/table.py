"""One `Dataset` from a file, a folder, a release, a data set of the Hub or an object in memory."""

import logging
import os
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict

from rarecase.core.errors import DataError, listed
from rarecase.data.arrow import from_table, to_table
from rarecase.data.read.card import configs_in, refuse_links_out
from rarecase.data.read.columns import (
    DEFAULT,
    NESTED,
    Columns,
    conformed,
    is_empty,
    require_label_column,
    require_unique_ids,
    with_ids,
)
from rarecase.data.read.formats import Rows, format_of, read_file
from rarecase.data.read.hub import load
from rarecase.data.read.reddit import is_dump, read_dump

logger = logging.getLogger(__name__)

Source: TypeAlias = str | Path | Dataset | DatasetDict


def read_table(
    source: Source,
    *,
    split: str,
    config: str | None = None,
    columns: Columns = DEFAULT,
    encoding: str = "utf-8",
    labeled: bool,
    keep_empty: bool = False,
) -> Dataset:
    """
    Reads a table.

    Args:
        source (`str | Path | Dataset | DatasetDict`): a file: CSV (RFC 4180, by `,`, `;` or tabs), TSV (never
            quoted), JSON (lines, or in a `.json` one array) or Parquet, plain, `.gz` or `.zst`; a Reddit dump
            `RS_*.zst`; a release (a folder whose README has `configs`); any other folder of such files, in the order
            of their names; the id of a data set on the Hub; or an object in memory.
        split (`str`): of a release, a data set of the Hub or a `DatasetDict`; files have none.
        config (`str`, *optional*): of a release or a data set of the Hub.
        columns (`Columns`): the names that the columns have there.
        encoding (`str`): of text files without the byte order mark of another one.
        labeled (`bool`): whether every row needs a text and a label. In a pool, rows without text are left out, and
            their number is logged.
        keep_empty (`bool`, *optional*, defaults to `False`): keeps them, too; a null becomes the text "".

    Returns:
        `Dataset`: `id`, `text`, `label` (names of classes) and `source` (the column `source` or `subreddit`, else the
        name of the file), all strings; and of `origin`, `parent_id`, `round`, `strategy`, `annotator`, `generator`,
        `prompt_hash` and `embedding` those that are there, and of a release `votes`, `checks` and `reading`.

    Raises:
        `DataError`: naming the file, the row and the way out; or what was given, if it is no source.

    Example:
        >>> from rarecase.data.read import Columns
        >>> test = read_table("test.tsv", split="test", columns=Columns(text="title", label="category"), labeled=True)
    """
    read = read_parts(source, config, split, columns=columns, encoding=encoding, labeled=labeled)
    parts = [read_dump(part, labeled) if isinstance(part, Path) else part for part in read]
    require_label_column(parts, columns)
    require_unique_ids(parts)
    table = concatenate(parts)
    empty = is_empty(table["text"])
    name = str(source) if isinstance(source, str | Path) else "dataset"
    if keep_empty:
        table = table.set_column(table.column_names.index("text"), "text", pc.fill_null(table["text"], ""))
    elif empty.any():
        logger.warning("%s: %d rows without text left out", name, np.count_nonzero(empty))
        table = table.filter(pa.array(~empty))
    if not len(table):
        raise DataError(f"{name}: no row has a text; expected at least one")
    return from_table(with_ids(table))


def read_parts(
    source: Source,
    config: str | None,
    split: str,
    *,
    columns: Columns = DEFAULT,
    encoding: str = "utf-8",
    labeled: bool = False,
) -> list[Rows | Path]:
    """
    Reads a table file by file, with the row numbers and, in a pool, the rows without text; see `read_table`.

    A dump is its path, to be read as a stream (`read_dump`). `id` is null where the file has no ids.
    """
    if isinstance(source, DatasetDict):
        if split not in source:
            raise DataError(f"no split {split!r} in the DatasetDict; it has {listed(source)}")
        source = source[split]
    if isinstance(source, Dataset):
        return [_of_dataset(source, "dataset", columns, labeled)]
    if not isinstance(source, str | Path):
        raise DataError(
            f"the table is {type(source).__name__}, expected a path, the id of a data set on the Hub or a "
            "datasets.Dataset; make one by Dataset.from_pandas, from_dict or from_list"
        )
    if source == "":  # as a path it would be the working folder
        raise DataError("the path of a table is empty; name a file, a folder or a data set of the Hub")
    path = Path(source)
    if os.path.exists(path) and not is_release(path):  # `Path.exists` raises for a name that is too long
        if config is not None:
            raise DataError(
                f"{path}: files have no configs, only a release has (in its README.md); leave :{config} out"
            )
        files = data_files(path)
        return [file if is_dump(file) else _of_file(file, columns, encoding, labeled) for file in files]
    name = f"{source}:{config}/{split}" if config else f"{source}:{split}"
    return [_of_dataset(load(str(source), config, split), name, columns, labeled)]


def concatenate(parts: list[Rows]) -> pa.Table:
    """The rows of all parts in their order; a column that one of them lacks is null there."""
    try:
        return pa.concat_tables([part.table for part in parts], promote_options="default")
    except pa.ArrowException:
        names = listed(part.name for part in parts)
        raise DataError(
            f"{names}: their columns differ in type (embeddings of two lengths?); read them separately"
        ) from None


def data_files(path: Path) -> list[Path]:
    """The data files of a path: itself, or those in the folder, sorted by name."""
    if not path.is_dir():
        return [path]
    files = sorted(f for f in path.iterdir() if f.is_file() and f.name[0] != "." and (is_dump(f) or format_of(f)))
    if not files:
        raise DataError(f"{path}: no data files in this folder; expected CSV, TSV, JSON or Parquet, or a release")
    refuse_links_out(path, files)
    return files


def is_release(path: Path) -> bool:
    """Whether a folder is a release: its `README.md` has `configs` in the front matter."""
    card = path / "README.md"
    return card.is_file() and bool(configs_in(card))


def _of_file(path: Path, columns: Columns, encoding: str, labeled: bool) -> Rows:
    typed = NESTED if format_of(path) == ".parquet" else ()
    rows = read_file(path, {*columns.wanted, *typed}, encoding)
    return conformed(rows, columns, source=path.name, labeled=labeled)


def _of_dataset(dataset: Dataset, name: str, columns: Columns, labeled: bool) -> Rows:
    if not len(dataset):
        raise DataError(f"{name}: no rows; expected at least one")
    wanted = {*columns.wanted, *NESTED}
    kept = dataset.select_columns([column for column in dataset.column_names if column in wanted])
    rows = Rows(to_table(kept), name, np.arange(len(dataset)), tuple(dataset.column_names))
    return conformed(rows, columns, source=None, labeled=labeled)
