"""The data arguments `--pool`, `--bootstrap`, `--dev`, `--test` and SET: `PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`."""

import os
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc
from datasets import Dataset

from rarecase.data.read.columns import DEFAULT, Columns
from rarecase.data.read.reddit import read_dump
from rarecase.data.read.table import Source, read_parts, read_table

SPLITS = {"dev": "validation", "test": "test"}  # everything else reads `train`


class Argument(NamedTuple):
    """A data argument in its parts; without a split, that of the argument's name, see `SPLITS`."""

    source: Source
    config: str | None = None
    split: str | None = None


def parse_argument(argument: Source) -> Argument:
    """
    The parts of a data argument. A path that exists as a whole is a path, also with a colon in it; an object in memory
    has no other parts.

    Example:
        >>> parse_argument("org/safety:cluster/test")
        Argument(source='org/safety', config='cluster', split='test')
    """
    if not isinstance(argument, str):
        return Argument(argument)
    source, colon, rest = argument.rpartition(":")
    if not colon or not source or os.path.exists(argument):
        return Argument(argument)
    config, _, split = rest.partition("/")
    return Argument(source, config or None, split or None)


def row_of(
    argument: str, name: str, column: str, value: str, *, columns: Columns = DEFAULT, encoding: str = "utf-8"
) -> str:
    """The first row with an `id` or `label`, for errors; the data is read again, as tables have no row numbers."""
    given = parse_argument(argument)
    split = given.split or SPLITS.get(name, "train")
    parts = read_parts(given.source, split=split, config=given.config, columns=columns, encoding=encoding)
    tables = (read_dump(part) if isinstance(part, Path) else part for part in parts)
    found = ((part, pc.index(part.table[column], value).as_py()) for part in tables)
    return next((part.where(row) for part, row in found if row >= 0), argument)


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
    given = parse_argument(argument)
    return read_table(
        given.source,
        split=given.split or SPLITS.get(name, "train"),
        config=given.config,
        columns=columns,
        encoding=encoding,
        labeled=name != "pool" if labeled is None else labeled,
        keep_empty=keep_empty,
    )
