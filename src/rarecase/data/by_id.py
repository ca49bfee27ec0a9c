"""Rows of two tables brought together by their ids."""

from datasets import Dataset

from rarecase.core.errors import DataError
from rarecase.data.arrow import rows, with_columns_from


def with_columns_of(dataset: Dataset, carried: Dataset, like: Dataset | None = None) -> Dataset:
    """The columns of `carried` that `dataset` lacks (and `like`, where given, has), its rows found by id."""
    same = same_rows(carried, dataset)
    columns = [column for column in same.column_names if column != "id"]
    if like is not None:
        columns = [c for c in columns if c not in dataset.column_names and c in like.column_names]
    return with_columns_from(dataset, same, columns)


def same_rows(table: Dataset, dataset: Dataset) -> Dataset:
    """The rows of `table` with the ids of `dataset`, in its order."""
    try:
        place = {id_: row for row, id_ in enumerate(table["id"][:])}
        return rows(table, [place[id_] for id_ in dataset["id"][:]])
    except (KeyError, TypeError, ValueError):  # no stage of this run has made it
        raise DataError(
            "a stored table of a round has other rows than the pool; remove the folder of that round and later ones, "
            "and repeat the command (a run: --resume)"
        ) from None


def without(pool: Dataset, taken: Dataset) -> Dataset:
    """The rows of a pool whose ids are not those of `taken`."""
    ids = set(taken["id"][:])
    return rows(pool, [row for row, id_ in enumerate(pool["id"][:]) if id_ not in ids])
