"""
Thresholds with a recall that holds: from the scores and labels of certification rows to what a certificate says.

The threshold of a class is the (m + 1)-th smallest score of its K positives, and m the most misses that the exact
bound allows of K at the target, with the class's share of the error (`rarecase.guard.bounds`). m is known before a
score is looked at, so the bound holds for the chosen threshold; and as all classes that are asked for share the error,
refused ones included, all bounds hold together. The alarm rates are of rows that no threshold was chosen on, so their
intervals are exact, too; but what is refused for its alarm rate is chosen by it (`rarecase.guard.wording` says so).

A row that was drawn and left without a label counts as a positive of every class, and as missed. Whatever its class
is, that lowers no bound too little: one positive more allows at most one miss more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rarecase.core.errors import ConfigError, did_you_mean, listed, shown_id
from rarecase.guard.bounds import interval, least_positives, lower_bound, most_misses
from rarecase.guard.certificate import ClassCertificate, Rate, Windows
from rarecase.guard.numbers import percent, some


@dataclass(frozen=True)
class Asked:
    """
    What is asked of a calibration.

    Args:
        recall (`Mapping[str, float]`): the target of each class.
        confidence (`float`): that all bounds hold together.
        max_alarm (`float`): the share of rows not of a class that may at most be flagged as it.
    """

    recall: Mapping[str, float]
    confidence: float = 0.95
    max_alarm: float = 0.2

    @property
    def error(self) -> float:
        """The share of each class in the error."""
        return (1 - self.confidence) / len(self.recall)

    def check(self, names: Sequence[str], harmless: Collection[str]) -> None:
        """Raises `ConfigError` where a class is none of the model's, or a number is out of range."""
        for name, target in self.recall.items():
            if name not in names or name in harmless:
                kind = "is harmless, so no recall is asked of it" if name in names else "is no class of the model"
                known = [known for known in names if known not in harmless]
                raise ConfigError(
                    f"--recall: class{shown_id(name)} {kind}{did_you_mean(name, known)} (classes: {listed(known)})"
                )
            _require_share(f"--recall of {name}", target)
        _require_share("--confidence", self.confidence)
        _require_share("--max-alarm", self.max_alarm)


def _require_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ConfigError(f"{name} {value:g}: expected a number between 0 and 1, such as 0.9")


@dataclass(frozen=True)
class ScoredRows:
    """
    The certification rows as the guard scores them.

    Args:
        names (`Sequence[str]`): the classes, in the order of the columns of `scores`.
        scores (`np.ndarray`): of the labelled rows, `(rows, classes)`.
        labels (`np.ndarray`): their classes by number, `(rows,)`.
        windows (`np.ndarray`): in how many windows each was read, `(rows,)`.
        unlabelled (`int`): how many rows were drawn beside these and left without a label.
    """

    names: Sequence[str]
    scores: np.ndarray
    labels: np.ndarray
    windows: np.ndarray
    unlabelled: int = 0

    def positives(self, name: str) -> int:
        """How many rows count as positives of a class."""
        return int(np.count_nonzero(self.labels == self.names.index(name))) + self.unlabelled

    def decides(self, asked: Asked) -> bool:
        """Whether a score is looked at: a class has enough positives; if none has, their number alone refuses all."""
        return any(
            most_misses(self.positives(name), target, asked.error) >= self.unlabelled
            for name, target in asked.recall.items()
        )


def calibrate_class(rows: ScoredRows, name: str, asked: Asked, margin: float = 0.0) -> ClassCertificate:
    """The threshold of one class, lowered by `margin`, and what is certified of it, or why nothing is."""
    place, target = rows.names.index(name), asked.recall[name]
    of_class, scores = rows.labels == place, rows.scores[:, place]
    found, positives = np.sort(scores[of_class]), rows.positives(name)
    several = int(np.count_nonzero(rows.windows[of_class] > 1))
    windows = Windows(len(found) - several, several)
    misses = most_misses(positives, target, asked.error)
    if misses < rows.unlabelled:
        bound = lower_bound(len(found), positives, asked.error)
        reason = _too_few(rows, len(found), bound, target, asked.error)
        return ClassCertificate(target, None, positives, rows.unlabelled, bound, windows, None, reason)
    threshold = max(float(found[misses - rows.unlabelled]) - margin, 0.0)
    bound = lower_bound(positives - misses, positives, asked.error)
    alarm = _rate(scores[~of_class] >= threshold, asked.confidence)
    if alarm.high >= asked.max_alarm:
        reason = _too_many_alarms(alarm, target, asked.max_alarm)
        return ClassCertificate(target, None, positives, misses, bound, windows, alarm, reason)
    return ClassCertificate(target, threshold, positives, misses, bound, windows, alarm, None)


def calibrate(
    rows: ScoredRows,
    asked: Asked,
    *,
    harmless: Collection[str],
    margin: float = 0.0,
    otherwise: np.ndarray | None = None,
) -> tuple[dict[str, ClassCertificate], Rate]:
    """
    What is certified of each class, and the share of harmless rows that any class flags.

    Args:
        rows (`ScoredRows`): what to calibrate on.
        asked (`Asked`): the targets.
        harmless (`Collection[str]`): the classes that nothing is done about.
        margin (`float`): by how much the thresholds are lowered.
        otherwise (`np.ndarray`, *optional*): the thresholds, `(classes,)`, of classes that get none here; without
            them such a class flags nothing.
    """
    classes = {name: calibrate_class(rows, name, asked, margin) for name in asked.recall}
    thresholds = np.full(len(rows.names), np.inf) if otherwise is None else np.array(otherwise, dtype=float)
    for place, name in enumerate(rows.names):
        if name in harmless:
            thresholds[place] = np.inf
        elif name in classes and (threshold := classes[name].threshold) is not None:
            thresholds[place] = threshold
    is_harmless = np.isin(rows.labels, [place for place, name in enumerate(rows.names) if name in harmless])
    flagged = rows.scores[is_harmless] >= thresholds
    return classes, _rate(np.any(flagged, axis=1), asked.confidence)


def _rate(flagged: np.ndarray, confidence: float) -> Rate:
    count = int(np.count_nonzero(flagged))
    return Rate(count / len(flagged) if len(flagged) else 0.0, *interval(count, len(flagged), confidence))


def _too_few(rows: ScoredRows, found: int, bound: float, target: float, error: float) -> str:
    """Why so few positives carry nothing, and how many more would."""
    missing = least_positives(rows.unlabelled, target, error) - found - rows.unlabelled
    left = f" ({rows.unlabelled} without a label count as missed)" if rows.unlabelled else ""
    if not found:
        high = interval(0, len(rows.labels), 1 - 2 * error)[1]
        return (
            f"none of the class among {len(rows.labels):,} texts{left}: nothing can be said about recall; at least "
            f"{missing} are needed, and at most {percent(high)} of the texts are of the class, so that takes more "
            f"than {some(missing / high)} random texts"
        )
    share = found / len(rows.labels)
    return (
        f"{found} of {found + rows.unlabelled} found{left}: recall at least {bound:.2f}; at least {missing} more "
        f"positives are needed if none is missed, some {some(missing / share)} random texts at {percent(share)}"
    )


def _too_many_alarms(alarm: Rate, target: float, max_alarm: float) -> str:
    return (
        f"to find {target:g} of the class, the guard would flag {percent(alarm.rate)} of the texts that are not of it "
        f"({percent(alarm.low)} to {percent(alarm.high)}), and the upper end has to be below {percent(max_alarm)}; a "
        "better model is needed, or more positives, which allow a higher threshold"
    )
