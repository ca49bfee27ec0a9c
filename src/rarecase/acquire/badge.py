"""BADGE without its matrix: a gradient embedding is an outer product, and its inner products need only the factors."""

import numpy as np
from datasets import Dataset

from rarecase.acquire.kmeans_plusplus import BLOCK, k_means_plus_plus
from rarecase.acquire.selection import require_count
from rarecase.acquire.strategy import needs
from rarecase.core import randomness
from rarecase.data.arrow import finite, rows, with_column
from rarecase.data.schema import canonical_order


@needs("probs", "features")
def badge(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    Texts that would change the learner much, each in another way: Ash et al. (2020), *Deep Batch Active Learning by
    Diverse, Uncertain Gradient Lower Bounds*, algorithm 1.

    The gradient of the loss for the last layer, taking the likeliest class for the label, is the outer product
    g = (p - onehot(argmax p)) ⊗ h; the batch is drawn from these by k-means++. The first centre is the longest
    gradient, as in the authors' code (the paper's k-means++ would draw it); every further one is drawn by its squared
    distance to the nearest centre.

    Args:
        pool (`Dataset`): columns `probs` (float32, shape `(rows, classes)`) and `features` (float32, shape
            `(rows, dimensions)`), what the learner's last layer reads.
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): decides the draws.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (the distance to the nearest gradient chosen
        before; for the first its own length). Once no row is away from what is chosen, the rest go by text.

    Raises:
        `MissingColumnError`: naming the call that makes the column.

    Example:
        >>> batch = badge(learner.score(pool), 20, seed=0)
    """
    require_count(pool, n)
    order = canonical_order(pool)
    gradients = Gradients(finite(pool, "probs"), finite(pool, "features"), order)
    first = int(np.argmax(gradients.squared_norms))
    picks, squared = k_means_plus_plus(
        gradients.squared_distances, len(pool), n, first, randomness.generator(seed, "badge")
    )
    squared[0] = gradients.squared_norms[first]
    return with_column(rows(pool, order[picks]), "score", np.sqrt(squared))


class Gradients:
    """
    The gradient embeddings g_i = a_i ⊗ h_i, a_i = p_i - onehot(argmax p_i), by their factors: ⟨g_i, g_j⟩ = ⟨a_i, a_j⟩
    ⟨h_i, h_j⟩. Rows are numbered in canonical order and gathered where they are needed: features are not copied.
    """

    def __init__(self, probs: np.ndarray, features: np.ndarray, order: np.ndarray):
        self.errors = probs.take(order, axis=0).astype(np.float64)
        self.errors[np.arange(len(order)), self.errors.argmax(axis=1)] -= 1.0
        self.features, self.order = features, order
        self.squared_norms = np.einsum("ij,ij->i", self.errors, self.errors)
        for start in range(0, len(order), BLOCK):
            h = self._features(np.arange(start, min(start + BLOCK, len(order))))
            self.squared_norms[start : start + BLOCK] *= np.einsum("ij,ij->i", h, h)

    def products(self, some: np.ndarray, others: np.ndarray) -> np.ndarray:
        """The inner products of two sets of gradients, given by row numbers: float64, `(len(some), len(others))`."""
        return (self.errors[some] @ self.errors[others].T) * (self._features(some) @ self._features(others).T)

    def squared_distances(self, some: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Their squared Euclidean distances, likewise."""
        norms = self.squared_norms[some, None] + self.squared_norms[others]
        return np.maximum(norms - 2.0 * self.products(some, others), 0.0)

    def _features(self, some: np.ndarray) -> np.ndarray:
        return self.features.take(self.order[some], axis=0).astype(np.float64)
