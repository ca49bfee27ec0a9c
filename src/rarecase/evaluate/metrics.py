"""The figures of a classifier, in percent: those of every round, and all that a model's card shows."""

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
    every = all_metrics(labels, predictions, names)
    return {name: every[name] for name in ("accuracy", "macro_f1", "f1")}


def all_metrics(
    labels: Sequence[int] | np.ndarray, predictions: Sequence[int] | np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """
    What `metrics` gives, with precision, recall and the confusion table.

    Args:
        labels (`Sequence[int]`): the classes that hold, shape `(rows,)`.
        predictions (`Sequence[int]`): the classes predicted, shape `(rows,)`.
        names (`Sequence[str]`): the classes of the taxonomy, in order.

    Returns:
        `dict`: `accuracy`, `macro_precision`, `macro_recall` and `macro_f1`; `precision`, `recall` and `f1` by name,
        all in percent; and `confusion`, counts, `(classes, classes)`: a row for each class that holds, a column for
        each that was predicted.

    Example:
        >>> all_metrics([0, 1], [0, 0], ["harmful", "not-harmful"])["confusion"]
        [[1, 0], [1, 0]]
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    truth, predicted, classes = np.asarray(labels, int), np.asarray(predictions, int), range(len(names))
    if len(truth):
        *shares, _ = precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
        confusion = confusion_matrix(truth, predicted, labels=classes)
    else:  # scikit-learn refuses it
        shares, confusion = [np.zeros(len(names))] * 3, np.zeros((len(names), len(names)), int)
    figures = {name: 100 * share for name, share in zip(("precision", "recall", "f1"), shares, strict=True)}
    return {
        "accuracy": float(100 * np.mean(truth == predicted)) if len(truth) else 0.0,
        **{f"macro_{figure}": float(np.mean(values)) for figure, values in figures.items()},
        **{figure: dict(zip(names, map(float, values), strict=True)) for figure, values in figures.items()},
        "confusion": confusion.tolist(),
    }
