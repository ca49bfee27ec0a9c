"""The strategy that labels the most typical text of each region, for a start with few labels."""

import numpy as np
from datasets import Dataset

from rarecase.acquire.clusters import k_means
from rarecase.acquire.neighbours import nearest
from rarecase.acquire.selection import require_count, with_labeled
from rarecase.acquire.strategy import needs
from rarecase.core import randomness
from rarecase.data.arrow import rows, with_column
from rarecase.data.schema import canonical_order

NEIGHBOURS = 20  # of a typical text; the paper's K
MOST_CLUSTERS = 500  # the authors' cap
SMALL = 5  # a cluster of no more texts is left out, as in the authors' code


@needs("embedding", labeled=["embedding"])
def typiclust(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The most typical text of each region without a label: Hacohen, Dekel and Weinshall (2022), *Active Learning on a
    Budget: Opposite Strategies Suit High and Low Budgets*, algorithm 1 (TPC).

    Pool and labelled texts are split by k-means into as many clusters as there will be labels, at most 500. The next
    text is the most typical one of the cluster with the fewest labels, of these the largest: of those without a label
    while there are any. Clusters of at most five texts, which are outliers, are left out as in the authors' code; here
    they follow once all others are used up.

    Typicality (equation 1) is the inverse of the mean distance to the nearest neighbours. As in the authors' code
    these are 20, at most half of what they are found among: the texts of the cluster that have no label and are not
    chosen yet. The distance is the paper's, where the code has its square; and what was just chosen counts as a label
    of its cluster, where the code goes round the clusters in their first order.

    Args:
        pool (`Dataset`): column `embedding` (float32, shape `(rows, dimensions)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): the texts labelled so far, with `embedding`.
        seed (`int`): decides the clustering.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (typicality: 100,000 at most, of a text whose
        neighbours all equal it; 0 of one that has none).

    Raises:
        `MissingColumnError`: naming the call that makes `embedding`.

    Example:
        >>> batch = typiclust(embed(pool, encoder), 20, labeled=embed(start, encoder))
    """
    require_count(pool, n)
    vectors, count = with_labeled(pool, labeled)
    m = min(len(vectors) - count + n, MOST_CLUSTERS)
    found = k_means(vectors, m, randomness.integer(seed, "typiclust"))
    region, labels = found[:count].copy(), np.bincount(found[count:], minlength=m)
    size = np.bincount(found, minlength=m)
    picks, scores = np.empty(n, np.int64), np.empty(n)
    for step in range(n):
        c = min(np.unique(region[region >= 0]), key=lambda c: (size[c] <= SMALL, labels[c], -size[c], c))
        members = np.flatnonzero(region == c)
        typicality = _typicality(vectors[members])
        best = np.argmax(typicality)
        picks[step], scores[step] = members[best], typicality[best]
        region[members[best]] = -1  # chosen, and nobody's neighbour from now on
        labels[c] += 1
    return with_column(rows(pool, canonical_order(pool)[picks]), "score", scores)


def _typicality(vectors: np.ndarray) -> np.ndarray:
    """Of each text among these, float64, shape `(rows,)`."""
    k = min(NEIGHBOURS, len(vectors) // 2)
    if not k:
        return np.zeros(len(vectors))
    distance, _ = nearest(vectors, vectors, k + 1)  # the nearest of each row is itself
    return 1.0 / (distance.sum(axis=1, dtype=np.float64) / k + 1e-5)  # as in the authors' code
