"""Strategies that take what the learner is least sure about, by other measures than `entropy`."""

import numpy as np
from datasets import Dataset

from rarecase.acquire.measures import closeness_of, mutual_information
from rarecase.acquire.picks import chosen, descending, require_count
from rarecase.acquire.strategy import needs
from rarecase.data.arrow import finite
from rarecase.data.schema import canonical_order


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
    doubt = 1.0 - finite(pool, "probs").max(axis=1).astype(np.float64)
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
    closeness = closeness_of(finite(pool, "probs"))
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
    information = mutual_information(finite(pool, "mc_probs"))
    return chosen(pool, descending(information, canonical_order(pool))[:n], information)
