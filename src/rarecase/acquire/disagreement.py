"""The strategy that asks more where the learner contradicts the labels."""

import numpy as np
from datasets import Dataset

from rarecase.acquire.clusters import k_means
from rarecase.acquire.neighbours import nearest
from rarecase.acquire.selection import by_text, require_count, require_labeled
from rarecase.acquire.strategy import needs
from rarecase.acquire.uncertainty import entropy_of
from rarecase.core import randomness
from rarecase.data.arrow import rows, with_column
from rarecase.data.schema import canonical_order


@needs("cluster", "embedding", "probs", labeled=["embedding", "probs"])
def disagreement(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    More texts from the regions where the learner is wrong: Hassan and Alikhani (2023), *D-CALM: A Dynamic
    Clustering-based Active Learning Approach for Mitigating Bias*.

    Each cluster of the pool gets a share of the batch in proportion to the learner's error on the labelled texts in
    it, and is split by k-means into as many parts as its share; each part gives its most entropic text. Both follow
    the learner anew in every round. Where the paper leaves a choice open:

    - A labelled text is of the cluster whose mean, over the rows left in the pool, is nearest.
    - Its error is 1 - the probability of its label: the learner was fitted on these texts, and hardly any label is
      missed outright. That error is lower than on texts it has not seen; only its proportions are used.
    - A cluster without a labelled text has the mean error of all.
    - Shares are rounded by the largest remainder, at most the size of the cluster; what a small cluster cannot give
      goes to the others in the same proportions. Ties between clusters or parts go by their number.

    Args:
        pool (`Dataset`): columns `cluster` (int, by `assign_clusters`), `embedding` (float32, shape
            `(rows, dimensions)`) and `probs` (float32, shape `(rows, classes)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`): the texts labelled so far, with `label`, `embedding` and the same learner's `probs`.
        seed (`int`): decides how clusters are split.

    Returns:
        `Dataset`: the `n` chosen rows, most uncertain first, with `score` (entropy in nats).

    Raises:
        `MissingColumnError`: naming the call that makes the column.
        `ConfigError`: where there is no labelled text.

    Example:
        >>> pool = assign_clusters(embed(pool, encoder), 20, seed=0)
        >>> batch = disagreement(learner.score(pool), 20, labeled=learner.score(train), seed=0)
    """
    require_count(pool, n)
    labeled = require_labeled(labeled, "disagreement")
    vectors, uncertainty = by_text(pool, "embedding"), entropy_of(by_text(pool, "probs"))
    names, region, size = np.unique(by_text(pool, "cluster"), return_inverse=True, return_counts=True)
    share = shares(_errors(vectors, region, labeled), size, n)
    picks = []
    for c in np.flatnonzero(share):
        members = np.flatnonzero(region == c)
        part = k_means(vectors[members], share[c], randomness.integer(seed, "disagreement", int(names[c])))
        best = members[np.lexsort((-uncertainty[members], part))]  # part after part, the most entropic first
        first = np.unique(np.sort(part), return_index=True)[1]
        # A part that k-means left empty gives its pick to the most entropic of the rest.
        rest = np.delete(best, first)
        picks += [*best[first], *rest[np.argsort(-uncertainty[rest], kind="stable")][: share[c] - len(first)]]
    order = np.array(sorted(picks, key=lambda row: (-uncertainty[row], row)))
    return with_column(rows(pool, canonical_order(pool)[order]), "score", uncertainty[order])


def _errors(vectors: np.ndarray, region: np.ndarray, labeled: Dataset) -> np.ndarray:
    """The learner's mean error on the labelled texts of each cluster; where there is none, that of all."""
    centres = np.stack([vectors[region == c].mean(axis=0) for c in range(region.max() + 1)])
    _, own = nearest(by_text(labeled, "embedding"), centres, 1)
    label = by_text(labeled, "label")
    # A float32 may be a little more than 1, and a claim may not be less than 0.
    error = np.clip(1.0 - by_text(labeled, "probs").astype(np.float64)[np.arange(len(label)), label], 0.0, 1.0)
    count = np.bincount(own[:, 0], minlength=len(centres))
    total = np.bincount(own[:, 0], weights=error, minlength=len(centres))
    return np.where(count > 0, total / np.maximum(count, 1), error.mean())


def shares(claim: np.ndarray, size: np.ndarray, n: int) -> np.ndarray:
    """Splits `n` in proportion to the claims, none negative, at most each size; if all claim 0, evenly."""
    share = np.zeros(len(size), np.int64)
    while share.sum() < n:
        room = size - share
        weight = np.where(room > 0, claim, 0.0)
        if not weight.sum():
            weight = (room > 0).astype(np.float64)
        exact = (n - share.sum()) * weight / weight.sum()
        added = np.floor(exact).astype(np.int64)
        last = np.argsort(added - exact, kind="stable")[: n - share.sum() - added.sum()]  # the largest remainders
        added[last] += 1
        share += np.minimum(added, room)
    return share
