"""The strategy that compares each text with the labelled texts most like it."""

import numpy as np
from datasets import Dataset

from rarecase.acquire.neighbours import nearest
from rarecase.acquire.selection import by_text, require_count, require_labeled, unit_vectors
from rarecase.acquire.strategy import needs
from rarecase.acquire.uncertainty import entropy_of
from rarecase.data.arrow import rows, with_column
from rarecase.data.schema import canonical_order

NEIGHBOURS = 10  # of the paper
SMALLEST = 1e-12  # probability, in a logarithm


@needs("probs", "features", labeled=["probs", "features"])
def contrastive(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts that the learner predicts differently from the labelled texts most like them: Margatina, Vernikos,
    Barrault and Aletras (2021), *Active Learning by Acquiring Contrastive Examples*, algorithm 1 (CAL).

    Of each text, the 10 nearest labelled texts by `features` (Euclidean, at length 1 as in the authors' code), and the
    mean divergence KL(p of the neighbour ‖ p of the text) over them.

    Args:
        pool (`Dataset`): columns `probs` (float32, shape `(rows, classes)`) and `features` (float32, shape
            `(rows, dimensions)`), of one learner.
        n (`int`): how many rows to choose.
        labeled (`Dataset`): the texts labelled so far, with the same columns of the same learner.
        seed (`int`): not read.

    Returns:
        `Dataset`: the `n` chosen rows, most contrary first, with `score` (the mean divergence in nats).

    Raises:
        `MissingColumnError`: naming the call that makes the column.
        `ConfigError`: where there is no labelled text.

    Example:
        >>> batch = contrastive(learner.score(pool), 20, labeled=learner.score(train))
    """
    require_count(pool, n)
    labeled = require_labeled(labeled, "contrastive")
    own, known = by_text(pool, "probs"), by_text(labeled, "probs")
    k = min(NEIGHBOURS, len(labeled))
    _, neighbours = nearest(unit_vectors(pool, "features"), unit_vectors(labeled, "features"), k)
    # KL(q ‖ p) = Σ q log q - Σ q log p; a class that neither has (no example yet) adds nothing.
    p = np.log(np.maximum(own.astype(np.float64), SMALLEST))
    q = known.astype(np.float64)
    divergence = np.zeros(len(pool))
    for nth in neighbours.T:
        divergence += -entropy_of(q)[nth] - np.einsum("rc,rc->r", q[nth], p)
    divergence /= k
    picks = np.argsort(-divergence, kind="stable")[:n]
    return with_column(rows(pool, canonical_order(pool)[picks]), "score", divergence[picks])
