"""From the columns of a file to those that rarecase works with; errors name the row, never the text."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Features

from rarecase.core.errors import DataError, MissingColumnError, did_you_mean, listed
from rarecase.data.read.formats import Rows
from rarecase.data.schema import GENERATED, HUMAN, features

LONGEST = 100_000  # characters of a text

_SOURCES = ("source", "subreddit")
_PROVENANCE = ("origin", "parent_id", "round", "strategy", "annotator", "generator", "prompt_hash")


@dataclass(frozen=True)
class Columns:
    """
    The names of the columns in the data, such as `Columns(text="title", label="category")`.

    A given name must be there, of a pool's labels in one of its files; by default (`id`, `text`, `label`) a table
    without `id` gets ids from a hash of the text, and a pool without `label` has no labels. With `label=""` ids and
    texts alone are read.
    """

    id: str | None = None
    text: str | None = None
    label: str | None = None

    @property
    def wanted(self) -> set[str]:
        """Every column that is read where the data has it."""
        own = {self.id or "id", self.text or "text"}
        return own if self.label == "" else {*own, self.label or "label", *_SOURCES, *_PROVENANCE, "embedding"}


DEFAULT = Columns()
NESTED = ("votes", "checks", "reading")  # of a release; read where they have its type, for `votes` may be anything


def conformed(rows: Rows, columns: Columns, *, source: str | None, labeled: bool) -> Rows:
    """
    The rows under the names of rarecase, checked.

    The result has `id` (null where the data has no ids), `text`, `label` and `source` (the given one where the data
    has no such column), all strings; then the provenance that the data has (`votes` and `reading` with the names of
    classes), and `embedding`. With `labeled`, every row needs a text and a label; else see `require_label_column`.
    """
    id_ = _find(rows, columns.id, "id", needed=columns.id is not None)
    text = _find(rows, columns.text, "text", needed=True)
    texts_alone = columns.label == ""
    label = None if texts_alone else _find(rows, columns.label, "label", needed=labeled)
    origin = None if texts_alone else next((name for name in _SOURCES if name in rows.header), None)
    made = {
        "id": _names(rows, id_),
        "text": _texts(rows, str(text)),
        "label": _names(rows, label),
        "source": pa.array([source] * len(rows.numbers), pa.string()) if origin is None else _names(rows, origin),
    }
    if not texts_alone:
        made |= _provenance(rows)
    if id_ is not None:
        _refuse(rows, made["id"].is_null(), f"no {id_!r}; every row needs an id, or no row (then rename the column)")
    if labeled:
        # A variation without text (the published set has one) teaches nothing, but is no mistake of the user's.
        person = np.ones(len(rows.numbers), dtype=bool)
        if "origin" in made:
            person = pc.not_equal(pc.fill_null(made["origin"], HUMAN), GENERATED).to_numpy()
        _refuse(rows, pa.array(is_empty(made["text"]) & person), "no text; a labelled set needs one in every row")
        _refuse(rows, made["label"].is_null(), "no label; a labelled set needs one in every row")
    return replace(rows, table=pa.table(made))


def require_label_column(parts: Sequence[Rows], columns: Columns) -> None:
    """Refuses a name for the column of labels that none of the parts of a pool has; some may be without labels."""
    if columns.label and parts and not any(columns.label in part.header for part in parts):
        _find(parts[0], columns.label, "label", needed=True)


def is_empty(text: pa.ChunkedArray) -> np.ndarray:
    """Which texts are null, empty or only white space."""
    return pc.equal(pc.utf8_trim_whitespace(pc.fill_null(text, "")), "").to_numpy(zero_copy_only=False)


def with_ids(table: pa.Table) -> pa.Table:
    """The table with an id in every row: a hash of the text, and of its count where the text is repeated."""
    if not table["id"].null_count:
        return table
    seen: dict[str, int] = {}
    ids = []
    for given, text in zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True):
        count = seen[text] = seen.get(text, -1) + 1
        hashed = f"{text}\0{count}" if count else text
        # The prefix keeps spreadsheet programs from reading a hash such as 12e45678 as a number.
        ids.append("t-" + hashlib.blake2b(hashed.encode(), digest_size=8).hexdigest() if given is None else given)
    return table.set_column(table.column_names.index("id"), "id", pa.array(ids, pa.string()))


def require_unique_ids(parts: Sequence[Rows]) -> None:
    """Refuses an id that is in two rows, naming both."""
    ids = pa.chunked_array([chunk for part in parts for chunk in part.table["id"].chunks], pa.string()).drop_null()
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    first: dict[str, tuple[Rows, int]] = {}
    for part in parts:
        for row, id_ in enumerate(part.table["id"].to_pylist()):
            if id_ is None:
                continue
            if id_ in first:
                before, at = first[id_]
                raise DataError(
                    f"{part.where(row)}: the same id as {before.where(at)}; ids must be unique: name another column "
                    "(--id-column), or rename this one (ids then come from a hash of the text)"
                )
            first[id_] = part, row


def _find(rows: Rows, given: str | None, default: str, *, needed: bool) -> str | None:
    name = given or default
    if name in rows.header:
        return name
    if not needed:
        return None
    # In a file without a header the first row is taken for one: nothing that may be a post is repeated.
    shown = [n for n in rows.header if re.fullmatch(r"[\w.-]{1,40}", n, re.ASCII)]
    hidden = len(rows.header) - len(shown)
    there = listed(shown) + (f" and {hidden} that may be texts: is the first row a header?" if hidden else "")
    raise MissingColumnError(
        f"{rows.name}: no column {name!r} (there are: {there}){did_you_mean(name, shown)}; "
        f"name it with --{default}-column"
    )


def _texts(rows: Rows, name: str) -> pa.ChunkedArray:
    kind = rows.table.schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)):
        raise DataError(
            f"{rows.name}: column {name!r} has the type {kind}, expected texts; name their column (--text-column)"
        )
    text = rows.table[name].cast(pa.string())
    _refuse(rows, pc.match_substring(text, "\0"), "a NUL byte in the text; is the file damaged?")
    long = pc.greater(pc.utf8_length(text), LONGEST)
    _refuse(rows, long, f"a text of over {LONGEST:,} characters; shorten it or take the row out")
    return text


def _names(rows: Rows, name: str | None) -> pa.ChunkedArray:
    """A column of short strings: class indices as names, empty strings as null."""
    if name is None:
        return pa.chunked_array([pa.nulls(len(rows.numbers), pa.string())])
    column = rows.table[name]
    feature = _features(rows)[name]
    if isinstance(feature, ClassLabel) and pa.types.is_integer(column.type):
        column = pc.if_else(pc.less(column, 0), None, column)  # -1 is the Hub's word for no label
        beyond = pc.greater_equal(column, len(feature.names))
        _refuse(rows, beyond, f"a number in column {name!r} for which it has no class; there are {len(feature.names)}")
        return pc.take(pa.array(feature.names, pa.string()), column)
    try:
        column = column.cast(pa.string())
    except pa.ArrowException:
        raise DataError(
            f"{rows.name}: column {name!r} has the type {column.type}, expected short strings, one a row"
        ) from None
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), None, column)


def _integers(rows: Rows, name: str) -> pa.ChunkedArray:
    try:
        return _names(rows, name).cast(pa.int32())
    except pa.ArrowException:
        raise DataError(f"{rows.name}: column {name!r} has values that are not integers; rename it") from None


def _provenance(rows: Rows) -> dict[str, pa.ChunkedArray | pa.Array]:
    """What the data has of where its rows come from, and the vectors of their texts."""
    there = [name for name in _PROVENANCE if name in rows.header]
    found = {name: _integers(rows, name) if name == "round" else _names(rows, name) for name in there}
    found |= _nested(rows)
    if "embedding" in rows.table.column_names and pa.types.is_nested(rows.table["embedding"].type):
        found["embedding"] = rows.table["embedding"]
    return found


def _features(rows: Rows) -> Features:
    """The features of the table, whose schema may have come with the file."""
    try:
        found = Features.from_arrow_schema(rows.table.schema)
        for feature in found.values():
            pa.array(getattr(feature, "names", []), pa.string())
        if set(found) >= set(rows.table.column_names):
            return found
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, pa.ArrowException):
        pass
    raise DataError(f"{rows.name}: its metadata 'huggingface' cannot be read; write the file without them")


def _nested(rows: Rows) -> dict[str, pa.ChunkedArray | pa.Array]:
    """The columns of `NESTED` that have their type of a release, and a value in some row."""
    found, released = _features(rows), features([])
    kept: dict[str, pa.ChunkedArray | pa.Array] = {}
    for name in NESTED:
        if name not in found or rows.table[name].null_count == len(rows.table):
            continue
        if not rows.table.schema.field(name).type.equals(released.arrow_schema.field(name).type):
            continue  # whatever the metadata of the file say
        if name == "reading" and isinstance(found[name], ClassLabel):
            kept[name] = _names(rows, name)
        elif name != "reading" and _fields(found[name]) == _fields(released[name]):
            kept[name] = rows.table[name]
    if "votes" in kept:
        text = pa.string()
        try:
            votes = relabeled(kept["votes"], found["votes"].feature["label"].int2str)
            kept["votes"] = pa.array(
                votes, pa.list_(pa.struct({"annotator": text, "label": text, "seconds": pa.float32()}))
            )
        except (ValueError, pa.ArrowException):
            raise DataError(f"{rows.name}: column 'votes' has numbers for which it has no class; rename it") from None
    return kept


def relabeled(votes: pa.ChunkedArray, label_of: Callable[[Any], Any]) -> list[Any]:
    """The column `votes` with other labels; what is null stays null."""
    return [
        cast and [{**vote, "label": None if vote["label"] is None else label_of(vote["label"])} for vote in cast]
        for cast in votes.to_pylist()
    ]


def _fields(feature: Any) -> dict[str, tuple[type, str]] | None:
    """The types of a list of structures, by name; the names of classes do not matter."""
    fields = getattr(feature, "feature", None)
    if not isinstance(fields, dict):
        return None
    return {name: (type(field), getattr(field, "dtype", "")) for name, field in fields.items()}


def _refuse(rows: Rows, wrong: pa.ChunkedArray | pa.Array, reason: str) -> None:
    """Raises for the first row where `wrong` is true."""
    row = pc.index(pc.fill_null(wrong, False), True).as_py()
    if row >= 0:
        raise DataError(f"{rows.where(row)}: {reason}")
