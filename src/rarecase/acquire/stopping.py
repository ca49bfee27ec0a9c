"""
When to stop asking for labels: three measures of what more of them would still change.

Each is taken at the end of a round, from the probabilities that this round's learner and those of the rounds before
give the unlabelled texts of the pool. No label is looked at.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset

from rarecase.acquire.uncertainty import entropy_of
from rarecase.core.errors import ConfigError, did_you_mean, shown_id
from rarecase.data.arrow import finite, matrix
from rarecase.evaluate.record import StoppingMeasures

WINDOW = 3  # rounds that the two measures of change are taken over
MORE = 10  # labels that `gain` looks ahead

# The criteria: the highest limit that makes sense, and one to begin with.
_HIGHEST = {"uncertainty": math.inf, "stability": 1.0, "gain": 100.0}
_SUCH_AS = {"uncertainty": 0.2, "stability": 0.99, "gain": 0.3}


@dataclass(frozen=True)
class Stopping:
    """
    What stops a run before its budget is spent, such as `Stopping.parse("gain=0.3,stability=0.99")`.

    Attributes:
        limits (`dict[str, float]`): `uncertainty` and `gain` stop where they are at most this, `stability` where it is
            at least this; the first that is reached, in this order.
    """

    limits: dict[str, float]

    @classmethod
    def parse(cls, text: str) -> "Stopping":
        """Reads `NAME=NUMBER`, several separated by commas."""
        limits: dict[str, float] = {}
        for part in text.split(","):
            name, _, number = (piece.strip() for piece in part.partition("="))
            if name not in _HIGHEST:
                raise ConfigError(
                    f"--stop-when: unknown criterion{shown_id(name)}{did_you_mean(name, _HIGHEST)}; "
                    "expected NAME=NUMBER of uncertainty, stability or gain, such as gain=0.3"
                )
            if name in limits:
                raise ConfigError(f"--stop-when: {name} is given twice; leave one of them out")
            try:
                limits[name] = float(number)
            except ValueError:
                limits[name] = math.nan
            if not 0 <= limits[name] <= _HIGHEST[name] or limits[name] == math.inf:
                most = f"from 0 to {_HIGHEST[name]:g}" if _HIGHEST[name] < math.inf else "of at least 0"
                raise ConfigError(f"--stop-when {name}: expected a number {most}, such as {name}={_SUCH_AS[name]}")
        return cls(limits)

    def measure(self, scored: Sequence[Dataset], labels: Sequence[int]) -> StoppingMeasures:
        """
        Measures a round, for its record.

        Args:
            scored (`Sequence[Dataset]`): the unlabelled pool as the learners of the last rounds scored it, the latest
                last: `id` and `probs`; one more than `WINDOW` is enough, none means that the pool is empty.
            labels (`Sequence[int]`): how many labels were given between each two of them.
        """
        pairs = [predictions_of_both(*two) for two in itertools.pairwise(scored)]
        measured = {
            "uncertainty": overall_uncertainty(finite(scored[-1], "probs")) if scored else None,
            "stability": stability(pairs),
            "gain": gain(pairs, labels),
        }
        stopped = next((name for name in self.limits if self._reached(name, measured[name])), None)
        return StoppingMeasures(**measured, stopped=stopped)

    def _reached(self, name: str, value: float | None) -> bool:
        if value is None:
            return False
        return value >= self.limits[name] if name == "stability" else value <= self.limits[name]


Pair = tuple[np.ndarray, np.ndarray]  # the classes that two learners predict for the same texts, int64, (texts,)


def overall_uncertainty(probs: np.ndarray) -> float | None:
    """
    The mean entropy of what is unlabelled, in nats: Zhu, Wang and Hovy (2008), *Multi-Criteria-Based Strategy to Stop
    Active Learning for Data Annotation*, their criterion "overall uncertainty". None without a text.
    """
    # fsum rounds once, whatever the order of the texts.
    return math.fsum(entropy_of(probs)) / len(probs) if len(probs) else None


def stability(pairs: Sequence[Pair]) -> float | None:
    """
    How far successive learners agree: Bloodgood and Vijay-Shanker (2009), *A Method for Stopping Active Learning Based
    on Stabilizing Predictions and the Need for User-Adjustable Stopping*: Cohen's kappa between the predictions of one
    learner and the next on a stop set, the mean over the last three rounds; they stop at 0.99.

    Their stop set is fixed and large; here it is the texts that are unlabelled in both of two rounds. None before
    there are three pairs.
    """
    from sklearn.metrics import cohen_kappa_score

    window = _last(pairs)
    if not window:
        return None
    # Where both say one class of everything, kappa is not defined; they agree.
    kappas = [1.0 if np.array_equal(*pair) else float(cohen_kappa_score(*pair)) for pair in window]
    return math.fsum(kappas) / len(kappas)


def gain(pairs: Sequence[Pair], labels: Sequence[int]) -> float | None:
    """
    What more labels would be worth: the percentage of predictions that ten more labels would change.

    The shares of texts whose prediction changed in the last three rounds are added up and divided by the labels that
    these rounds took: a mean over rounds, each weighted by its labels, so that neither a single round nor a small one
    decides. The rate usually falls, so that this stops late rather than early; but what changes and changes back
    within one round is not counted, so that large rounds look a little calmer. None before there are three pairs.
    """
    window, given = _last(pairs), sum(labels[-WINDOW:])
    if not window or not given:
        return None
    changed = math.fsum(float(np.mean(before != after)) for before, after in window)
    return min(100.0, 100 * MORE * changed / given)


def predictions_of_both(before: Dataset, after: Dataset) -> Pair:
    """The classes that two learners predict for the texts that both have scored, row by row the same text."""
    place = {id_: row for row, id_ in enumerate(before["id"][:])}
    here = [(place[id_], row) for row, id_ in enumerate(after["id"][:]) if id_ in place]
    then, now = np.array(here, np.int64).reshape(-1, 2).T
    return matrix(before, "probs").argmax(axis=1)[then], matrix(after, "probs").argmax(axis=1)[now]


def sentence_of(labels: int, measures: StoppingMeasures | None) -> str | None:
    """What stopped a run after so many labels, in words; None where nothing did."""
    if measures is None or measures.stopped is None:
        return None
    value = getattr(measures, measures.stopped)
    reasons = {
        "uncertainty": f"the mean entropy of what is unlabelled is {value:.3g} nats",
        "stability": f"the last learners agree with a kappa of {value:.3f}",
        "gain": f"ten more would change {value:.3g} % of predictions",
    }
    return f"Stopped after {labels} labels: {reasons[measures.stopped]} ({measures.stopped})."


def _last(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """The pairs of the last rounds; none before there are enough, or where no text is left to compare."""
    window = pairs[-WINDOW:]
    return window if len(window) == WINDOW and all(len(before) for before, _ in window) else []
