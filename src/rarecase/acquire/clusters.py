"""Algorithm 1 of the paper: the regions C_1 … C_m, assigned once before the first round, and `cluster`."""

import warnings

import numpy as np
from datasets import ClassLabel, Dataset

from rarecase.acquire.selection import chosen, rank_within, ranked, require_count
from rarecase.acquire.strategy import needs
from rarecase.acquire.uncertainty import entropy_of
from rarecase.core import randomness
from rarecase.core.errors import ConfigError
from rarecase.data.arrow import finite, matrix, with_column
from rarecase.data.schema import canonical_order


def assign_clusters(pool: Dataset, m: int, *, seed: int = 0) -> Dataset:
    """
    Splits the pool into `m` regions by k-means: "the vector space is split into m clusters" (section 3.2 of the
    paper). It is scikit-learn's mini-batch k-means (Sculley, 2010), since a pool may hold a hundred thousand posts.

    Args:
        pool (`Dataset`): column `embedding` (float32, shape `(rows, dimensions)`).
        m (`int`): how many clusters, from 1 to `len(pool)`.
        seed (`int`): decides the first centres and the mini-batches; the order of the rows changes nothing.

    Returns:
        `Dataset`: the pool with `cluster` (a `ClassLabel` of `m` classes, which keeps m when a cluster runs empty).

    Raises:
        `MissingColumnError`: where the pool has no embeddings.
        `ConfigError`: where `m` is not from 1 to `len(pool)`.
        `DataError`: naming the first row whose embedding is not finite.

    Example:
        >>> pool = assign_clusters(embed(pool, encoder), 20, seed=0)
    """
    vectors = finite(pool, "embedding")
    if not 1 <= m <= len(pool):
        raise ConfigError(f"clusters = {m}: expected from 1 to the {len(pool)} rows of the pool (--clusters)")
    order = canonical_order(pool)
    regions = np.empty(len(pool), dtype=np.int64)
    # `take` is several times as fast as indexing.
    regions[order] = k_means(vectors.take(order, axis=0), m, randomness.integer(seed, "clusters"))
    return with_column(pool, "cluster", regions, ClassLabel(num_classes=m))


def k_means(vectors: np.ndarray, m: int, seed: int) -> np.ndarray:
    """The cluster of each row, from 0 to `m - 1`: mini-batch k-means, started by k-means++; one may run empty."""
    from sklearn.cluster import MiniBatchKMeans

    return MiniBatchKMeans(m, random_state=seed).fit(vectors).labels_


@needs("cluster", "probs")
def cluster(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The most uncertain texts of every region of the pool: Algorithm 1 of Hassan, Sicilia and Alikhani (2024), section
    3.2.

    Every one of the m clusters gives `n // m` rows, its most entropic ones. What is left of `n`, and the share of a
    cluster that runs empty, goes to the most entropic unchosen rows of the whole pool.

    Args:
        pool (`Dataset`): columns `cluster` (int, assigned once by `assign_clusters`) and `probs` (float32, shape
            `(rows, classes)`).
        n (`int`): how many rows to choose; with more clusters than `n` this is plain entropy, and a warning says so.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read; the draw was in the clustering.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (entropy in nats): first the clusters' shares,
        most uncertain first, then the rest.

    Raises:
        `MissingColumnError`: naming the call that makes the column.

    Example:
        >>> pool = assign_clusters(embed(pool, encoder), 20, seed=0)
        >>> batch = cluster(learner.score(pool), 20)
    """
    require_count(pool, n)
    uncertainty = entropy_of(finite(pool, "probs"))
    region = matrix(pool, "cluster")
    assigned = pool.features["cluster"]
    # m counts the clusters as they were assigned: one that runs empty does not raise the share of the others.
    m = assigned.num_classes if isinstance(assigned, ClassLabel) else len(np.unique(region))
    if m > n:
        warnings.warn(f"{m} clusters for {n} texts: no cluster gets a share, this is plain entropy", stacklevel=2)
    by_uncertainty = ranked(pool, uncertainty)
    in_share = rank_within(region[by_uncertainty]) < n // m
    return chosen(pool, np.concatenate([by_uncertainty[in_share], by_uncertainty[~in_share]])[:n], uncertainty)
