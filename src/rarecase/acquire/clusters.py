"""k-means over the fixed embeddings: the regions C_1 … C_m of Algorithm 1, assigned once, before the first round."""

import numpy as np
from datasets import ClassLabel, Dataset

from rarecase.core import randomness
from rarecase.core.errors import ConfigError
from rarecase.data.arrow import finite, with_column
from rarecase.data.schema import canonical_order


def assign_clusters(pool: Dataset, m: int, *, seed: int = 0) -> Dataset:
    """
    Splits the pool into `m` regions by k-means: "the vector space is split into m clusters" (section 3.2 of the
    paper).

    Mini-batch k-means (Sculley, 2010) of scikit-learn, since a pool may hold a hundred thousand posts. The rows go in
    sorted by text, so that their order changes nothing.

    Args:
        pool (`Dataset`): column `embedding` (float32, shape `(rows, dimensions)`).
        m (`int`): how many clusters, from 1 to `len(pool)`.
        seed (`int`): decides the first centres and the mini-batches.

    Returns:
        `Dataset`: the pool with `cluster` (a `ClassLabel` of `m` classes, which keeps m when a cluster runs empty).

    Raises:
        `MissingColumnError`: where the pool has not been embedded.
        `ConfigError`: where `m` is not from 1 to `len(pool)`.
        `DataError`: naming the first row whose embedding is not finite.

    Example:
        >>> pool = assign_clusters(embed(pool, encoder), 20, seed=0)
    """
    vectors = finite(pool, "embedding")
    if not 1 <= m <= len(pool):
        raise ConfigError(f"clusters = {m}: expected from 1 to the {len(pool)} rows of the pool (--clusters)")
    order = canonical_order(pool)
    vectors = vectors.take(order, axis=0)  # several times as fast as indexing
    found = k_means(vectors, m, randomness.integer(seed, "clusters"))
    regions = np.empty(len(pool), dtype=np.int64)
    regions[order] = found
    return with_column(pool, "cluster", regions, ClassLabel(num_classes=m))


def k_means(vectors: np.ndarray, m: int, seed: int) -> np.ndarray:
    """
    The cluster of each row: mini-batch k-means, started by k-means++.

    Args:
        vectors (`np.ndarray`): float32, shape `(rows, dimensions)`, in the order of the texts.
        m (`int`): how many clusters, at most `rows`; one may run empty.
        seed (`int`): of the first centres and the mini-batches.

    Returns:
        `np.ndarray`: int32, shape `(rows,)`, from 0 to `m - 1`.
    """
    from sklearn.cluster import MiniBatchKMeans

    return MiniBatchKMeans(m, random_state=seed).fit(vectors).labels_
