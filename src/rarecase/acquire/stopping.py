"""
When to stop asking for labels: three measures of what more of them would still change.

Each is taken at the end of a round, from the probabilities that the learner of that round gives the texts of the pool
that nobody has labelled yet, and from those that the learners of the rounds before gave them. No label is looked at.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from rarecase.acquire.measures import entropy_of
from rarecase.core.errors import ConfigError, did_you_mean, shown_id
from rarecase.data.arrow import finite, matrix

WINDOW = 3  # rounds that the two measures of change are taken over
MORE = 10  # labels that `gain` looks ahead

# The criteria: the highest limit that makes sense, and one to begin with.
_HIGHEST = {"uncertainty": math.inf, "stability": 1.0, "gain": 100.0}
_SUCH_AS = {"uncertainty": 0.2, "stability": 0.99, "gain": 0.3}


@dataclass(frozen=True)
class Stopping:
    """
    What stops a run before its budget is spent.

    Args:
        limits (`dict[str, float]`): `uncertainty` and `gain` stop where they are at most this, `stability` where it is
            at least this; the first that holds, in this order.

    Example:
        >>> stop = Stopping.parse("gain=0.3,stability=0.99")
        >>> stop.limits
        {'gain': 0.3, 'stability': 0.99}
    """

    limits: dict[str, float]

    @classmethod
    def parse(cls, text: str) -> "Stopping":
        """
        Args:
            text (`str`): `NAME=NUMBER`, several separated by commas.

        Raises:
            `ConfigError`: naming the criterion that is unknown, given twice, or whose number is out of range.
        """
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

    def measure(self, scored: Sequence[Dataset], labels: Sequence[int]) -> dict[str, Any]:
        """
        What the record of a round says of stopping.

        Args:
            scored (`Sequence[Dataset]`): the unlabelled pool as the learners of the last rounds saw it, the latest
                last: `id` and `probs`; one more than `WINDOW` is enough, none says that the pool is empty.
            labels (`Sequence[int]`): how many labels were given between each two of them.

        Returns:
            `dict`: `uncertainty` (nats), `stability` (a kappa), `gain` (percent of predictions that ten more labels
            would change), each None where there is nothing to take it from yet; and `stopped`, the name of the
            criterion that holds or None.
        """
        pairs = [predictions_of_both(*two) for two in itertools.pairwise(scored)]
        found = {
            "uncertainty": overall_uncertainty(finite(scored[-1], "probs")) if scored else None,
            "stability": stability(pairs),
            "gain": gain(pairs, labels),
        }
        return {**found, "stopped": next((name for name in self.limits if self._holds(name, found[name])), None)}

    def _holds(self, name: str, value: float | None) -> bool:
        if value is None:
            return False
        return value >= self.limits[name] if name == "stability" else value <= self.limits[name]


Pair = tuple[np.ndarray, np.ndarray]  # the classes that two learners predict for the same texts, int64, (texts,)


def overall_uncertainty(probs: np.ndarray) -> float | None:
    """
    The mean entropy of what is unlabelled, in nats: Zhu, Wang and Hovy (2008), *Multi-Criteria-Based Strategy to Stop
    Active Learning for Data Annotation*, their criterion "overall uncertainty".

    Args:
        probs (`np.ndarray`): shape `(texts, classes)`.

    Returns:
        `float`: from 0 to the logarithm of the number of classes; None without a text.

    Example:
        >>> overall_uncertainty(np.array([[0.5, 0.5], [1.0, 0.0]]))
        0.34657359027997264
    """
    # fsum rounds once, whatever the order of the texts.
    return math.fsum(entropy_of(probs)) / len(probs) if len(probs) else None


def stability(pairs: Sequence[Pair]) -> float | None:
    """
    How far successive learners agree: Bloodgood and Vijay-Shanker (2009), *A Method for Stopping Active Learning Based
    on Stabilizing Predictions and the Need for User-Adjustable Stopping*: Cohen's kappa between the predictions of one
    learner and the next on a stop set, the mean over the last three rounds; they stop at 0.99.

    Their stop set is fixed and large; here it is what is unlabelled, of each two rounds the texts that are so in both.

    Args:
        pairs (`Sequence`): the predictions of each two successive learners, the latest last.

    Returns:
        `float`: at most 1; None before there are three pairs.

    Example:
        >>> same = np.array([0, 1, 1])
        >>> stability([(same, same)] * 3)
        1.0
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
    What more labels would be worth, against what they cost: the percentage of predictions that ten more labels would
    change.

    The shares of texts whose prediction changed in the last three rounds are added up and divided by the labels that
    these rounds took: a mean over rounds, each weighted by its labels, so that neither a single round nor a small one
    decides. The rate is taken to go on as it was. It falls as a rule, so that this stops late rather than early; but
    what changes and changes back within one round is not counted, so that large rounds look a little calmer.

    Args:
        pairs (`Sequence`): the predictions of each two successive learners, the latest last.
        labels (`Sequence[int]`): how many labels were given between the two.

    Returns:
        `float`: from 0 to 100; None before there are three pairs.

    Example:
        >>> before, after = np.zeros(100), np.arange(100) < 2  # 2 % changed, for 20 labels
        >>> gain([(before, after)] * 3, [20, 20, 20])
        1.0
    """
    window, given = _last(pairs), sum(labels[-WINDOW:])
    if not window or not given:
        return None
    changed = math.fsum(float(np.mean(before != after)) for before, after in window)
    return min(100.0, 100 * MORE * changed / given)


def predictions_of_both(before: Dataset, after: Dataset) -> Pair:
    """
    The classes that two learners predict for the texts that both have seen.

    Args:
        before (`Dataset`): `id` and `probs`.
        after (`Dataset`): likewise, with fewer rows as a rule.

    Returns:
        `tuple[np.ndarray, np.ndarray]`: int64, shape `(texts,)`, row by row the same text.

    Example:
        >>> before, after = predictions_of_both(scored_then, scored_now)
    """
    place = {id_: row for row, id_ in enumerate(before["id"][:])}
    here = [(place[id_], row) for row, id_ in enumerate(after["id"][:]) if id_ in place]
    then, now = np.array(here, np.int64).reshape(-1, 2).T
    return matrix(before, "probs").argmax(axis=1)[then], matrix(after, "probs").argmax(axis=1)[now]


def sentence_of(record: dict[str, Any]) -> str | None:
    """
    What stopped a run after a round, in words; None where nothing did.

    Args:
        record (`dict`): of the round, see `rarecase.algorithm.Round`.

    Example:
        >>> sentence_of({"labels": 60, "stopping": {"gain": 0.25, "stopped": "gain"}})
        'Stopped after 60 labels: ten more would change 0.25 % of predictions (gain).'
    """
    stopping = record.get("stopping")
    if stopping is None or stopping["stopped"] is None:
        return None
    name = stopping["stopped"]
    value = stopping[name]
    said = {
        "uncertainty": f"the mean entropy of what is unlabelled is {value:.3g} nats",
        "stability": f"the last learners agree with a kappa of {value:.3f}",
        "gain": f"ten more would change {value:.3g} % of predictions",
    }
    return f"Stopped after {record['labels']} labels: {said[name]} ({name})."


def _last(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """The pairs of the last rounds; none before there are enough, or where no text is left to compare."""
    window = pairs[-WINDOW:]
    return window if len(window) == WINDOW and all(len(before) for before, _ in window) else []
