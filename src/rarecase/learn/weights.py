"""How much each class weighs in the loss: what is rare may count for more."""

import numpy as np

from rarecase.learn.hyperparameters import ClassWeights


def class_weights(labels: np.ndarray, classes: int, kind: ClassWeights) -> np.ndarray:
    """
    The weight of each class in the loss.

    Args:
        labels (`np.ndarray`): the class of each training row, shape `(rows,)`.
        classes (`int`): how many there are; one without an example weighs 1, which nothing reads.
        kind (`str`, *optional*): `balanced` (rows / (classes present · count), as in scikit-learn), `sqrt` (its
            root) or None (all 1).

    Returns:
        `np.ndarray`: float64, shape `(classes,)`.

    Example:
        >>> class_weights(np.array([0, 0, 0, 1]), 2, "balanced")
        array([0.66666667, 2.        ])
    """
    count = np.bincount(labels, minlength=classes)
    present = count > 0
    weights = np.ones(classes)
    weights[present] = len(labels) / (present.sum() * count[present])
    return weights ** {"balanced": 1.0, "sqrt": 0.5, None: 0.0}[kind]
