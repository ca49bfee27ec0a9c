"""
How many random texts a certificate takes: from the share of each class among the rows that are there, and from how
well the model tells it apart.

The texts are always a set of their own: their number follows from scores of the rows that are there, so these rows
together with the new ones would be no sample of a size that was fixed before.

A draw of N texts is simulated: the positives among them, the score that the threshold falls on, and the alarm rate
that follows. Scores are those that are there; half a row of probability lies below the smallest of a class.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from rarecase.core import randomness
from rarecase.guard.bounds import least_positives, most_misses_of
from rarecase.guard.calibrate import Asked, ScoredRows, calibrate, rate_of
from rarecase.guard.certificate import ClassCertificate, Rate
from rarecase.guard.numbers import down, percent, up

CHANCE = 0.8  # that the texts of a plan certify a class
_DRAWS = 1000
_MOST = 10_000_000  # texts


@dataclass(frozen=True)
class ClassPlan:
    """What can be certified of a class today, and what it takes."""

    now: ClassCertificate  # what a calibration would say today
    share: Rate  # of the class among the rows
    recall: Rate | None  # at the allowed alarm rate; None without a positive
    texts: int | None  # random texts of a new set; None where no number helps, or too few positives are there to tell
    between: tuple[int, int] | None  # the same at both ends of the interval of the share
    reason: str  # in words


@dataclass(frozen=True)
class Plan:
    """The plan of all classes, by name."""

    classes: dict[str, ClassPlan]
    texts: int  # random texts of a new set for all classes that some number helps; 0 where no class needs one


def plan(rows: ScoredRows, asked: Asked, *, harmless: Collection[str]) -> Plan:
    """Says for each class what it takes; the arguments are those of `calibrate`."""
    now = calibrate(rows, asked, harmless=harmless).classes
    classes = {name: _plan_class(rows, name, asked, found) for name, found in now.items()}
    needed = any(one.texts for one in classes.values() if one.now.threshold is None)
    return Plan(classes, max(one.texts or 0 for one in classes.values()) if needed else 0)


def _plan_class(rows: ScoredRows, name: str, asked: Asked, now: ClassCertificate) -> ClassPlan:
    place = rows.names.index(name)
    of_class = rows.labels == place
    positives, others = np.sort(rows.scores[of_class, place]), np.sort(rows.scores[~of_class, place])
    share = rate_of(of_class, asked.confidence)
    if not len(positives):
        return ClassPlan(now, share, None, None, None, now.refused or "")
    recall, found = _recall(positives, others, asked)
    if now.threshold is None and recall.rate < now.target:
        return ClassPlan(now, share, recall, None, None, _in_vain(recall, found, now.target, len(positives)))
    simulated = _Simulated(positives, others, now.target, asked)
    texts, *between = (simulated.texts(rate) for rate in (share.rate, share.high, share.low))
    if now.threshold is not None:
        reason = f"can be certified on these rows: recall at least {down(now.bound)}"
        return ClassPlan(now, share, recall, texts, None, reason)
    if texts is None:
        least = up(least_positives(0, now.target, asked.error) / share.rate)
        reason = f"too few of the class are there to tell how many texts it takes: {least:,} or more; {found}"
        return ClassPlan(now, share, recall, None, None, reason)
    few, many = (of_end or _MOST for of_end in between)
    reason = (
        f"some {texts:,} random texts certify it with a chance of {percent(CHANCE)}, if all get a label. It may take "
        f"{few:,} to {many:,}, since {percent(share.low)} to {percent(share.high)} of the texts are of the class. "
        f"{found}"
    )
    return ClassPlan(now, share, recall, texts, (few, many), reason)


def _recall(positives: np.ndarray, others: np.ndarray, asked: Asked) -> tuple[Rate, str]:
    """What is found of a class where as many of the other texts are flagged as is allowed; also in words."""
    # The lowest threshold at which less than the allowed share of the other rows is flagged is above this score.
    allowed = int(np.ceil(asked.max_alarm * len(others))) - 1
    below = others[len(others) - 1 - allowed] if 0 <= allowed < len(others) else -np.inf
    recall = rate_of(positives > below, asked.confidence)
    return recall, (
        f"{percent(recall.rate)} ({percent(recall.low)} to {percent(recall.high)}) of the class are found where "
        f"{percent(asked.max_alarm)} of the other texts are flagged"
    )


def _in_vain(recall: Rate, found: str, target: float, positives: int) -> str:
    """Why no number of texts helps, as far as so few positives can tell."""
    surely = recall.high < target
    rests = "" if surely else f"; the estimate rests on {positives:,} text{'s' if positives > 1 else ''}"
    return (
        f"{'no number of texts helps' if surely else 'probably none helps'}: {found}, and {target:g} is asked{rests}; "
        "what helps is a better model, a lower target or a higher --max-alarm, on new rows"
    )


@dataclass(frozen=True)
class _Simulated:
    """Random draws; `positives` and `others` are sorted scores."""

    positives: np.ndarray
    others: np.ndarray
    target: float
    asked: Asked

    def texts(self, share: float) -> int | None:
        """The fewest texts that are enough with the chance, rounded up to two digits; None where no number is."""
        low, high = 0, 100
        while self.chance(high, share) < CHANCE:
            low, high = high, 2 * high
            if high > _MOST:
                return None
        while high - low > max(1, high // 50):
            middle = (low + high) // 2
            low, high = (low, middle) if self.chance(middle, share) >= CHANCE else (middle, high)
        return up(high)

    def chance(self, texts: int, share: float) -> float:
        """The chance that the class is certified with so many texts."""
        generator = randomness.generator(0, "plan", texts)
        count = generator.binomial(texts, share, _DRAWS)
        misses = most_misses_of(count, self.target, self.asked.error)
        count, misses = count[misses >= 0], misses[misses >= 0]
        negatives = texts - count
        if not len(count):
            return 0.0
        # The (m + 1)-th smallest of K draws lies at a Beta(m + 1, K - m) share of what they are drawn from.
        at = generator.beta(misses + 1, count - misses) * (len(self.positives) + 1) - 0.5
        place = np.floor(at).astype(int).clip(-1, len(self.positives) - 1)
        threshold = np.where(place < 0, -np.inf, self.positives[place])
        rate = 1 - np.searchsorted(self.others, threshold) / max(len(self.others), 1)
        flagged = generator.binomial(negatives, rate)
        error = (1 - self.asked.confidence) / 2
        allowed = most_misses_of(negatives, 1 - self.asked.max_alarm, error)  # its upper end is below the most allowed
        return float(np.count_nonzero(flagged <= allowed)) / _DRAWS
