"""
Arrays out of a `Dataset` and back: the only way to a table's arrays.

Every step takes a `Dataset` and returns one. On the way through the loop a table carries columns of fixed names beside
the released ones (`rarecase.data.schema`): `embedding` and `similarity` (the fixed encoder's), `cluster`, `probs`,
`features` and `mc_probs` (the learner's), `score`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, Features
from datasets.features.features import generate_from_arrow_type
from datasets.fingerprint import generate_random_fingerprint
from datasets.table import InMemoryTable

from rarecase.core.errors import DataError, MissingColumnError, did_you_mean, shown_id

# The columns that are made on the way, and the call that makes each.
_MAKES = {
    "embedding": "rarecase.embed(dataset, encoder)",
    "cluster": "rarecase.assign_clusters(dataset, m, seed=...)",
    "similarity": "rarecase.compare(dataset, definitions, encoder)",
    "probs": "learner.score(dataset)",
    "features": "learner.score(dataset)",
    "mc_probs": "learner.sample(dataset)",
}


HELPERS = tuple(_MAKES)


def to_table(dataset: Dataset) -> pa.Table:
    """The rows as an Arrow table in their present order, also after `select` and `shuffle`."""
    if not dataset.column_names:
        return pa.table({})
    return dataset.with_format("arrow")[:]


def from_table(table: pa.Table) -> Dataset:
    """The `Dataset` over an Arrow table, in memory; the features come from the schema."""
    # Hashing the whole table for a fingerprint, the default, would take longer than choosing from it.
    return Dataset(InMemoryTable(table), fingerprint=generate_random_fingerprint())


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
        >>> matrix(pool, "probs").shape
        (11000, 6)
    """
    require(dataset, column)
    chunks = dataset.select_columns([column]).with_format("arrow")[:][column]
    array = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()  # which would copy a single one
    if array.null_count:
        row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError(
            f"column {column!r} row {row} is empty; every row needs a value: make it with {made_by(column)}"
        )
    shape = [len(array)]
    while pa.types.is_nested(array.type):  # a dimension for each level of lists
        shape.append(_width(array, column))
        array = array.flatten()
    return array.to_numpy(zero_copy_only=False).reshape(shape)


def finite(dataset: Dataset, column: str) -> np.ndarray:
    """
    A numeric column as an array (see `matrix`), once every number of it is one.

    Raises:
        `MissingColumnError`: naming the call that makes the column.
        `DataError`: naming the first row, as it stands in the table, that holds a NaN or an infinity; or where the
            column holds no numbers.
    """
    values = matrix(dataset, column)
    way = f"leave it out, and make it again with {made_by(column)}"
    if values.dtype.kind not in "biuf":
        raise DataError(f"column {column!r} holds no numbers; {way}")
    row = first_not_finite(values)
    if row is not None:
        raise DataError(f"column {column!r} {named_row(dataset, row)} is not finite; {way}")
    return values


def first_not_finite(values: np.ndarray) -> int | None:
    """
    The first row with a NaN or an infinity, or None.

    Example:
        >>> first_not_finite(np.array([[0.0, 1.0], [np.nan, 1.0]]))
        1
    """
    # A single pass that makes nothing, for there is hardly ever one; too large a square is looked into as well.
    if np.isfinite(np.vdot(values, values)):
        return None
    good = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    return None if good.all() else int(np.argmin(good))


def named_row(dataset: Dataset, row: int) -> str:
    """
    A row for messages, with its id where that is no text.

    Example:
        >>> named_row(pool, 17)
        "row 17 (id 'p17')"
    """
    shown = shown_id(str(dataset[row]["id"])) if "id" in dataset.column_names else ""
    return f"row {row} (id{shown})" if shown else f"row {row}"


def with_column(
    dataset: Dataset, column: str, values: np.ndarray | Sequence[Any] | pa.Array, feature: Any = None
) -> Dataset:
    """
    The table with one column set, in memory.

    Args:
        dataset (`Dataset`): any table; it stays as it is.
        column (`str`): a new name, or one whose column is replaced.
        values (`np.ndarray | Sequence | pa.Array`): one value a row; an array of two dimensions becomes lists of fixed
            length, one of three lists of such lists.
        feature (`datasets` feature, *optional*): the column's feature, such as a `ClassLabel`; by default that of its
            type.

    Example:
        >>> pool = with_column(pool, "embedding", np.zeros((len(pool), 384), np.float32))
    """
    if isinstance(values, np.ndarray) and values.ndim > 1:
        shape, values = values.shape, pa.array(np.ascontiguousarray(values).reshape(-1))
        for length in reversed(shape[1:]):  # the innermost lists first
            values = pa.FixedSizeListArray.from_arrays(values, max(length, 1))
    elif not isinstance(values, pa.Array):
        values = pa.array(values)
    table = to_table(dataset)
    if column in table.column_names:
        table = table.set_column(table.column_names.index(column), column, values)
    else:
        table = table.append_column(column, values)
    kept = {name: dataset.features[name] for name in table.column_names if name in dataset.features and name != column}
    own = feature or generate_from_arrow_type(values.type)
    target = Features({name: kept.get(name, own) for name in table.column_names})
    return from_table(table.cast(target.arrow_schema))


def rows(dataset: Dataset, indices: np.ndarray | Sequence[int]) -> Dataset:
    """The rows at `indices`, in that order, as a table of its own (no indices mapping, no cache file)."""
    return from_table(to_table(dataset).take(pa.array(np.asarray(indices, dtype=np.int64))))


def require(dataset: Dataset, column: str) -> None:
    """
    Raises:
        `MissingColumnError`: where `column` is not in the table, with the near name or the call that makes it.
    """
    if column not in dataset.column_names:
        hint = did_you_mean(column, dataset.column_names)
        way = f"; make it with {_MAKES[column]}" if column in _MAKES else hint
        raise MissingColumnError(f"column {column!r} is missing (there are: {', '.join(dataset.column_names)}){way}")


def _width(array: pa.Array, column: str) -> int:
    """The one length of the lists."""
    if pa.types.is_fixed_size_list(array.type):
        return array.type.list_size
    lengths = np.unique(pc.list_value_length(array).to_numpy(zero_copy_only=False))
    if len(lengths) > 1:
        raise DataError(
            f"column {column!r} has rows of {lengths[0]} and of {lengths[-1]} numbers; expected one length"
        )
    return int(lengths[0]) if len(lengths) else 0


def made_by(column: str) -> str:
    """
    The call that makes a column, for messages.

    Example:
        >>> made_by("probs")
        'learner.score(dataset)'
    """
    return _MAKES.get(column, f"dataset.add_column({column!r}, ...)")
