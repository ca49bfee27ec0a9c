"""
Core-set by greedy k-center, with lazy distances.

The textbook loop brings every row's distance up to date after each new centre: `n` passes over the whole matrix. But a
distance to the nearest centre only ever shrinks, so an old distance is an upper bound of the new one, and a row whose
old distance is below the best new one needs no update. Only the rows at the top are brought up to date,
which is the idea of lazy greedy (Minoux, 1978). The picks are those of the textbook loop.
"""

import numpy as np
from datasets import Dataset

from rarecase.acquire.kmeans_plusplus import BLOCK
from rarecase.acquire.selection import by_text, require_count
from rarecase.acquire.strategy import needs
from rarecase.data.arrow import finite, rows, with_column
from rarecase.data.schema import canonical_order


@needs("embedding", labeled=["embedding"])
def coreset(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts that leave no text of the pool far from a labelled one: greedy k-center, Sener and Savarese (2018),
    *Active Learning for Convolutional Neural Networks: A Core-Set Approach*, algorithm 1.

    Args:
        pool (`Dataset`): column `embedding` (float32, shape `(rows, dimensions)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): the texts labelled so far, with `embedding`: the first centres. Without them
            the first centre is the row farthest from the mean.
        seed (`int`): not read.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (the distance to the nearest centre when
        chosen).

    Raises:
        `MissingColumnError`: naming the call that makes `embedding`.

    Example:
        >>> batch = coreset(embed(pool, encoder), 20, labeled=embed(start, encoder))
    """
    require_count(pool, n)
    order = canonical_order(pool)
    centres = by_text(labeled, "embedding") if labeled is not None and len(labeled) else None
    picks, distance = k_center(finite(pool, "embedding").take(order, axis=0), n, centres)
    return with_column(rows(pool, order[picks]), "score", distance)


def k_center(vectors: np.ndarray, n: int, centres: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """
    Picks rows one after another, each the farthest from all centres so far; ties go to the earlier row.

    Without `centres` the first pick is the row farthest from the mean. Returns the picked rows in order of choice, and
    the Euclidean distance (float32) of each to its nearest centre when it was picked.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.einsum("ij,ij->i", vectors, vectors)
    picks = np.empty(n, dtype=np.int64)
    chosen_at = np.empty(n, dtype=np.float32)
    known = np.zeros(len(vectors), dtype=np.int64)  # how many of the picks so far `distance` has taken in
    begun = 0
    if centres is None or not len(centres):
        from_mean = _squared_distances(vectors, norms, vectors.mean(axis=0, keepdims=True))
        picks[0] = np.argmax(from_mean)
        chosen_at[0] = from_mean[picks[0]]
        centres, begun = vectors[picks[:1]], 1
    distance = _squared_distances(vectors, norms, centres)
    known[:] = begun
    distance[picks[:begun]] = -1.0  # below every distance: never the farthest again

    def update(rows: np.ndarray, step: int) -> None:
        # `take` is several times as fast as indexing.
        fresh = _squared_distances(vectors.take(rows, axis=0), norms[rows], vectors[picks[known[rows].min() : step]])
        distance[rows] = np.minimum(distance[rows], fresh)
        known[rows] = step

    for step in range(begun, n):
        if known[np.argmax(distance)] < step:
            block = np.argpartition(distance, max(len(vectors) - BLOCK, 0))[-BLOCK:]
            block = block[known[block] < step]
            update(block, step)
            # Only rows whose bound reaches the best of the block can still be farther than it.
            rivals = np.flatnonzero(distance >= distance[block].max())
            rivals = rivals[known[rivals] < step]
            if len(rivals):
                update(rivals, step)
        picks[step] = np.argmax(distance)
        chosen_at[step] = distance[picks[step]]
        distance[picks[step]] = -1.0
        known[picks[step]] = n
    return picks, np.sqrt(chosen_at)


def _squared_distances(vectors: np.ndarray, norms: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Of each row to its nearest centre; in slices, so that many centres need no matrix of rows times centres."""
    nearest = np.full(len(vectors), np.inf, dtype=np.float32)
    for start in range(0, len(centres), 64):
        part = centres[start : start + 64]
        products = vectors @ part.T
        products *= -2.0
        products += np.einsum("ij,ij->i", part, part)
        np.minimum(nearest, products.min(axis=1), out=nearest)
    return np.maximum(nearest + norms, 0.0)
