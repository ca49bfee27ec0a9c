"""
The four strategies of the paper, one function each: `strategy(pool, n, *, labeled=None, seed=0) -> Dataset`.

A strategy returns the chosen rows in order of choice, with the columns that explain the choice. It reads columns of
fixed names (its attribute `needs` says which) and nothing but those and the texts: no source, no id, and not the order
of the rows, for every draw and every tie goes by the rows sorted by text. `labeled` is what people labelled: the start
set and the labels given since, and none of the variations, so that what is counted there is labels that were paid for.
Any callable of this signature is a strategy; the command line takes one as `module:function`.
"""

import warnings

import numpy as np
from datasets import ClassLabel, Dataset

from rarecase.acquire.kcenter import k_center
from rarecase.acquire.measures import entropy_of
from rarecase.acquire.picks import by_text, chosen, descending, require_count
from rarecase.acquire.strategy import needs
from rarecase.core import randomness
from rarecase.data.arrow import finite, matrix, rows, with_column
from rarecase.data.schema import canonical_order


@needs()
def random(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    Texts drawn at random, without replacement: the baseline every other strategy is compared to.

    Args:
        pool (`Dataset`): the unlabelled texts.
        n (`int`): how many rows to choose, from 1 to `len(pool)`.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): decides the draw.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice.

    Raises:
        `ConfigError`: where `n` is not from 1 to `len(pool)`.

    Example:
        >>> batch = random(pool, 20, seed=0)
    """
    require_count(pool, n)
    drawn = randomness.generator(seed, "random").choice(len(pool), size=n, replace=False)
    return rows(pool, canonical_order(pool)[drawn])


@needs("probs")
def entropy(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts the learner is most uncertain about: equation 1 of Hassan, Sicilia and Alikhani (2024), their TopN-AL;
    Settles (2009), *Active Learning Literature Survey*, section 3.1.

    Args:
        pool (`Dataset`): column `probs` (float32, shape `(rows, classes)`).
        n (`int`): how many rows to choose, from 1 to `len(pool)`.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read; the choice has no draw in it.

    Returns:
        `Dataset`: the `n` chosen rows, most uncertain first, with `score` (entropy in nats).

    Raises:
        `MissingColumnError`: naming the call that makes `probs`.
        `ConfigError`: where `n` is not from 1 to `len(pool)`.

    Example:
        >>> batch = entropy(learner.score(pool), 20)
    """
    require_count(pool, n)
    uncertainty = entropy_of(finite(pool, "probs"))
    return chosen(pool, descending(uncertainty, canonical_order(pool))[:n], uncertainty)


@needs("embedding", labeled=["embedding"])
def coreset(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts that leave no text of the pool far from a labelled one: greedy k-center, Sener and Savarese (2018),
    *Active Learning for Convolutional Neural Networks: A Core-Set Approach*, algorithm 1.

    Args:
        pool (`Dataset`): column `embedding` (float32, shape `(rows, dimensions)`).
        n (`int`): how many rows to choose, from 1 to `len(pool)`.
        labeled (`Dataset`, *optional*): the texts labelled so far, with `embedding`: the first centres. Without them
            the first centre is the row farthest from the mean.
        seed (`int`): not read; the choice has no draw in it.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (the distance to the nearest centre when
        chosen).

    Raises:
        `MissingColumnError`: naming the call that makes `embedding`.
        `ConfigError`: where `n` is not from 1 to `len(pool)`.

    Example:
        >>> batch = coreset(embed(pool, encoder), 20, labeled=embed(start, encoder))
    """
    require_count(pool, n)
    order = canonical_order(pool)
    centres = by_text(labeled, "embedding") if labeled is not None and len(labeled) else None
    picks, distance = k_center(finite(pool, "embedding").take(order, axis=0), n, centres)
    return with_column(rows(pool, order[picks]), "score", distance)


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
        n (`int`): how many rows to choose, from 1 to `len(pool)`; with more clusters than `n` this is plain entropy,
            which is warned of.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read; the draw was in the clustering.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (entropy in nats): first the clusters' shares,
        most uncertain first, then the rest.

    Raises:
        `MissingColumnError`: naming the call that makes the column.
        `ConfigError`: where `n` is not from 1 to `len(pool)`.

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
    by_uncertainty = descending(uncertainty, canonical_order(pool))
    in_share = rank_within(region[by_uncertainty]) < n // m
    picks = np.concatenate([by_uncertainty[in_share], by_uncertainty[~in_share]])[:n]
    return chosen(pool, picks, uncertainty)


def rank_within(group: np.ndarray) -> np.ndarray:
    """
    How many earlier rows are of the same group.

    Example:
        >>> rank_within(np.array([7, 3, 7, 7, 3]))
        array([0, 0, 1, 2, 1])
    """
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(starts, np.diff(np.r_[starts, len(group)]))
    return rank
