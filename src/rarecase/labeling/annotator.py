"""
Who labels the chosen texts: a gold column (`gold.Gold`), people with a spreadsheet (`spreadsheet.File`), or people on
the labeling page (`people.People`).
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from datasets import Dataset

from rarecase.core.errors import ConfigError
from rarecase.data import arrow, schema


@runtime_checkable
class Annotator(Protocol):
    """
    The O(x) of Algorithm 1. A class of your own needs `annotate` alone; the rest has these defaults.

    Attributes:
        suggests (`bool`): whether `annotate` is given the learner's guess of each text as the column `suggestion`,
            which nothing else sees.
        leaves_out (`bool`): whether the texts without a label in the answer are left out for good; by default they go
            back to the pool.

    Example:
        >>> class Keywords:
        ...     def annotate(self, dataset):
        ...         labels = [int("sue" in text) for text in dataset["text"][:]]
        ...         return labelled(dataset, labels, names, annotator="words", votes=[None] * len(dataset))
    """

    suggests: bool = False
    leaves_out: bool = False

    def annotate(self, dataset: Dataset) -> Dataset:
        """
        Labels the rows, or those of them that it can.

        Args:
            dataset (`Dataset`): columns `id` and `text`; other columns stay as they are.

        Returns:
            `Dataset`: the labelled rows, in the order given, with `label`, `annotator` and `votes`; perhaps fewer.

        Raises:
            `WaitingForLabels`: where people have to act first; the run stops, and asks again when it goes on.
        """
        ...

    def stored(self, labels: Dataset) -> None:
        """
        Called once the labels it gave are stored, and again whenever a run that goes on reads them.

        Args:
            labels (`Dataset`): what `annotate` returned.
        """
        return


class _Completed(Annotator):
    """A user's annotator, with the defaults for what it does not define."""

    def __init__(self, given: Any) -> None:
        self._given = given
        self.suggests = getattr(given, "suggests", False)
        self.leaves_out = getattr(given, "leaves_out", False)

    def annotate(self, dataset: Dataset) -> Dataset:
        return self._given.annotate(dataset)

    def stored(self, labels: Dataset) -> None:
        if hasattr(self._given, "stored"):
            self._given.stored(labels)


def completed(annotator: Any) -> Annotator:
    """The annotator with defaults for what it does not define; raises `ConfigError` where it has no `annotate`."""
    if isinstance(annotator, Annotator):
        return annotator
    if not callable(getattr(annotator, "annotate", None)):
        raise ConfigError(
            f"annotator {type(annotator).__name__} has no method annotate(dataset); "
            "see rarecase.labeling.annotator.Annotator"
        )
    return _Completed(annotator)


def labelled(
    dataset: Dataset,
    labels: Sequence[int],
    names: Sequence[str],
    *,
    annotator: str | Sequence[str],
    votes: Sequence[list[dict[str, Any]] | None],
) -> Dataset:
    """
    The rows with what an annotator adds: `label`, `annotator` (who labelled them, or each of them) and `votes`.

    `votes` has for each row each person's `annotator`, `label` and `seconds`, or None.
    """
    by = [annotator] * len(dataset) if isinstance(annotator, str) else annotator
    added = {"label": labels, "annotator": by, "votes": votes}
    released = schema.features(names)
    for column, values in added.items():
        dataset = arrow.with_column(dataset, column, values, released[column])
    return dataset
