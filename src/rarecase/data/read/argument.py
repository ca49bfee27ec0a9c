"""The data arguments `--pool`, `--bootstrap`, `--dev`, `--test` and SET: `PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`."""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc
from datasets import Dataset

from rarecase.core.files import digest
from rarecase.data.read.columns import DEFAULT, Columns
from rarecase.data.read.reddit import read_dump
from rarecase.data.read.table import Source, read_parts, read_table

SPLITS = {"dev": "validation", "test": "test"}  # everything else reads `train`


class Argument(NamedTuple):
    """A data argument in its parts."""

    source: Source
    config: str | None = None
    split: str = "train"


def parse_argument(argument: Source, name: str = "pool") -> Argument:
    """
    The parts of a data argument; one that names no split means that of its `name`, see `SPLITS`. A path that exists as
    a whole is a path, also with a colon in it; an object in memory has no other parts.

    Example:
        >>> parse_argument("org/safety:cluster/test")
        Argument(source='org/safety', config='cluster', split='test')
    """
    whole = Argument(argument, split=SPLITS.get(name, "train"))
    if not isinstance(argument, str) or os.path.exists(argument):
        return whole
    source, colon, rest = argument.rpartition(":")
    if not colon or not source:
        return whole
    config, _, split = rest.partition("/")
    return Argument(source, config or None, split or whole.split)


def row_of(
    argument: str, name: str, column: str, value: str, *, columns: Columns = DEFAULT, encoding: str = "utf-8"
) -> str:
    """The first row with an `id` or `label`, for errors; the data is read again, as tables have no row numbers."""
    parts = read_parts(*parse_argument(argument, name), columns=columns, encoding=encoding)
    tables = (read_dump(part) if isinstance(part, Path) else part for part in parts)
    found = ((part, pc.index(part.table[column], value).as_py()) for part in tables)
    return next((part.where(row) for part, row in found if row >= 0), argument)


def digest_of_rows(argument: str, name: str, *, columns: Columns, encoding: str) -> str:
    """
    One hash over the rows of a data argument, to know whether it still names what it did: the same for a file that was
    only touched, or written anew with the same rows. A Reddit dump goes by its bytes, since reading it takes long.
    """
    sum_ = hashlib.blake2b(digest_size=16)
    for part in read_parts(*parse_argument(argument, name), columns=columns, encoding=encoding):
        if isinstance(part, Path):
            sum_.update(digest([part]).encode())
            continue
        for column in sorted(set(part.table.column_names) - {"embedding"}):  # which the loop makes itself
            sum_.update(json.dumps([column, part.table[column].to_pylist()], default=str).encode())
    return sum_.hexdigest()


def read_argument(
    argument: Source,
    name: str,
    *,
    columns: Columns = DEFAULT,
    encoding: str = "utf-8",
    labeled: bool | None = None,
    keep_empty: bool = False,
) -> Dataset:
    """Reads a data argument, see `read_table`; if `labeled` is None, every row needs a label but in a pool."""
    given = parse_argument(argument, name)
    return read_table(
        given.source,
        split=given.split,
        config=given.config,
        columns=columns,
        encoding=encoding,
        labeled=name != "pool" if labeled is None else labeled,
        keep_empty=keep_empty,
    )
