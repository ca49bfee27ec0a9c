"""Thresholds for a guard that has no certificate."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

THRESHOLD = 0.5  # of a class of which nothing better is known
IN_A_ROW = 7  # windows of a text of 1,000 tokens
LEAST = IN_A_ROW + 9  # windows in a row that are ten such texts
_ALARM = 0.1  # of harmless texts of so many windows
_ABOVE = 0.001


def best_f1(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """
    Of each class the threshold with the best F1 against all others, of equal ones the lowest; 0.5 for a class without
    a positive, or without a score above 0. It is in the middle between two scores, so that it does not depend on the
    last bit of either, and above 0, the score of a class without a training row: such a class flags no text.

    Example:
        >>> best_f1(np.array([[0.9], [0.5], [0.2]]), np.array([0, 0, 1])).tolist()
        [0.35]
    """
    return np.array([_best_f1(scores[:, place], labels == place) for place in range(scores.shape[1])])


def _best_f1(scores: np.ndarray, is_positive: np.ndarray) -> float:
    positives = int(is_positive.sum())
    scored = scores > 0
    if not positives or not scored.any():
        return THRESHOLD
    values, place = np.unique(-scores[scored], return_inverse=True)  # from the largest score on
    found = np.cumsum(np.bincount(place, weights=is_positive[scored], minlength=len(values)))
    flagged = np.cumsum(np.bincount(place, minlength=len(values)))
    f1 = 2 * found / (flagged + positives)
    best = len(values) - 1 - int(np.argmax(f1[::-1]))
    below = -values[best + 1] if best + 1 < len(values) else 0.0
    return float((-values[best] + below) / 2)


def for_long_texts(windows: np.ndarray) -> np.ndarray:
    """
    For each class the threshold at which of harmless texts of `IN_A_ROW` windows at most a tenth are flagged, by any
    class; every class may flag the same number of them.

    `windows` has the scores of the windows of a harmless text, in order, `LEAST` or more; each `IN_A_ROW` in a row are
    a text. A threshold is in the middle between two scores, or just above the largest.

    Example:
        >>> for_long_texts(np.linspace(0.1, 0.5, 17)[:, None]).round(4).tolist()
        [0.4875]
    """
    scores = sliding_window_view(windows, IN_A_ROW, axis=0).max(axis=-1)
    # How many texts a class flags where it just flags this one; rows of equal scores are flagged together.
    needed = (scores[:, None, :] <= scores[None, :, :]).sum(axis=1)
    counts = np.arange(len(scores))
    alarms = (needed.min(axis=1) <= counts[:, None]).sum(axis=1)
    flagged = needed <= counts[alarms <= _ALARM * len(scores)][-1]
    least, most = np.where(flagged, scores, np.inf).min(axis=0), np.where(flagged, 0.0, scores).max(axis=0)
    return np.where(np.isfinite(least), (least + most) / 2, most + _ABOVE)
