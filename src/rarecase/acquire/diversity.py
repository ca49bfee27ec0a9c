"""Strategies that look at the embeddings alone, for a start with few labels: typical texts, and covered ground."""

import numpy as np
from datasets import ClassLabel, Dataset

from rarecase.acquire.clusters import k_means
from rarecase.acquire.neighbours import distance_to_other_group, nearest, neighbours_within
from rarecase.acquire.picks import by_text, require_count
from rarecase.acquire.strategy import needs
from rarecase.core import randomness
from rarecase.core.errors import ConfigError
from rarecase.data.arrow import rows, with_column
from rarecase.data.schema import canonical_order

NEIGHBOURS = 20  # of a typical text; the paper's K
MOST_CLUSTERS = 500  # the authors' cap
SMALL = 5  # a cluster of no more texts is left out, as in the authors' code
PURITY = 0.95  # the paper's alpha, for delta
BALLS = 2000  # from which delta is estimated


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
        n (`int`): how many rows to choose, from 1 to `len(pool)`.
        labeled (`Dataset`, *optional*): the texts labelled so far, with `embedding`.
        seed (`int`): decides the clustering.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (typicality: 100,000 at most, of a text whose
        neighbours all equal it; 0 of one that has none).

    Raises:
        `MissingColumnError`: naming the call that makes `embedding`.
        `ConfigError`: where `n` is not from 1 to `len(pool)`.

    Example:
        >>> batch = typiclust(embed(pool, encoder), 20, labeled=embed(start, encoder))
    """
    require_count(pool, n)
    vectors, count = _with_labeled(pool, labeled)
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


@needs("embedding", labeled=["embedding"])
def probcover(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts whose surroundings cover the most of the pool: Yehuda, Dekel, Hacohen and Weinshall (2022), *Active
    Learning Through a Covering Lens*, algorithm 1 (ProbCover).

    A labelled text covers what is within delta of it. The next text is the one within delta of the most that is not
    covered yet. Delta is the largest radius at which 95 % of the balls around a text are pure, as the paper estimates
    it: hold only texts of the ball's own pseudo-label, which comes from k-means with as many clusters as there are
    classes. A ball is pure up to the nearest text of another pseudo-label, so delta is a quantile of these distances,
    taken over 2,000 texts drawn by the seed.

    Args:
        pool (`Dataset`): column `embedding` (float32, shape `(rows, dimensions)`).
        n (`int`): how many rows to choose, from 1 to `len(pool)`.
        labeled (`Dataset`): the texts labelled so far, with `embedding`; there may be none, but the `ClassLabel` of
            its column `label` says how many classes there are.
        seed (`int`): decides the pseudo-labels and the draw.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (how many texts each covers anew). Once all is
        covered, the rest go by text.

    Raises:
        `MissingColumnError`: naming the call that makes `embedding`.
        `ConfigError`: where `n` is not from 1 to `len(pool)`, or nothing says how many classes there are.

    Example:
        >>> batch = probcover(embed(pool, encoder), 20, labeled=embed(start, encoder))
    """
    require_count(pool, n)
    vectors, count = _with_labeled(pool, labeled)
    delta = covering_radius(vectors, _classes(labeled), seed)
    texts, known = vectors[:count], vectors[count:]
    open_ = np.flatnonzero(neighbours_within(texts, known, delta) == 0)
    gain = neighbours_within(texts, texts[open_], delta)
    picks, covers = np.empty(n, np.int64), np.empty(n, np.int64)
    for step in range(n):
        picks[step] = pick = np.argmax(gain)
        covers[step] = gain[pick]
        near = neighbours_within(texts[open_], texts[[pick]], delta) > 0
        gain -= neighbours_within(texts, texts[open_[near]], delta)
        open_ = open_[~near]
        gain[picks[: step + 1]] = -count  # below every other, also where rounding counts one too few
    return with_column(rows(pool, canonical_order(pool)[picks]), "score", covers)


def covering_radius(vectors: np.ndarray, classes: int, seed: int) -> float:
    """
    The largest radius at which 95 % of the balls around a text hold only texts of its own pseudo-label.

    Args:
        vectors (`np.ndarray`): float32, shape `(texts, dimensions)`.
        classes (`int`): how many pseudo-labels.
        seed (`int`): of the pseudo-labels and of the texts whose balls are looked at, where there are over 2,000.

    Returns:
        `float`: a Euclidean distance, finite; huge where there is but one pseudo-label, as every ball is pure then.
    """
    pseudo = k_means(vectors, min(classes, len(vectors)), randomness.integer(seed, "probcover"))
    some = np.arange(len(vectors))
    if len(some) > BALLS:
        some = np.sort(randomness.generator(seed, "probcover", "balls").choice(some, BALLS, replace=False))
    reach = np.sort(distance_to_other_group(vectors, pseudo, some))
    impure = int((1.0 - PURITY) * len(reach))  # how many balls may be
    return float(np.nextafter(reach[impure], 0.0))  # just below where one more would be


def _classes(labeled: Dataset | None) -> int:
    feature = labeled.features.get("label") if labeled is not None else None
    if not isinstance(feature, ClassLabel):
        raise ConfigError(
            "probcover: nothing says how many classes there are; give labeled=… with a ClassLabel in column 'label'"
        )
    return feature.num_classes


def _with_labeled(pool: Dataset, labeled: Dataset | None) -> tuple[np.ndarray, int]:
    """The vectors of the pool, then those of the labelled texts, each sorted by text; and how many the pool has."""
    vectors = by_text(pool, "embedding")
    if labeled is not None and len(labeled):
        vectors = np.concatenate([vectors, by_text(labeled, "embedding")])
    return vectors, len(pool)
