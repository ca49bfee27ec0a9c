"""Strategies that take what the learner is least sure about, by other measures than `entropy`."""

import numpy as np
from datasets import Dataset

from rarecase.acquire.picks import chosen, descending, require_count, require_finite
from rarecase.acquire.strategies import entropy_of
from rarecase.schema import canonical_order, matrix, needs


@needs("probs")
def least_confidence(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts whose likeliest class is the least likely: Lewis and Gale (1994), *A Sequential Algorithm for Training
    Text Classifiers*; for several classes as in Settles (2009), section 3.1.

    Args:
        pool (`Dataset`): column `probs` (float32, shape `(rows, classes)`).
        n (`int`): how many rows to choose, from 1 to `len(pool)`.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read; the choice has no draw in it.

    Returns:
        `Dataset`: the `n` chosen rows, least confident first, with `score` (1 - the probability of the likeliest
        class).

    Raises:
        `MissingColumnError`: naming the call that makes `probs`.
        `ConfigError`: where `n` is not from 1 to `len(pool)`.

    Example:
        >>> batch = least_confidence(learner.score(pool), 20)
    """
    require_count(pool, n)
    doubt = 1.0 - _likeliest(require_finite(matrix(pool, "probs"), "probs"), 1)[:, 0]
    return chosen(pool, descending(doubt, canonical_order(pool))[:n], doubt)


@needs("probs")
def margin(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts whose two likeliest classes are the closest: Scheffer, Decomain and Wrobel (2001), *Active Hidden Markov
    Models for Information Extraction*; "breaking ties" elsewhere.

    Args:
        pool (`Dataset`): column `probs` (float32, shape `(rows, classes)`).
        n (`int`): how many rows to choose, from 1 to `len(pool)`.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read; the choice has no draw in it.

    Returns:
        `Dataset`: the `n` chosen rows, closest first, with `score` (1 - the gap between the two probabilities, so that
        more is more uncertain, as with every score).

    Raises:
        `MissingColumnError`: naming the call that makes `probs`.
        `ConfigError`: where `n` is not from 1 to `len(pool)`.

    Example:
        >>> batch = margin(learner.score(pool), 20)
    """
    require_count(pool, n)
    closeness = closeness_of(require_finite(matrix(pool, "probs"), "probs"))
    return chosen(pool, descending(closeness, canonical_order(pool))[:n], closeness)


@needs("mc_probs")
def bald(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts about which thinned-out copies of the learner disagree, each sure of itself: Houlsby et al. (2011),
    *Bayesian Active Learning for Classification and Preference Learning*, equation 2, with draws by dropout as in Gal,
    Islam and Ghahramani (2017), *Deep Bayesian Active Learning with Image Data*.

    The score is the mutual information of the label and the learner's weights: the entropy of the mean over the draws,
    less the mean of their entropies.

    Args:
        pool (`Dataset`): column `mc_probs` (float32, shape `(rows, draws, classes)`).
        n (`int`): how many rows to choose, from 1 to `len(pool)`.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read; the draws were the learner's.

    Returns:
        `Dataset`: the `n` chosen rows, most informative first, with `score` (mutual information in nats).

    Raises:
        `MissingColumnError`: naming the call that makes `mc_probs`.
        `ConfigError`: where `n` is not from 1 to `len(pool)`.

    Example:
        >>> batch = bald(learner.sample(pool), 20)
    """
    require_count(pool, n)
    information = mutual_information(matrix(pool, "mc_probs"))
    return chosen(pool, descending(information, canonical_order(pool))[:n], information)


def closeness_of(probs: np.ndarray) -> np.ndarray:
    """
    How close the two likeliest classes of each row are: 1 - the gap between their probabilities.

    Args:
        probs (`np.ndarray`): shape `(rows, classes)`.

    Returns:
        `np.ndarray`: float64, shape `(rows,)`.

    Example:
        >>> closeness_of(np.array([[0.5, 0.5], [1.0, 0.0]]))
        array([1., 0.])
    """
    second, first = _likeliest(probs, 2).T
    return 1.0 - (first - second)


def mutual_information(draws: np.ndarray) -> np.ndarray:
    """
    What the label would tell about which draw is right, of each row, in nats: H[mean p] - mean H[p].

    Args:
        draws (`np.ndarray`): shape `(rows, draws, classes)`.

    Returns:
        `np.ndarray`: float64, shape `(rows,)`.

    Raises:
        `DataError`: where a row is not finite.

    Example:
        >>> mutual_information(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]]))
        array([0.69314718, 0.        ])
    """
    p = require_finite(draws.astype(np.float64), "mc_probs")
    own = entropy_of(p.reshape(-1, p.shape[-1])).reshape(p.shape[:-1])
    return np.maximum(entropy_of(p.mean(axis=1)) - own.mean(axis=1), 0.0)  # below zero only by rounding


def _likeliest(probs: np.ndarray, count: int) -> np.ndarray:
    """The probabilities of the likeliest classes, rising, float64, shape `(rows, count)`; 0 where there is no such."""
    padding = max(count - probs.shape[1], 0)
    return np.sort(np.pad(probs.astype(np.float64), ((0, 0), (padding, 0))), axis=1)[:, -count:]
