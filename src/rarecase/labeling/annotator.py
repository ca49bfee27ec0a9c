"""The protocol of who labels the chosen texts, and what makes one of a user's class or function (`Ask`)."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from datasets import Dataset

from rarecase.core.errors import ConfigError, WaitingForLabels, did_you_mean, listed
from rarecase.data import arrow, schema

# A function from texts to the name of the class of each, or None for one that it cannot label.
Ask: TypeAlias = Callable[[list[str]], Sequence[str | None]]


@runtime_checkable
class Annotator(Protocol):
    """
    The O(x) of Algorithm 1. A class of your own needs `annotate` alone; the rest has these defaults. A function from
    texts to the names of their classes is an annotator, too: it gives None for a text that it cannot label, which is
    then left out for good, and where it labels none of a batch, `WaitingForLabels` is raised.

    Attributes:
        suggests (`bool`): whether `annotate` is given the learner's guess of each text as the column `suggestion`,
            which nothing else sees.
        leaves_out (`bool`): whether the texts without a label in the answer are left out for good; by default they go
            back to the pool.

    Example:
        >>> from rarecase.labeling.annotator import labelled
        >>> class Keywords:
        ...     def annotate(self, dataset):
        ...         labels = [int("sue" in text) for text in dataset["text"][:]]
        ...         return labelled(dataset, labels, names, annotator="words", votes=[None] * len(dataset))
        >>> def keywords(texts):  # the same as a function
        ...     return [names[int("sue" in text)] for text in texts]
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


class _Asked(Annotator):
    """A function of the user's, asked for the names of classes."""

    leaves_out = True  # what it cannot label would be chosen again and again

    def __init__(self, ask: Ask, names: Sequence[str]) -> None:
        self._ask, self._names = ask, list(names)
        self._name = _name_of(ask)

    def annotate(self, dataset: Dataset) -> Dataset:
        classes = self._classes(self._ask(list(schema.texts(dataset))), len(dataset))
        kept = [row for row, place in enumerate(classes) if place is not None]
        if not kept:
            raise WaitingForLabels(f"{self._name} labelled none of the {len(dataset)} chosen texts; go on once it can")
        return labelled(
            arrow.rows(dataset, kept),
            [place for place in classes if place is not None],
            self._names,
            annotator=self._name,
            votes=[None] * len(kept),
        )

    def _classes(self, given: Any, texts: int) -> list[int | None]:
        """The class of each text by number; raises `ConfigError` where the answer is none for these texts."""
        expected = f"expected the name of a class, or None, for each of the {texts} texts"
        if isinstance(given, str | bytes | dict) or not hasattr(given, "__iter__"):
            raise ConfigError(f"{self._name} returned {type(given).__name__}; {expected}, in a list")
        labels = list(given)
        if len(labels) != texts:
            raise ConfigError(f"{self._name} returned {len(labels)} labels; {expected}, in their order")
        for place, label in enumerate(labels):
            if label is None or label in self._names:
                continue
            if not isinstance(label, str):
                raise ConfigError(f"{self._name}: label {place} is {type(label).__name__}; {expected}")
            hint = did_you_mean(label, self._names)
            shown = f" {label!r}" if hint else ""  # it may be a text
            raise ConfigError(f"{self._name}: label {place}{shown} is no class{hint} (classes: {listed(self._names)})")
        return [None if label is None else self._names.index(label) for label in labels]


class OfMain(Annotator):
    """What other processes know of an annotator that the main one asks."""

    def __init__(self, suggests: bool, leaves_out: bool) -> None:
        self.suggests, self.leaves_out = suggests, leaves_out

    def annotate(self, dataset: Dataset) -> Dataset:
        """Never called: `rarecase.core.processes.on_main` asks the other one."""
        raise NotImplementedError


def completed(annotator: Any, names: Sequence[str]) -> Annotator:
    """The annotator with defaults for what it does not define; a function is asked for these names of classes."""
    if isinstance(annotator, type):
        raise ConfigError(f"annotator {annotator.__name__} is a class; give an object of it")
    if isinstance(annotator, Annotator):
        return annotator
    if callable(getattr(annotator, "annotate", None)):
        return _Completed(annotator)
    if not callable(annotator):
        raise ConfigError(
            f"annotator {type(annotator).__name__} has no method annotate(dataset), and is no function from texts to "
            "the names of classes; see rarecase.labeling.annotator.Annotator"
        )
    _require_takes_texts(annotator)
    return _Asked(annotator, names)


def _require_takes_texts(ask: Ask) -> None:
    try:
        signature = inspect.signature(ask)
    except (TypeError, ValueError):  # some that are written in C have none
        return
    try:
        signature.bind([])
    except TypeError as error:
        raise ConfigError(
            f"{_name_of(ask)} cannot be called with a list of texts alone ({error}); change what it takes"
        ) from None


def _name_of(ask: Ask) -> str:
    return getattr(ask, "__name__", type(ask).__name__)


def labelled(
    dataset: Dataset,
    labels: Sequence[int],
    names: Sequence[str],
    *,
    annotator: str | Sequence[str],
    votes: Sequence[list[dict[str, Any]] | None],
) -> Dataset:
    """
    The rows with what an annotator adds: `label`, `annotator` (who labelled all of them, or each) and `votes`, for
    each row each person's `annotator`, `label` and `seconds`, or None.
    """
    by = [annotator] * len(dataset) if isinstance(annotator, str) else annotator
    added = {"label": labels, "annotator": by, "votes": votes}
    released = schema.features(names)
    for column, values in added.items():
        dataset = arrow.with_column(dataset, column, values, released[column])
    return dataset
