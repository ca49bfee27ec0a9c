"""What probabilities say of a learner's doubt: the measures that several strategies, and the stopping, share."""

import numpy as np


def entropy_of(probs: np.ndarray) -> np.ndarray:
    """
    The entropy of each row, in nats; a probability of 0 adds nothing.

    Args:
        probs (`np.ndarray`): shape `(rows, classes)`.

    Returns:
        `np.ndarray`: float64, shape `(rows,)`.

    Example:
        >>> entropy_of(np.array([[0.5, 0.5], [1.0, 0.0]]))
        array([0.69314718, 0.        ])
    """
    p = probs.astype(np.float64)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1) + 0.0


def closeness_of(probs: np.ndarray) -> np.ndarray:
    """
    How close the two likeliest classes of each row are: 1 - the gap between their probabilities.

    Args:
        probs (`np.ndarray`): shape `(rows, classes)`; a single class has a second of probability 0.

    Returns:
        `np.ndarray`: float64, shape `(rows,)`.

    Example:
        >>> closeness_of(np.array([[0.5, 0.5], [1.0, 0.0]]))
        array([1., 0.])
    """
    padding = max(2 - probs.shape[1], 0)
    second, first = np.sort(np.pad(probs.astype(np.float64), ((0, 0), (padding, 0))), axis=1)[:, -2:].T
    return 1.0 - (first - second)


def mutual_information(draws: np.ndarray) -> np.ndarray:
    """
    What the label would tell about which draw is right, of each row, in nats: H[mean p] - mean H[p].

    Args:
        draws (`np.ndarray`): shape `(rows, draws, classes)`.

    Returns:
        `np.ndarray`: float64, shape `(rows,)`.

    Example:
        >>> mutual_information(np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]]))
        array([0.69314718, 0.        ])
    """
    p = draws.astype(np.float64)
    own = entropy_of(p.reshape(-1, p.shape[-1])).reshape(p.shape[:-1])
    return np.maximum(entropy_of(p.mean(axis=1)) - own.mean(axis=1), 0.0)  # below zero only by rounding
