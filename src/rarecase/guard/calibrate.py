"""
Thresholds with a lower limit of the recall: from the scores and labels of certification rows to a certificate.

The threshold of a class is the (m + 1)-th smallest score of its K positives, and m the most misses that the exact
bound allows of K at the target, with the class's share of the error (`rarecase.guard.bounds`). m is known before a
score is looked at, so the bound holds for the chosen threshold; and as all classes that are asked for share the error,
refused ones included, all bounds hold together. The alarm rates are of rows that no threshold was chosen on, so their
intervals are exact, too; but what is refused for its alarm rate is chosen by it (`rarecase.guard.wording` says so).

Batches of other shapes, another numeric type or another backend give slightly other scores. So the positives are
scored in each of these settings, and the threshold is the lowest of their (m + 1)-th smallest scores. That is what
lowering it by the largest measured difference is for, but exact in each setting: in none are more than m of the
positives below the threshold, and the bound holds for whichever of them a guard is run in.

A row that was drawn and left without a label counts as a positive of every class, and as missed. Whatever its class
is, that lowers no bound too little: one positive more allows at most one miss more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rarecase.core.errors import ConfigError, did_you_mean, listed, shown_id
from rarecase.guard.bounds import interval, least_positives, lower_bound, most_misses
from rarecase.guard.certificate import ClassCertificate, Rate, Windows
from rarecase.guard.numbers import down, percent, up


@dataclass(frozen=True)
class Asked:
    """What is asked of a calibration."""

    recall: Mapping[str, float]  # the target of each class
    confidence: float = 0.95  # that all bounds hold together
    max_alarm: float = 0.2  # the share of rows not of a class that may at most be flagged as it

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
    """The certification rows as the guard scores them."""

    names: Sequence[str]  # the classes, in the order of the columns of `scores`
    scores: np.ndarray  # of the labelled rows, `(rows, classes)`
    labels: np.ndarray  # their classes by number, `(rows,)`
    windows: np.ndarray  # in how many windows each was read, `(rows,)`
    unlabelled: int = 0  # rows that were drawn beside these and left without a label
    # The scores of the positives in other settings, by what these are called; other rows may be NaN.
    settings: Mapping[str, np.ndarray] = field(default_factory=dict)
    # `scores` at temperature 1, which old thresholds belong to; None where `scores` are at 1.
    unscaled: np.ndarray | None = None

    def positives(self, name: str) -> int:
        """How many rows count as positives of a class."""
        return int(np.count_nonzero(self.labels == self.names.index(name))) + self.unlabelled

    def decides(self, asked: Asked) -> bool:
        """Whether a score is looked at: a class has enough positives; if none has, their number alone refuses all."""
        return any(
            most_misses(self.positives(name), target, asked.error) >= self.unlabelled
            for name, target in asked.recall.items()
        )


@dataclass(frozen=True)
class Calibrated:
    """What is certified of each class that was asked for, and what is flagged of the harmless rows."""

    classes: dict[str, ClassCertificate]
    alarm_any: Rate  # the share that at least one class flags, certified or not
    alarm_certified: Rate  # the share that at least one certified class flags


def calibrate_class(rows: ScoredRows, name: str, asked: Asked, harmless: Collection[str]) -> ClassCertificate:
    """The threshold of one class and what is certified of it, or why nothing is."""
    place, target = rows.names.index(name), asked.recall[name]
    of_class, scores = rows.labels == place, rows.scores[:, place]
    found, positives = int(np.count_nonzero(of_class)), rows.positives(name)
    several = int(np.count_nonzero(rows.windows[of_class] > 1))
    windows = Windows(found - several, several)
    misses = most_misses(positives, target, asked.error)
    if misses < rows.unlabelled:
        bound = lower_bound(found, positives, asked.error)
        few = _too_few(rows, found, bound, target, asked.error)
        return ClassCertificate(target, None, positives, rows.unlabelled, bound, windows, None, None, few)
    settings = (rows.scores, *rows.settings.values())
    threshold = float(min(np.sort(of[of_class, place])[misses - rows.unlabelled] for of in settings))
    bound = lower_bound(positives - misses, positives, asked.error)
    alarm = rate_of(scores[~of_class] >= threshold, asked.confidence)
    on_harmless = rate_of(scores[_are_harmless(rows, harmless)] >= threshold, asked.confidence)
    certified = alarm.high < asked.max_alarm
    reason = None if certified else _too_many_alarms(alarm, target, asked.max_alarm)
    return ClassCertificate(
        target, threshold if certified else None, positives, misses, bound, windows, alarm, on_harmless, reason
    )


def calibrate(
    rows: ScoredRows, asked: Asked, *, harmless: Collection[str], otherwise: np.ndarray | None = None
) -> Calibrated:
    """
    What is certified of each class, and the shares of rows of the classes `harmless` that are flagged.

    `otherwise` has the thresholds of each row, `(rows, classes)`, of classes that get none here; without it such a
    class flags nothing.
    """
    classes = {name: calibrate_class(rows, name, asked, harmless) for name in asked.recall}
    certified = np.full(len(rows.names), np.inf)
    for name, found in classes.items():
        if found.threshold is not None:
            certified[rows.names.index(name)] = found.threshold
    every = certified
    if otherwise is not None:
        every = np.where(np.isin(rows.names, list(harmless)) | np.isfinite(certified), certified, otherwise)
    unscaled = rows.scores if rows.unscaled is None else rows.unscaled
    scores = np.where(np.isfinite(certified), rows.scores, unscaled)
    of_harmless = _are_harmless(rows, harmless)
    any_, alone = (rate_of(np.any(scores >= of, axis=1)[of_harmless], asked.confidence) for of in (every, certified))
    return Calibrated(classes, any_, alone)


def _are_harmless(rows: ScoredRows, harmless: Collection[str]) -> np.ndarray:
    return np.isin(rows.labels, [place for place, name in enumerate(rows.names) if name in harmless])


def rate_of(flagged: np.ndarray, confidence: float) -> Rate:
    """The share of rows that are flagged, or of which something else holds; 0 to 1 where there is no row."""
    count = int(np.count_nonzero(flagged))
    return Rate(count / len(flagged) if len(flagged) else 0.0, *interval(count, len(flagged), confidence))


def _too_few(rows: ScoredRows, found: int, bound: float, target: float, error: float) -> str:
    """Why so few positives carry nothing, and how many more would."""
    missing = least_positives(rows.unlabelled, target, error) - found - rows.unlabelled
    left = f", and {rows.unlabelled:,} rows without a label, which count as missed" if rows.unlabelled else ""
    if not found:
        high = interval(0, len(rows.labels), 1 - 2 * error)[1]
        return (
            f"none of the class among {len(rows.labels):,} texts{left}: nothing can be said about recall; at least "
            f"{missing:,} positives are needed, and at most {percent(high)} of the texts are of the class, so that "
            f"takes {up(missing / high):,} random texts or more"
        )
    share = found / len(rows.labels)
    return (
        f"only {found:,} positive{'s' if found > 1 else ''}{left}: even if {'no other' if left else 'none'} were "
        f"missed, they would show a recall of {down(bound)} at most; at least {missing:,} more are needed if none is "
        f"missed, some {up(missing / share):,} random texts at {percent(share)}, and in practice several times that: "
        "`rarecase guard plan` estimates it"
    )


def _too_many_alarms(alarm: Rate, target: float, max_alarm: float) -> str:
    close = ", or a new, larger set, since these rows are used" if alarm.low < max_alarm else ""
    return (
        f"at the threshold that would certify {target:g} the guard flags {percent(alarm.rate)} of the texts that are "
        f"not of it ({percent(alarm.low)} to {percent(alarm.high)}), and the upper end has to be below "
        f"{percent(max_alarm)} (--max-alarm); a better model helps{close}"
    )
