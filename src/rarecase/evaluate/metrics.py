"""The figures of a classifier, in percent: those of every round, and all that a model's card shows."""

from collections.abc import Sequence

import numpy as np

from rarecase.data.release import Metrics


class AllMetrics(Metrics):
    """Those of a model's card; `confusion` has a row for each true class and a column for each predicted one."""

    macro_precision: float
    macro_recall: float
    precision: dict[str, float]
    recall: dict[str, float]
    confusion: list[list[int]]


def metrics(
    labels: Sequence[int] | np.ndarray, predictions: Sequence[int] | np.ndarray, names: Sequence[str]
) -> Metrics:
    """
    Accuracy, macro-F1 and the F1 of each class of the taxonomy, in percent.

    A class that neither occurs nor is predicted has an F1 of 0 and counts in the mean; without rows every figure is 0.
    """
    every = all_metrics(labels, predictions, names)
    return {"accuracy": every["accuracy"], "macro_f1": every["macro_f1"], "f1": every["f1"]}


def all_metrics(
    labels: Sequence[int] | np.ndarray, predictions: Sequence[int] | np.ndarray, names: Sequence[str]
) -> AllMetrics:
    """What `metrics` gives, with precision, recall and the confusion table."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    truth, predicted, classes = np.asarray(labels, int), np.asarray(predictions, int), range(len(names))
    if len(truth):
        *shares, _ = precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)
        confusion = confusion_matrix(truth, predicted, labels=classes)
    else:  # scikit-learn refuses it
        shares, confusion = [np.zeros(len(names))] * 3, np.zeros((len(names), len(names)), int)
    precision, recall, f1 = (100 * share for share in shares)

    def by_class(values: np.ndarray) -> dict[str, float]:
        return dict(zip(names, map(float, values), strict=True))

    return {
        "accuracy": float(100 * np.mean(truth == predicted)) if len(truth) else 0.0,
        "macro_precision": float(np.mean(precision)),
        "macro_recall": float(np.mean(recall)),
        "macro_f1": float(np.mean(f1)),
        "precision": by_class(precision),
        "recall": by_class(recall),
        "f1": by_class(f1),
        "confusion": confusion.tolist(),
    }


def error_rates(
    labels: Sequence[int] | np.ndarray, predictions: Sequence[int] | np.ndarray, classes: int
) -> np.ndarray:
    """
    The share of each class's rows that got another class, in percent; nan for a class without any row.

    These are the errors of the paper's Table 8, "normalized by the class frequency".
    """
    truth, predicted = np.asarray(labels, int), np.asarray(predictions, int)
    support = np.bincount(truth, minlength=classes)
    missed = np.bincount(truth[truth != predicted], minlength=classes)
    return np.divide(100.0 * missed, support, out=np.full(classes, np.nan), where=support > 0)


def error_std(rates: np.ndarray) -> float:
    """The sample standard deviation (ddof 1) of the known error rates, in percentage points; 0 for fewer than two."""
    known = rates[~np.isnan(rates)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else 0.0


def expected_calibration_error(labels: Sequence[int] | np.ndarray, probs: np.ndarray, bins: int = 15) -> float:
    """
    How far the probability of the predicted class is from the share that is right, in percent.

    The mean gap over equal-width bins of that probability, each open to the left, weighted by their rows (Guo, Pleiss,
    Sun and Weinberger, 2017, equation 3).
    """
    if not len(probs):
        return 0.0
    confidence = probs.max(axis=1).astype(np.float64)
    right = probs.argmax(axis=1) == np.asarray(labels, int)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    return float(100 * np.abs(np.bincount(place, confidence - right, minlength=bins)).sum() / len(probs))
