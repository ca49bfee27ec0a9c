"""The figures of a classifier: accuracy, macro-F1 and the F1 of every class, in percent."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def metrics(
    labels: Sequence[int] | np.ndarray, predictions: Sequence[int] | np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """
    Accuracy, macro-F1 and the F1 of each class of the taxonomy, a class without any row among them.

    Args:
        labels (`Sequence[int]`): the classes that hold, shape `(rows,)`.
        predictions (`Sequence[int]`): the classes predicted, shape `(rows,)`.
        names (`Sequence[str]`): the classes of the taxonomy, in order.

    Returns:
        `dict`: `accuracy`, `macro_f1` and `f1` (by name), in percent, plain numbers. A class that neither occurs nor
        is predicted has an F1 of 0 and counts in the mean; without rows every figure is 0.

    Example:
        >>> metrics([0, 1], [0, 0], ["harmful", "not-harmful"])["accuracy"]
        50.0
    """
    from sklearn.metrics import f1_score

    truth, predicted = np.asarray(labels), np.asarray(predictions)
    if not len(truth):  # scikit-learn refuses it
        return {"accuracy": 0.0, "macro_f1": 0.0, "f1": dict.fromkeys(names, 0.0)}
    f1 = 100 * f1_score(truth, predicted, labels=range(len(names)), average=None, zero_division=0)
    return {
        "accuracy": float(100 * np.mean(truth == predicted)),
        "macro_f1": float(np.mean(f1)),
        "f1": {name: float(value) for name, value in zip(names, f1, strict=True)},
    }
