"""Choosing on dev: a learner that is fitted with several values of its most telling setting, and keeps the best."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datasets import Dataset

from rarecase.data.arrow import matrix
from rarecase.evaluate.metrics import metrics
from rarecase.learn.batches import labelled_rows
from rarecase.learn.record import Description, ModelRecord

if TYPE_CHECKING:
    from rarecase.learn.learner import Learner

L = TypeVar("L")
RATES = (1.0, 0.5, 2.0)  # factors of a learning rate: what there is to choose from on dev


def copies(learner: L, name: str, values: Sequence[Any]) -> Iterator[L]:
    """Copies of a learner that is not fitted, one for each value of an attribute, each made when it is asked for."""
    for value in values:
        variant = copy.copy(learner)
        setattr(variant, name, value)
        yield variant


class Tuned:
    """
    A learner whose strength of regularization (`frozen`: C) or learning rate is chosen on dev.

    Where methods are compared, each is to be at its own best: Dodge et al. (2019), *Show Your Work*.

    Args:
        learner (`Learner`): not fitted yet; its `variants()` are what there is to choose from.

    Attributes:
        best (`Learner`): after `fit`: the one with the highest macro-F1 on dev; of equals the earlier variant, the
            first being the learner as it is.

    Example:
        >>> learner = Tuned(Frozen("packaged", names, seed=0)).fit(train, dev)
        >>> learner.best.C
        3.0
    """

    def __init__(self, learner: Any):
        self.learner = learner
        self.names = learner.names
        self.best: Learner = learner

    @property
    def encoder(self) -> Any:
        """The encoder that all variants share, where they have one."""
        return getattr(self.learner, "encoder", None)

    def prepare(self, dataset: Dataset) -> Dataset:
        """What can be computed once for each text is the same for all variants."""
        return self.learner.prepare(dataset)

    def fit(self, train: Dataset, dev: Dataset) -> "Tuned":
        """
        Fits every variant on `train` and keeps the best on `dev`; without a row in dev only the learner itself.

        Raises:
            `DataError`: where the classes of one of the two are others, and as the learner's own `fit`.
        """
        train, dev = self.prepare(train), self.prepare(dev)  # once for all variants
        dev_rows, labels = labelled_rows(dev, self.names, "dev")
        if not len(dev_rows):
            self.best = self.learner.fit(train, dev)
            return self
        highest = -1.0
        for variant in self.learner.variants():
            variant.fit(train, dev)
            guesses = matrix(variant.score(dev_rows), "probs").argmax(axis=1)
            reached = metrics(labels, guesses, self.names)["macro_f1"]
            if reached > highest:
                self.best, highest = variant, reached
        return self

    def score(self, dataset: Dataset) -> Dataset:
        """See `Learner.score`; by the best."""
        return self.best.score(dataset)

    def sample(self, dataset: Dataset, draws: int = 10) -> Dataset:
        """See `Learner.sample`; by the best."""
        return self.best.sample(dataset, draws)

    def describe(self) -> Description:
        """See `Learner.describe`; its settings are those that were chosen."""
        told = self.best.describe()
        return replace(told, settings={**told.settings, "tuned_on_dev": True})

    def save(self, folder: Path | str, record: ModelRecord | None = None) -> None:
        """See `Learner.save`; writes the best, as it would be written alone."""
        self.best.save(folder, record)
