"""
Reddit's monthly dumps of submissions, `RS_2023-01.zst`: JSON lines, packed with a window of 2 GiB, read as a stream.

The text is the title. Authors are not kept, nor posts that an author or a moderator has deleted.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from rarecase.core.errors import DataError
from rarecase.core.progress import bar
from rarecase.core.randomness import generator
from rarecase.data.read.columns import DEFAULT, conformed
from rarecase.data.read.formats import Rows
from rarecase.data.read.json_records import Json, json_object
from rarecase.data.read.lines import text_lines

_NAME = re.compile(r"RS_.*?(\.zst|\.(jsonl|ndjson|json)(\.gz|\.zst)?)", re.IGNORECASE)
_TAKEN_BACK = re.compile(r"\s*\[\s*(deleted|removed)\b[^\]]*\]\s*", re.IGNORECASE)  # also `[deleted by user]`

Row = TypeVar("Row")


class Post(NamedTuple):
    """What is kept of a submission: `text` is the title, `source` the subreddit; `line` counts from 1."""

    line: int
    id: str
    text: str
    source: str | None
    taken_back: bool


def is_dump(path: Path) -> bool:
    """Whether a file is a dump: `RS_*.zst`, or `RS_*.jsonl` with `title` and `subreddit` in its first line."""
    match = _NAME.fullmatch(path.name)
    if not match or not path.is_file():
        return False
    if match[2] is None:
        return True
    _, line = next(text_lines(path), (0, ""))
    return '"title"' in line and '"subreddit"' in line


def posts(path: Path) -> Iterator[Post]:
    """The submissions of a dump, packed or not, in one pass and bounded memory."""
    for number, line in bar(None, path.name, " posts", iterable=text_lines(path), delay=2):
        if line.isspace():
            continue
        record = json_object(path, number, line)
        if not isinstance(record.get("id"), str):
            raise DataError(f"{path} line {number}: no string in key 'id'; expected a submission of a Reddit dump")
        fields = [record.get(key) for key in ("title", "selftext", "author")]
        taken_back = any(isinstance(field, str) and _TAKEN_BACK.fullmatch(field) for field in fields)
        source = _string(record, "subreddit") or None
        yield Post(number, _string(record, "id"), _string(record, "title"), source, taken_back)


def read_dump(path: Path, labeled: bool = False) -> Rows:
    """The posts of a dump that have not been deleted, as a table; with `labeled` refused, as a dump has no labels."""
    return table_of([post for post in posts(path) if not post.taken_back], path, labeled)


def table_of(kept: list[Post], path: Path, labeled: bool = False) -> Rows:
    """The posts as a table of the columns of `conformed`."""
    columns = {
        name: pa.array([getattr(post, name) for post in kept], pa.string()) for name in ("id", "text", "source")
    }
    rows = Rows(pa.table(columns), str(path), np.array([post.line for post in kept], np.int64), tuple(columns))
    return conformed(rows, DEFAULT, source=None, labeled=labeled)


class Reservoir(Generic[Row]):
    """
    A random sample of at most `per_source` rows of each source (None keeps all), in one pass over rows that nobody has
    counted: Algorithm R (Vitter 1985, "Random Sampling with a Reservoir"), one for each source.

    Each source draws from its own child of `seed`, so that one more source changes no other.
    """

    def __init__(self, per_source: int | None, seed: int = 0) -> None:
        self._per_source = per_source
        self._seed = seed
        self._offered = 0
        self._kept: dict[str, list[tuple[int, Row]]] = {}
        self._seen: dict[str, int] = {}
        self._draws: dict[str, np.random.Generator] = {}

    def offer(self, source: str | None, row: Row) -> None:
        """Keeps a row, skips it, or keeps it instead of another of its source (in upper or lower case)."""
        key = (source or "").casefold()
        kept = self._kept.setdefault(key, [])
        self._offered += 1
        seen = self._seen[key] = self._seen.get(key, 0) + 1
        if self._per_source is None or len(kept) < self._per_source:
            kept.append((self._offered, row))
            return
        if key not in self._draws:
            self._draws[key] = generator(self._seed, "reservoir", key)
        place = int(self._draws[key].integers(seen))
        if place < self._per_source:
            kept[place] = (self._offered, row)

    def rows(self) -> list[Row]:
        """The sample, in the order of the input."""
        kept = sorted((entry for entries in self._kept.values() for entry in entries), key=lambda entry: entry[0])
        return [row for _, row in kept]


def _string(record: Json, key: str) -> str:
    """Dumps hold halves of emoji where a title was cut; one of them is no reason to stop after an hour."""
    value = record.get(key)
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else ""
