"""How much each class weighs in the loss: what is rare may count for more."""

import numpy as np

from rarecase.learn.hyperparameters import ClassWeights


def class_weights(labels: np.ndarray, classes: int, kind: ClassWeights) -> np.ndarray:
    """
    The weight of each class in the loss, float64 `(classes,)`; 1, which nothing reads, for one without an example.

    `balanced` is rows / (classes present · count), as in scikit-learn, `sqrt` its root, and with None all weigh 1.
    """
    count = np.bincount(labels, minlength=classes)
    present = count > 0
    weights = np.ones(classes)
    weights[present] = len(labels) / (present.sum() * count[present])
    return weights ** {"balanced": 1.0, "sqrt": 0.5, None: 0.0}[kind]
