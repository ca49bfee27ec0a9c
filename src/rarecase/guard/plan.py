"""
How many random texts more a certificate takes: from the share of each class among the rows that are there, and from
how well the model tells it apart.

A draw of N texts is simulated: the positives among them, the score that the threshold falls on, and the alarm rate
that follows. Scores are those that are there; half a row of probability lies below the smallest of a class.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from rarecase.core import randomness
from rarecase.guard.bounds import interval, least_positives, most_misses_of
from rarecase.guard.calibrate import Asked, ScoredRows, calibrate
from rarecase.guard.certificate import ClassCertificate, Rate
from rarecase.guard.numbers import percent, some

CHANCE = 0.8
_DRAWS = 1000
_MOST = 10_000_000  # texts


@dataclass(frozen=True)
class ClassPlan:
    """
    What can be certified of a class today, and what it takes.

    Args:
        now (`ClassCertificate`): what a calibration would say today.
        share (`Rate`): of the class among the rows.
        recall (`Rate`, *optional*): at the allowed alarm rate; None without a positive.
        texts (`int`, *optional*): random texts to draw for a chance of 80 %; None where no number helps, or too few
            positives are there to tell.
        between (`tuple[int, int]`, *optional*): the same at both ends of the interval of the share.
        reason (`str`): in words.
    """

    now: ClassCertificate
    share: Rate
    recall: Rate | None
    texts: int | None
    between: tuple[int, int] | None
    reason: str


@dataclass(frozen=True)
class Plan:
    """
    The plan of all classes.

    Args:
        classes (`dict[str, ClassPlan]`): by name.
        is_new_set (`bool`): whether the texts make a set of their own: the scores of the rows that are there have been
            looked at, so that they cannot be asked again with the same confidence. Else they are added to these.
        texts (`int`): random texts for all classes that some number helps; 0 where there are none.
    """

    classes: dict[str, ClassPlan]
    is_new_set: bool
    texts: int


def plan(rows: ScoredRows, asked: Asked, *, harmless: Collection[str]) -> Plan:
    """Says for each class what it takes; the arguments are those of `calibrate`."""
    is_new_set = rows.decides(asked)
    now, _ = calibrate(rows, asked, harmless=harmless)
    classes = {name: _plan_class(rows, name, asked, found, is_new_set) for name, found in now.items()}
    return Plan(classes, is_new_set, max((one.texts or 0 for one in classes.values()), default=0))


def _plan_class(rows: ScoredRows, name: str, asked: Asked, now: ClassCertificate, is_new_set: bool) -> ClassPlan:
    place = rows.names.index(name)
    of_class = rows.labels == place
    positives, others = rows.scores[of_class, place], np.sort(rows.scores[~of_class, place])
    share = _rate(len(positives), len(rows.labels), asked.confidence)
    if now.threshold is not None:
        return ClassPlan(now, share, None, 0, (0, 0), f"can be certified: recall at least {now.bound:.2f}")
    if not len(positives):
        return ClassPlan(now, share, None, None, None, now.refused or "")
    # The lowest threshold at which less than the allowed share of the other rows is flagged is above this score.
    allowed = int(np.ceil(asked.max_alarm * len(others))) - 1
    below = others[len(others) - 1 - allowed] if 0 <= allowed < len(others) else -np.inf
    recall = _rate(int(np.count_nonzero(positives > below)), len(positives), asked.confidence)
    found = (
        f"{percent(recall.rate)} ({percent(recall.low)} to {percent(recall.high)}) of the class are found where "
        f"{percent(asked.max_alarm)} of the other texts are flagged"
    )
    if recall.rate < now.target:
        reason = f"no number of texts helps: {found}, and {now.target:g} is asked; train on more of the class"
        return ClassPlan(now, share, recall, None, None, reason)
    begun = (0, 0) if is_new_set else (len(positives), rows.unlabelled)
    simulated = _Simulated(np.sort(positives), others, begun, now.target, asked)
    texts, *between = (simulated.texts(rate) for rate in (share.rate, share.high, share.low))
    if texts is None:
        least = least_positives(begun[1], now.target, asked.error) - sum(begun)
        reason = (
            f"too few of the class are there to tell how many texts it takes: at least {some(least / share.rate)}, if "
            f"none is missed; {found}"
        )
        return ClassPlan(now, share, recall, None, None, reason)
    few, many = (of_end or _MOST for of_end in between)
    word = "random texts" if is_new_set else "random texts more"
    reason = (
        f"some {some(texts)} {word} ({some(few)} to {some(many)}, since {percent(share.rate)} of the texts are of the "
        f"class, {percent(share.low)} to {percent(share.high)}): then it is certified with a chance of "
        f"{percent(CHANCE)}, if all get a label; {found}"
    )
    return ClassPlan(now, share, recall, texts, (few, many), reason)


def _rate(found: int, trials: int, confidence: float) -> Rate:
    return Rate(found / trials, *interval(found, trials, confidence))


@dataclass(frozen=True)
class _Simulated:
    """Random draws; `positives` and `others` are sorted scores, `begun` the positives and the rows without a label."""

    positives: np.ndarray
    others: np.ndarray
    begun: tuple[int, int]
    target: float
    asked: Asked

    def texts(self, share: float) -> int | None:
        """The fewest texts, of two digits, that are enough with the chance; None where no number is."""
        low, high = 0, 100
        while self.chance(high, share) < CHANCE:
            low, high = high, 2 * high
            if high > _MOST:
                return None
        while high - low > max(1, high // 50):
            middle = (low + high) // 2
            low, high = (low, middle) if self.chance(middle, share) >= CHANCE else (middle, high)
        return high

    def chance(self, texts: int, share: float) -> float:
        """The chance that the class is certified with so many texts more."""
        generator = randomness.generator(0, "plan", texts)
        more = generator.binomial(texts, share, _DRAWS)
        count = self.begun[0] + more
        misses = most_misses_of(count + self.begun[1], self.target, self.asked.error) - self.begun[1]
        enough = misses >= 0
        count, misses, negatives = count[enough], misses[enough], texts - more[enough]
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
