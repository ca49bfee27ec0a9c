"""Strategies that take what the learner is least sure about, and the measures that they rank by."""

import numpy as np
from datasets import Dataset

from rarecase.acquire.selection import chosen, ranked, require_count
from rarecase.acquire.strategy import needs
from rarecase.data.arrow import finite


@needs("probs")
def entropy(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts the learner is most uncertain about: equation 1 of Hassan, Sicilia and Alikhani (2024), their TopN-AL;
    Settles (2009), *Active Learning Literature Survey*, section 3.1.

    Args:
        pool (`Dataset`): column `probs` (float32, shape `(rows, classes)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read.

    Returns:
        `Dataset`: the `n` chosen rows, most uncertain first, with `score` (entropy in nats).

    Raises:
        `MissingColumnError`: naming the call that makes `probs`.

    Example:
        >>> batch = entropy(learner.score(pool), 20)
    """
    require_count(pool, n)
    uncertainty = entropy_of(finite(pool, "probs"))
    return chosen(pool, ranked(pool, uncertainty)[:n], uncertainty)


@needs("probs")
def least_confidence(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts whose likeliest class is the least likely: Lewis and Gale (1994), *A Sequential Algorithm for Training
    Text Classifiers*; for several classes as in Settles (2009), section 3.1.

    Args:
        pool (`Dataset`): column `probs` (float32, shape `(rows, classes)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read.

    Returns:
        `Dataset`: the `n` chosen rows, least confident first, with `score` (1 - the probability of the likeliest
        class).

    Raises:
        `MissingColumnError`: naming the call that makes `probs`.

    Example:
        >>> batch = least_confidence(learner.score(pool), 20)
    """
    require_count(pool, n)
    doubt = 1.0 - finite(pool, "probs").max(axis=1).astype(np.float64)
    return chosen(pool, ranked(pool, doubt)[:n], doubt)


@needs("probs")
def margin(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts whose two likeliest classes are the closest: Scheffer, Decomain and Wrobel (2001), *Active Hidden Markov
    Models for Information Extraction*; "breaking ties" elsewhere.

    Args:
        pool (`Dataset`): column `probs` (float32, shape `(rows, classes)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read.

    Returns:
        `Dataset`: the `n` chosen rows, closest first, with `score` (1 - the gap between the two probabilities, so that
        more is more uncertain, as with every score).

    Raises:
        `MissingColumnError`: naming the call that makes `probs`.

    Example:
        >>> batch = margin(learner.score(pool), 20)
    """
    require_count(pool, n)
    closeness = closeness_of(finite(pool, "probs"))
    return chosen(pool, ranked(pool, closeness)[:n], closeness)


@needs("mc_probs")
def bald(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts about which Monte-Carlo dropout samples of the learner disagree, each sure of itself: Houlsby et al.
    (2011), *Bayesian Active Learning for Classification and Preference Learning*, equation 2, with draws by dropout as
    in Gal, Islam and Ghahramani (2017), *Deep Bayesian Active Learning with Image Data*.

    Args:
        pool (`Dataset`): column `mc_probs` (float32, shape `(rows, draws, classes)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): not read; the draws were the learner's.

    Returns:
        `Dataset`: the `n` chosen rows, most informative first, with `score` (the mutual information, in nats, of the
        label and the learner's weights).

    Raises:
        `MissingColumnError`: naming the call that makes `mc_probs`.

    Example:
        >>> batch = bald(learner.sample(pool), 20)
    """
    require_count(pool, n)
    information = mutual_information(finite(pool, "mc_probs"))
    return chosen(pool, ranked(pool, information)[:n], information)


def entropy_of(probs: np.ndarray) -> np.ndarray:
    """The entropy of each row of `(rows, classes)`, in nats, float64; a probability of 0 adds nothing."""
    p = probs.astype(np.float64)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1) + 0.0


def closeness_of(probs: np.ndarray) -> np.ndarray:
    """1 - the gap between the two likeliest classes of each row; a single class has a second of probability 0."""
    padding = max(2 - probs.shape[1], 0)
    second, first = np.sort(np.pad(probs.astype(np.float64), ((0, 0), (padding, 0))), axis=1)[:, -2:].T
    return 1.0 - (first - second)


def mutual_information(draws: np.ndarray) -> np.ndarray:
    """H[mean p] - mean H[p] over the draws of each row, in nats; shape `(rows, draws, classes)` to `(rows,)`."""
    p = draws.astype(np.float64)
    own = entropy_of(p.reshape(-1, p.shape[-1])).reshape(p.shape[:-1])
    return np.maximum(entropy_of(p.mean(axis=1)) - own.mean(axis=1), 0.0)  # below zero only by rounding
