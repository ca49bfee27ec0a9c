"""What the strategies have in common: what is asked of their input, and the rows that come back."""

import numpy as np
from datasets import Dataset

from rarecase.core.errors import ConfigError
from rarecase.data.arrow import finite, rows, with_column
from rarecase.data.schema import canonical_order


def require_count(pool: Dataset, n: int) -> None:
    """
    Raises:
        `ConfigError`: where `n` is not from 1 to `len(pool)`.
    """
    if not 1 <= n <= len(pool):
        raise ConfigError(f"n = {n}: expected from 1 to the {len(pool)} rows of the pool")


def require_labeled(labeled: Dataset | None, strategy: str) -> Dataset:
    """
    Raises:
        `ConfigError`: where there is no labelled row, for a strategy that chooses by them.
    """
    if labeled is None or not len(labeled):
        raise ConfigError(f"{strategy}: chooses by the labelled rows, and there are none; give labeled=…, or `random`")
    return labeled


def by_text(dataset: Dataset, column: str) -> np.ndarray:
    """
    A column of numbers as an array in canonical order, which is that of every tie, draw and product: the last bits of
    a sum depend on where its row stands.

    Raises:
        `MissingColumnError`: naming the call that makes the column.
        `DataError`: naming the first row (as it stands in the table) that holds a NaN or an infinity.
    """
    # `take` is several times as fast as indexing.
    return finite(dataset, column).take(canonical_order(dataset), axis=0)


def directions(dataset: Dataset, column: str) -> np.ndarray:
    """A column of vectors at length 1, in canonical order; one of length 0 stays as it is."""
    vectors = by_text(dataset, column)
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors / np.where(length > 0, length, 1.0)


def descending(score: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows by falling score; ties go by text, so that the order of the rows changes nothing."""
    return order[np.argsort(-score[order], kind="stable")]


def chosen(pool: Dataset, picks: np.ndarray, score: np.ndarray) -> Dataset:
    """The picked rows in order of choice, with the column `score`, given for each row of the pool."""
    return with_column(rows(pool, picks), "score", score[picks])
