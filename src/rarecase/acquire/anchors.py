"""A wrapper that narrows the pool for any strategy to what is like the labelled texts of every class."""

import numpy as np
from datasets import Dataset

from rarecase.acquire.kmeans_plusplus import k_means_plus_plus
from rarecase.acquire.neighbours import nearest
from rarecase.acquire.selection import by_text, require_count, require_labeled, unit_vectors
from rarecase.acquire.strategy import Strategy, name_of, needs
from rarecase.core import randomness
from rarecase.data.arrow import rows
from rarecase.data.schema import canonical_order

ANCHORS = 10  # of each class
NEIGHBOURS = 50  # of each anchor
SUBPOOL = 1000  # rows that the strategy sees at most, but for a larger batch


def anchors(strategy: Strategy) -> Strategy:
    """
    The strategy, shown only the part of the pool around labelled examples of every class: Lesci and Vlachos (2024),
    *AnchorAL: Computationally Efficient Active Learning for Large and Imbalanced Datasets*, algorithm 1.

    Of each class, 10 labelled texts far from each other (k-means++ on the embeddings) are its anchors, and of each
    anchor the 50 nearest texts of the pool come along. A text's score is its mean cosine similarity to the anchors it
    came along with, and the 1,000 best are the subpool. Where that would be smaller than the batch, every anchor takes
    twice as many along, until it is not.

    Args:
        strategy (`Callable`): any strategy.

    Returns:
        `Callable`: a strategy called `anchors-NAME`, which reads what `strategy` does, and `embedding` of the pool and
        of `labeled`; without a labelled text it raises `ConfigError`.

    Example:
        >>> batch = anchors(entropy)(learner.score(pool), 20, labeled=train, seed=0)
    """

    def narrowed(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
        require_count(pool, n)
        known = require_labeled(labeled, name_of(narrowed))
        own = unit_vectors(known, "embedding")[anchor_rows(known, seed)]
        near = subpool(unit_vectors(pool, "embedding"), own, max(n, SUBPOOL), n)
        return strategy(rows(pool, canonical_order(pool)[near]), n, labeled=labeled, seed=seed)

    narrowed.__name__ = f"anchors-{name_of(strategy)}"
    narrowed.__doc__ = strategy.__doc__
    if not hasattr(strategy, "needs"):  # it reads whatever there is, and so does this
        return narrowed
    reads, of_labeled = strategy.needs, getattr(strategy, "needs_labeled", ())
    return needs(*dict.fromkeys((*reads, "embedding")), labeled=[*dict.fromkeys((*of_labeled, "embedding"))])(narrowed)


def subpool(texts: np.ndarray, anchors: np.ndarray, most: int, least: int) -> np.ndarray:
    """
    From `least` to `most` rows, by falling mean similarity to the anchors that have them among their neighbours.

    `texts` and `anchors` are unit vectors, float32.
    """
    k = min(NEIGHBOURS, len(texts))
    while True:
        _, found = nearest(anchors, texts, k)
        count = np.bincount(found.ravel(), minlength=len(texts))
        if np.count_nonzero(count) >= least:
            break
        k = min(2 * k, len(texts))
    products = (np.einsum("kd,d->k", texts[of], own, dtype=np.float64) for of, own in zip(found, anchors, strict=True))
    similarity = np.concatenate([*products])
    mean = np.bincount(found.ravel(), weights=similarity, minlength=len(texts)) / np.maximum(count, 1)
    near = np.flatnonzero(count)
    return near[np.argsort(-mean[near], kind="stable")][:most]


def anchor_rows(labeled: Dataset, seed: int) -> np.ndarray:
    """The rows of the anchors in the order of the texts, class after class."""
    vectors, label = by_text(labeled, "embedding").astype(np.float64), by_text(labeled, "label")
    found = []
    for c in np.unique(label):
        own = np.flatnonzero(label == c)
        rng = randomness.generator(seed, "anchors", int(c))

        def squared_distances(some: np.ndarray, others: np.ndarray, of: np.ndarray = vectors[own]) -> np.ndarray:
            return ((of[some, None] - of[None, others]) ** 2).sum(axis=2)

        first = int(rng.integers(len(own)))
        found.append(own[k_means_plus_plus(squared_distances, len(own), min(ANCHORS, len(own)), first, rng)[0]])
    return np.concatenate(found)
