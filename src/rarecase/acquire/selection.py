"""What strategies share: checks of their input, arrays in canonical order, and the chosen rows."""

import numpy as np
import pandas as pd
from datasets import Dataset

from rarecase.core.errors import ConfigError
from rarecase.data.arrow import finite, rows, with_column
from rarecase.data.schema import canonical_order


def require_count(pool: Dataset, n: int) -> None:
    """Refuses an `n` that is not from 1 to `len(pool)`."""
    if not 1 <= n <= len(pool):
        raise ConfigError(f"n = {n}: expected from 1 to the {len(pool)} rows of the pool")


def require_labeled(labeled: Dataset | None, strategy: str) -> Dataset:
    """Refuses to choose without labelled rows, for a strategy that compares with them."""
    if labeled is None or not len(labeled):
        raise ConfigError(f"{strategy}: needs labelled rows, and there are none; give labeled=…, or choose `random`")
    return labeled


def by_text(dataset: Dataset, column: str) -> np.ndarray:
    """A column of finite numbers in canonical order: the last bits of a sum depend on where its row stands."""
    # `take` is several times as fast as indexing.
    return finite(dataset, column).take(canonical_order(dataset), axis=0)


def unit_vectors(dataset: Dataset, column: str) -> np.ndarray:
    """A column of vectors at length 1, in canonical order; one of length 0 stays as it is."""
    vectors = by_text(dataset, column)
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors / np.where(length > 0, length, 1.0)


def with_labeled(pool: Dataset, labeled: Dataset | None) -> tuple[np.ndarray, int]:
    """The embeddings of the pool, then of the labelled texts, each in canonical order; and how many the pool has."""
    vectors = by_text(pool, "embedding")
    if labeled is not None and len(labeled):
        vectors = np.concatenate([vectors, by_text(labeled, "embedding")])
    return vectors, len(pool)


def ranked(pool: Dataset, score: np.ndarray) -> np.ndarray:
    """The rows by falling score; ties go by text, so that the order of the rows changes nothing."""
    order = canonical_order(pool)
    return order[np.argsort(-score[order], kind="stable")]


def chosen(pool: Dataset, picks: np.ndarray, score: np.ndarray) -> Dataset:
    """The picked rows in order of choice, with the column `score`, given for each row of the pool."""
    return with_column(rows(pool, picks), "score", score[picks])


def rank_within(group: np.ndarray) -> np.ndarray:
    """How many earlier rows are of the same group: 0 0 1 2 1 for the groups 7 3 7 7 3."""
    return pd.Series(group).groupby(group).cumcount().to_numpy()
