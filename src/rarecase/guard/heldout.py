"""
Certification rows: a random sample that people labelled, that no strategy chose and no model has learned from.

How often they were used is kept beside them, as `NAME.uses`, so that it survives a new model folder:

    {"format": 1, "uses": {IDS_SHA256: number}}
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from datasets import Dataset, concatenate_datasets

from rarecase.core.errors import DataError, shown_id
from rarecase.core.files import read_json, write_json
from rarecase.core.typed import from_json
from rarecase.data.arrow import rows
from rarecase.data.parquet import read_parquet
from rarecase.data.read import Columns, parse_argument, read_argument, row_of
from rarecase.data.read.columns import DEFAULT
from rarecase.data.schema import GENERATED, is_language_model
from rarecase.data.sets import with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.guard.certificate import ids_sha256

SET = "certify"  # of a start folder
FORMAT = 1
_SHOWN = 10  # ids of rows that are refused


@dataclass(frozen=True)
class HeldOut:
    """Certification rows."""

    name: str  # what was given, for messages
    table: Dataset  # the labelled rows: `id`, `text`, `label` as classes
    drawn: int  # how many rows were drawn, with those that were left without a label
    ids_sha256: str  # of all rows that are there
    path: Path | None = None  # the file or folder that they are in; None for a data set of the Hub
    start: Path | None = None  # the start folder that they were drawn in

    @property
    def unlabelled(self) -> int:
        """How many rows were drawn and left without a label."""
        return self.drawn - len(self.table)


@dataclass(frozen=True)
class Reading:
    """How the columns are called where rows are read from, and how text files are encoded."""

    columns: Columns = DEFAULT
    encoding: str = "utf-8"


AS_USUAL = Reading()


def read_labelled(argument: str, name: str, taxonomy: Taxonomy, reading: Reading) -> Dataset:
    """Reads a data argument, with the classes of the guard; rows may be without a label."""
    columns, encoding = reading.columns, reading.encoding
    table = read_argument(argument, name, labeled=False, columns=columns, encoding=encoding)
    where = partial(row_of, argument, name, "label", columns=columns, encoding=encoding)
    return with_classes(table, taxonomy, where)


def read_held_out(argument: str, taxonomy: Taxonomy, reading: Reading) -> HeldOut:
    """Reads a data argument, or a start folder; a `DataError` where it is no random sample that people labelled."""
    given, name = _in_start(Path(argument)), argument
    if given is not None:
        argument, reading = str(given), AS_USUAL
    classed = read_labelled(argument, SET, taxonomy, reading)
    _refuse_what_was_chosen(name, classed)
    labelled = np.flatnonzero([label is not None for label in classed["label"][:]])
    if not len(labelled):
        raise DataError(f"{name}: no row has a label; have them labelled, or name their --label-column")
    source = parse_argument(argument).source
    path = Path(str(source)) if Path(str(source)).exists() else None
    drawn, start = len(classed), None
    if path is not None and path.name == f"{SET}.parquet" and (path.parent / "drawn.parquet").is_file():
        start = path.parent
        drawn = read_parquet(start / "drawn.parquet")["set"][:].count(SET)  # those left out went back to the pool
    return HeldOut(name, rows(classed, labelled), drawn, ids_sha256(classed["id"][:]), path, start)


def together(parts: Sequence[HeldOut]) -> HeldOut:
    """Several of them as one; a `DataError` where two have a text in common."""
    if len(parts) == 1:
        return parts[0]
    seen: dict[str, int] = {}
    for place, part in enumerate(parts):  # not by its name: the same may be given twice
        for text in part.table["text"][:]:
            if seen.setdefault(text, place) != place:
                first = parts[seen[text]].name
                raise DataError(
                    f"{first} and {part.name} have texts in common, so they are no two random samples; draw the "
                    "second out of what the first has left, such as the pool.parquet of its start folder"
                )
    return HeldOut(
        " and ".join(part.name for part in parts),
        concatenate_datasets([part.table for part in parts]),
        sum(part.drawn for part in parts),
        ids_sha256([part.ids_sha256 for part in parts]),
        start=parts[-1].start,
    )


def _in_start(folder: Path) -> Path | None:
    """The certification set of a start folder; None for what is none."""
    if not (folder / "drawn.parquet").is_file():
        return None
    if not (folder / f"{SET}.parquet").is_file():
        raise DataError(
            f"{folder}: has no labelled certification set; begin with `rarecase start --certify NUMBER`, and have it "
            "labelled to its end"
        )
    return folder / f"{SET}.parquet"


def _refuse_what_was_chosen(name: str, table: Dataset) -> None:
    """Raises `DataError` where a row is not what a random draw and people make."""

    def column(of: str) -> list[str | None]:
        return table[of][:] if of in table.column_names else [None] * len(table)

    refuse_strategies(name, table)
    reasons = {
        "were generated": [
            origin == GENERATED or generator is not None or parent is not None
            for origin, generator, parent in zip(
                column("origin"), column("generator"), column("parent_id"), strict=True
            )
        ],
        "were labelled by a language model": [is_language_model(one) for one in column("annotator")],
    }
    for reason, wrong in reasons.items():
        refuse(name, table, np.array(wrong), reason)


def refuse_strategies(name: str, table: Dataset) -> None:
    """Raises `DataError` where rows were chosen by a strategy."""
    if "strategy" in table.column_names:
        chosen = np.array([one is not None for one in table["strategy"][:]])
        refuse(name, table, chosen, "were chosen by a strategy, and what it chose is no random sample")


def refuse(name: str, table: Dataset, wrong: np.ndarray, reason: str) -> None:
    """Raises `DataError` where rows are wrong, with how many are and the first ids."""
    if wrong.any():
        ids = [id_ for place in np.flatnonzero(wrong)[:_SHOWN] if (id_ := shown_id(table["id"][int(place)]))]
        more = f" and {wrong.sum() - len(ids):,} more" if wrong.sum() > len(ids) else ""
        shown = f" (ids{','.join(ids)}{more})" if ids else ""
        way = "give other rows" if wrong.all() else "leave them out"
        raise DataError(
            f"{name}: {wrong.sum():,} of {len(wrong):,} rows {reason}{shown}; {way}, for a certificate needs rows "
            "drawn at random and labelled by people, such as those of `rarecase start --certify NUMBER`"
        )


@dataclass(frozen=True)
class Uses:
    """How often rows were used to calibrate a guard, by the hash of their ids."""

    uses: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, part: HeldOut) -> "Uses":
        """What is kept beside the rows; nothing where they are on the Hub, or were not used."""
        path = _path(part)
        if path is None or not path.exists():
            return cls()
        content = read_json(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DataError(f"{path}: of another format, this rarecase reads {FORMAT}; use the rarecase that wrote it")
        return from_json(cls, content, str(path))

    def of(self, part: HeldOut) -> int:
        """How often these rows were used."""
        return self.uses.get(part.ids_sha256, 0)

    def add(self, part: HeldOut) -> None:
        """Writes one use more beside the rows, if they are in a file or folder."""
        if (path := _path(part)) is not None:
            write_json(path, {"format": FORMAT, "uses": {**self.uses, part.ids_sha256: self.of(part) + 1}})


def _path(part: HeldOut) -> Path | None:
    """Beside a folder, not in it, where it would be taken for data or be published."""
    if part.path is None:
        return None
    path = part.path.resolve()
    return path.with_name(f"{path.name}.uses")
