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


def rare_metrics(found: dict[str, Any], rare: Sequence[str]) -> dict[str, float]:
    """
    Recall and F1 of the rarest classes, the mean where there are several.

    Args:
        found (`dict`): from `all_metrics`.
        rare (`Sequence[str]`): from `rarecase.data.counts.rarest_classes`, at least one.

    Returns:
        `dict`: `rare_recall` and `rare_f1`, in percent.

    Example:
        >>> rare_metrics(all_metrics([0, 1], [0, 0], ["harmful", "not-harmful"]), ["harmful"])["rare_recall"]
        100.0
    """
    return {f"rare_{figure}": float(np.mean([found[figure][name] for name in rare])) for figure in ("recall", "f1")}


def error_rates(
    labels: Sequence[int] | np.ndarray, predictions: Sequence[int] | np.ndarray, classes: int
) -> np.ndarray:
    """
    The share of each class's rows that got another class: the errors of the paper's Table 8, "normalized by the class
    frequency".

    Args:
        labels (`Sequence[int]`): the classes that hold, shape `(rows,)`.
        predictions (`Sequence[int]`): the classes predicted, shape `(rows,)`.
        classes (`int`): how many classes the taxonomy has.

    Returns:
        `np.ndarray`: in percent, float64, shape `(classes,)`; nan for a class without any row, of which nothing is
        known.

    Example:
        >>> error_rates([0, 0, 1], [0, 1, 1], 3)
        array([50.,  0., nan])
    """
    truth, predicted = np.asarray(labels, int), np.asarray(predictions, int)
    support = np.bincount(truth, minlength=classes)
    missed = np.bincount(truth[truth != predicted], minlength=classes)
    return np.divide(100.0 * missed, support, out=np.full(classes, np.nan), where=support > 0)


def error_std(rates: np.ndarray) -> float:
    """
    The sample standard deviation (ddof 1) of per-class error rates: Table 8 of the paper.

    Args:
        rates (`np.ndarray`): from `error_rates`; classes without any row are left out.

    Returns:
        `float`: in percentage points; 0 where fewer than two classes have rows.

    Example:
        >>> round(error_std(np.array([50.0, 0.0, np.nan])), 2)
        35.36
    """
    known = rates[~np.isnan(rates)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else 0.0


def expected_calibration_error(labels: Sequence[int] | np.ndarray, probs: np.ndarray, bins: int = 15) -> float:
    """
    How far the probability of the predicted class is from the share that is right (Guo, Pleiss, Sun and Weinberger,
    2017, equation 3): the mean gap over equal-width bins of that probability, weighted by their rows.

    Args:
        labels (`Sequence[int]`): the classes that hold, shape `(rows,)`.
        probs (`np.ndarray`): probabilities, shape `(rows, classes)`.
        bins (`int`): of (0, 1]; each is open to the left.

    Returns:
        `float`: in percent; 0 without rows.

    Example:
        >>> expected_calibration_error([0, 1], np.array([[0.75, 0.25], [0.75, 0.25]]))
        25.0
    """
    if not len(probs):
        return 0.0
    confidence = probs.max(axis=1).astype(np.float64)
    right = probs.argmax(axis=1) == np.asarray(labels, int)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(100 * np.abs(np.bincount(place, confidence - right, minlength=bins)).sum() / len(probs))
