"""Thresholds for a guard that has no certificate."""

import numpy as np

THRESHOLD = 0.5  # of a class of which nothing better is known


def best_f1(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """
    Of each class the threshold with the best F1 against all others, of equal ones the lowest; 0.5 for a class without
    a positive.

    A threshold is in the middle between two scores, so that it does not depend on the last bit of either.

    Args:
        scores (`np.ndarray`): shape `(rows, classes)`.
        labels (`np.ndarray`): int, shape `(rows,)`.

    Returns:
        `np.ndarray`: float64, shape `(classes,)`.

    Example:
        >>> best_f1(np.array([[0.9], [0.5], [0.2]]), np.array([0, 0, 1])).tolist()
        [0.35]
    """
    return np.array([_best_f1(scores[:, place], labels == place) for place in range(scores.shape[1])])


def _best_f1(scores: np.ndarray, is_positive: np.ndarray) -> float:
    positives = int(is_positive.sum())
    if not positives:
        return THRESHOLD
    values, place = np.unique(-scores, return_inverse=True)  # from the largest score on
    found = np.cumsum(np.bincount(place, weights=is_positive, minlength=len(values)))
    flagged = np.cumsum(np.bincount(place, minlength=len(values)))
    f1 = 2 * found / (flagged + positives)
    best = len(values) - 1 - int(np.argmax(f1[::-1]))
    below = -values[best + 1] if best + 1 < len(values) else 0.0
    return float((-values[best] + below) / 2)
