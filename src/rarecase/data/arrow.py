"""
Arrays out of a `Dataset` and back: the only way to a table's arrays.

Outside of `rarecase.data` nothing reads or builds an Arrow table: `matrix` and `finite` give arrays, `rows`,
`with_column`, `with_columns_from` and `from_columns` give tables, and everything else is the public interface of
`Dataset` (`table["id"][:]`, `to_list`). So a pool on disk can come behind these functions.

Every step takes a `Dataset` and returns one. On the way through the loop a table carries columns of fixed names beside
the released ones (`rarecase.data.schema`): `embedding` and `similarity` (the fixed encoder's), `cluster`, `probs`,
`features` and `mc_probs` (the learner's), `score`.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, Features
from datasets.features.features import generate_from_arrow_type
from datasets.fingerprint import generate_random_fingerprint
from datasets.table import InMemoryTable

from rarecase.core.errors import DataError, MissingColumnError, did_you_mean, listed, shown_id

# The columns that are made on the way, and the call that makes each.
_MADE_BY = {
    "embedding": "rarecase.embed(dataset, encoder)",
    "cluster": "rarecase.assign_clusters(dataset, m, seed=...)",
    "similarity": "rarecase.compare(dataset, definitions, encoder)",
    "probs": "learner.score(dataset)",
    "features": "learner.score(dataset)",
    "mc_probs": "learner.sample(dataset)",
}
HELPERS = tuple(_MADE_BY)


def to_table(dataset: Dataset) -> pa.Table:
    """The rows as an Arrow table in their present order, also after `select` and `shuffle`."""
    if not dataset.column_names:
        return pa.table({})
    return as_arrow(dataset)[:]


def as_arrow(dataset: Dataset) -> Dataset:
    """The same rows, whose columns are read as Arrow arrays."""
    # `with_format` copies all that is known of the table too, which takes longer than reading a column.
    view = copy.copy(dataset)
    view.set_format("arrow")
    return view


def from_table(table: pa.Table) -> Dataset:
    """The `Dataset` over an Arrow table, in memory; the features come from the schema."""
    # Hashing the whole table for a fingerprint, the default, would take longer than choosing from it.
    return Dataset(InMemoryTable(table), fingerprint=generate_random_fingerprint())


def from_columns(columns: Mapping[str, Any], features: Features) -> Dataset:
    """The `Dataset`, in memory, of columns given as lists or arrays; one that is not given is null."""
    schema, length = features.arrow_schema, len(next(iter(columns.values())))
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(length, field.type)
        for field in schema
    ]
    return from_table(pa.table(arrays, schema=schema))


def matrix(dataset: Dataset, column: str) -> np.ndarray:
    """
    A numeric column as an array, without a copy where Arrow allows it.

    Args:
        dataset (`Dataset`): may be selected, shuffled or concatenated: the array follows the rows as they stand.
        column (`str`): a column of numbers, of lists of one common length, or of lists of such lists.

    Returns:
        `np.ndarray`: shape `(rows,)`, `(rows, length)` or `(rows, outer length, inner length)`.

    Raises:
        `MissingColumnError`: naming the call that makes the column.
        `DataError`: where a row is null or the lists differ in length.

    Example:
        >>> matrix(learner.score(pool), "probs").shape == (len(pool), len(learner.names))
        True
    """
    array = _array(dataset, column)
    if array.null_count:
        row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError(
            f"column {column!r} row {row} is empty; every row needs a value: make it with {_made_by(column)}"
        )
    shape = [len(array)]
    while pa.types.is_nested(array.type):  # a dimension for each level of lists
        shape.append(_width(array, column))
        array = array.flatten()
    return array.to_numpy(zero_copy_only=False).reshape(shape)


def finite(dataset: Dataset, column: str) -> np.ndarray:
    """A numeric column as an array (see `matrix`); a NaN or an infinity is a `DataError` that names its row."""
    values = matrix(dataset, column)
    if values.dtype.kind not in "biuf":
        raise DataError(f"column {column!r} is not numeric; make it again with {_made_by(column)}")
    row = first_not_finite(values)
    if row is not None:
        raise DataError(
            f"column {column!r} {named_row(dataset, row)} is not finite; remove that row, and make the column again "
            f"with {_made_by(column)}"
        )
    return values


def first_not_finite(values: np.ndarray) -> int | None:
    """The first row with a NaN or an infinity, or None."""
    # A single pass that makes nothing, for there is hardly ever one; too large a square is looked into as well.
    if np.isfinite(np.vdot(values, values)):
        return None
    good = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    return None if good.all() else int(np.argmin(good))


def named_row(dataset: Dataset, row: int) -> str:
    """A row for messages, such as `row 17 (id 'p17')`; without the id where that could be a text."""
    shown = shown_id(str(dataset[row]["id"])) if "id" in dataset.column_names else ""
    return f"row {row} (id{shown})" if shown else f"row {row}"


def with_column(
    dataset: Dataset, column: str, values: np.ndarray | Sequence[Any] | pa.Array, feature: Any = None
) -> Dataset:
    """
    The table with one column set, in memory; it replaces a column of the same name.

    An array of two dimensions becomes lists of fixed length, one of three lists of such lists. The feature, such as a
    `ClassLabel`, is by default that of the values' type.
    """
    if isinstance(values, np.ndarray) and values.ndim > 1:
        shape, values = values.shape, pa.array(np.ascontiguousarray(values).reshape(-1))
        for length in reversed(shape[1:]):  # the innermost lists first
            values = pa.FixedSizeListArray.from_arrays(values, max(length, 1))
    elif not isinstance(values, pa.Array):
        values = pa.array(values, Features({column: feature}).arrow_schema.field(column).type if feature else None)
    table = to_table(dataset)
    if column in table.column_names:
        table = table.set_column(table.column_names.index(column), column, values)
    else:
        table = table.append_column(column, values)
    known = dataset.features  # a copy at each call
    known[column] = feature or generate_from_arrow_type(values.type)
    target = Features({name: known[name] for name in table.column_names})
    return from_table(table.cast(target.arrow_schema))


def with_columns_from(dataset: Dataset, other: Dataset, columns: Iterable[str]) -> Dataset:
    """The table with columns of another one that has the same rows in the same order."""
    for column in columns:
        dataset = with_column(dataset, column, _array(other, column))
    return dataset


def rows(dataset: Dataset, indices: np.ndarray | Sequence[int]) -> Dataset:
    """The rows at `indices`, in that order, as a table of its own (no indices mapping, no cache file)."""
    return from_table(to_table(dataset).take(pa.array(np.asarray(indices, dtype=np.int64))))


def require(dataset: Dataset, *columns: str) -> None:
    """Refuses a table without one of the columns, with the call that makes it or the near name."""
    for column in columns:
        if column not in dataset.column_names:
            made = _MADE_BY.get(column)
            way = f"; make it with {made}" if made else did_you_mean(column, dataset.column_names)
            raise MissingColumnError(f"column {column!r} is missing (there are: {listed(dataset.column_names)}){way}")


def _array(dataset: Dataset, column: str) -> pa.Array:
    require(dataset, column)
    chunks = as_arrow(dataset)[column]
    return chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()  # which would copy a single one


def _width(array: pa.Array, column: str) -> int:
    """The one length of the lists."""
    if pa.types.is_fixed_size_list(array.type):
        return array.type.list_size
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        raise DataError(f"column {column!r} has no numbers, nor lists of them; make it with {_made_by(column)}")
    lengths = np.unique(pc.list_value_length(array).to_numpy(zero_copy_only=False))
    if len(lengths) > 1:
        raise DataError(
            f"column {column!r} has rows of {lengths[0]} and of {lengths[-1]} numbers; expected one length"
        )
    return int(lengths[0]) if len(lengths) else 0


def _made_by(column: str) -> str:
    return _MADE_BY.get(column, f"dataset.add_column({column!r}, ...)")
