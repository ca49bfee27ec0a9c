"""Whatever somebody has, files, folders, data sets and dumps, as one pool of different posts that people wrote."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from datasets import Dataset

from rarecase.core.errors import ConfigError, DataError
from rarecase.core.files import require_new
from rarecase.core.progress import Progress, bar
from rarecase.data.arrow import from_table
from rarecase.data.parquet import write_parquet
from rarecase.data.read.argument import parse_argument
from rarecase.data.read.columns import DEFAULT, Columns, is_empty, require_label_column, require_unique_ids, with_ids
from rarecase.data.read.duplicates import drop_duplicates, exact_duplicates
from rarecase.data.read.formats import Rows
from rarecase.data.read.reddit import Post, Reservoir, posts, table_of
from rarecase.data.read.table import Source, concatenate, read_parts
from rarecase.data.schema import GENERATED


@dataclass(frozen=True)
class PoolCounts:
    """What became of the rows that were read; each is counted once, so the rest adds up to `read`."""

    read: int
    generated: int  # written by a model
    empty: int
    taken_back: int  # posts deleted or removed
    other_sources: int
    beyond_sample: int  # not drawn
    duplicates: int
    near_duplicates: int
    elsewhere: int  # in another set
    kept: int

    def __str__(self) -> str:
        """One line, without the counts that are zero."""
        counts = [f"{count:,} {name.replace('_', ' ')}" for name, count in asdict(self).items() if count]
        return ", ".join(counts)

    def as_lines(self) -> list[str]:
        """A line for each count that is not zero, for a terminal."""
        return [f"{count:>10,}  {name.replace('_', ' ')}" for name, count in asdict(self).items() if count]


def make_pool(
    sources: Sequence[Source],
    *,
    against: Sequence[Dataset] = (),
    columns: Columns = DEFAULT,
    encoding: str = "utf-8",
    wanted: Sequence[str] = (),
    per_source: int | None = None,
    seed: int = 0,
    repeats: bool = True,
) -> tuple[Dataset, PoolCounts]:
    """
    Reads every source, samples, and drops what comes again; gives the pool and what became of all rows.

    In this order: rows that a model wrote, that have no text or were taken back, and rows of other sources than
    `wanted`; then all but `per_source` of each source, drawn; then duplicates and near-duplicates (unless `repeats` is
    false), and what is in the sets `against`. Dumps are read as a stream, so that only what is drawn is held.

    Raises `DataError` naming file and row, also where one id stands for two texts; where no row is left; or where a
    column of labels is named that no source has, unless there are sets `against`, whose it is then.
    """
    if per_source is not None and per_source < 1:
        raise ConfigError(f"--per-source {per_source}: expected at least 1")
    if seed < 0:
        raise ConfigError(f"--seed {seed}: expected at least 0")
    with Progress(len(sources), "source") as progress:
        parts = [part for source in sources for part in _parts(source, columns, encoding, progress)]
    if not against:
        require_label_column([part for part in parts if isinstance(part, Rows)], columns)
    counts: Counter[str] = Counter()
    names = {name.casefold() for name in wanted}
    reservoir: Reservoir[tuple[int, Post | int]] = Reservoir(per_source, seed)
    with bar(None, "reading", " posts", delay=1) as shown:
        for place, part in enumerate(parts):
            for name, row in _usable(part, counts):
                shown.update()
                if names and (name or "").casefold() not in names:
                    counts["other_sources"] += 1
                else:
                    counts["beyond_sample"] += 1  # until it is drawn
                    reservoir.offer(name, (place, row))
    by_part = groupby(reservoir.rows(), key=itemgetter(0))
    drawn = [_rows_of(parts[place], [row for _, row in entries]) for place, entries in by_part]
    if not drawn:
        way = "is --sources one of theirs?" if names else "expected one that a person wrote and that has a text"
        raise DataError(f"no post is left of the {counts['read']} that were read; {way}")
    table = concatenate(drawn)
    counts["beyond_sample"] -= len(table)
    _require_one_text_for_an_id(drawn, exact_duplicates(table["text"].to_pylist()))
    pool, dropped = drop_duplicates(from_table(with_ids(table)), against, repeats=repeats)
    if not len(pool):
        raise DataError(
            f"no post is left of the {counts['read']} that were read: all are in the other sets; give other posts"
        )
    counts.update(duplicates=dropped.exact, near_duplicates=dropped.near, elsewhere=dropped.elsewhere, kept=len(pool))
    return pool, PoolCounts(**{field.name: counts[field.name] for field in fields(PoolCounts)})


def write_pool(out: Path, sources: Sequence[Source], **options: Any) -> PoolCounts:
    """Writes what `make_pool` makes of the sources to a new Parquet file."""
    require_new(out, ".parquet")
    posts, counts = make_pool(sources, **options)
    write_parquet(out, posts)
    return counts


def _parts(source: Source, columns: Columns, encoding: str, progress: Progress) -> list[Rows | Path]:
    """The tables of a source; a dump as its path, to be read as a stream."""
    progress.step("reading")
    parts = read_parts(*parse_argument(source), columns=columns, encoding=encoding)
    require_unique_ids([part for part in parts if isinstance(part, Rows)])
    return parts


def _usable(part: Rows | Path, counts: Counter[str]) -> Iterator[tuple[str | None, Post | int]]:
    """The source of every row that people can label, and the row: a post of a dump, a place in a table."""
    if isinstance(part, Path):
        for post in posts(part):
            counts["read"] += 1
            if post.taken_back:
                counts["taken_back"] += 1
            elif not post.text.strip():
                counts["empty"] += 1
            else:
                yield post.source, post
        return
    table = part.table
    generated = np.zeros(len(table), dtype=bool)
    if "origin" in table.column_names:
        generated = pc.equal(pc.fill_null(table["origin"], ""), GENERATED).to_numpy()
    empty = is_empty(table["text"]) & ~generated
    counts.update(read=len(table), generated=int(generated.sum()), empty=int(empty.sum()))
    sources = table["source"].to_pylist()
    for row in np.flatnonzero(~(generated | empty)).tolist():
        yield sources[row], row


def _rows_of(part: Rows | Path, rows: list[Any]) -> Rows:
    """The rows that were drawn from a table or a dump."""
    if isinstance(part, Path):
        return table_of(rows, part)
    places = np.array(rows, dtype=np.int64)
    return replace(part, table=part.table.take(places), numbers=part.numbers[places])


def _require_one_text_for_an_id(parts: Sequence[Rows], repeats: np.ndarray) -> None:
    """Sources may overlap, so an equal text under an equal id is a repeat; under two texts an id is a mistake."""
    begin, distinct = 0, []
    for part in parts:
        rows = np.flatnonzero(~repeats[begin : begin + len(part.numbers)])
        distinct.append(_rows_of(part, rows.tolist()))
        begin += len(part.numbers)
    require_unique_ids(distinct)
