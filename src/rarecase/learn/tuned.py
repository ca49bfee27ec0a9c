"""Choosing on dev: a learner that is fitted with several values of its most important setting, and keeps the best."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from datasets import Dataset

from rarecase.core.processes import from_main
from rarecase.data.arrow import matrix
from rarecase.evaluate.metrics import metrics
from rarecase.learn.batches import labelled_rows
from rarecase.learn.learner import Learner
from rarecase.learn.record import Description, ModelRecord

if TYPE_CHECKING:
    from rarecase.models.encoder import Encoder
    from rarecase.models.lengths import Reader

L = TypeVar("L")
RATES = (1.0, 0.5, 2.0)  # factors of a learning rate: what there is to choose from on dev


def copies(learner: L, name: str, values: Sequence[Any]) -> Iterator[L]:
    """Copies of a learner that is not fitted, one for each value of an attribute, each made when it is asked for."""
    for value in values:
        variant = copy.copy(learner)
        setattr(variant, name, value)
        yield variant


class Tuned(Learner):
    """
    A learner whose strength of regularization (`frozen`: C) or learning rate is chosen on dev, by macro-F1.

    Where methods are compared, each should be at its own best: Dodge et al. (2019), *Show Your Work*.
    """

    def __init__(self, learner: Learner, best: Learner | None = None):
        self.learner = learner
        self.names = learner.names
        self.best = learner if best is None else best

    @property
    def encoder(self) -> "Encoder | None":
        """See `Learner.encoder`; all variants share it."""
        return self.learner.encoder

    def reader(self) -> "Reader | None":
        """See `Learner.reader`; the same for all variants."""
        return self.best.reader()

    def prepare(self, dataset: Dataset) -> Dataset:
        """See `Learner.prepare`; the same for all variants."""
        return self.learner.prepare(dataset)

    def fit(self, train: Dataset, dev: Dataset) -> "Tuned":
        """See `Learner.fit`; keeps the best variant, of equals the earlier, and without dev fits only the first."""
        train, dev = self.prepare(train), self.prepare(dev)  # once for all variants
        dev_rows, labels = labelled_rows(dev, self.names, "dev")
        if not len(dev_rows):
            return Tuned(self.learner, self.learner.fit(train, dev))
        best, highest = self.learner, -1.0
        for variant in self.learner.variants():
            fitted = variant.fit(train, dev)
            guesses = matrix(fitted.score(dev_rows), "probs").argmax(axis=1)
            reached = from_main(metrics(labels, guesses, self.names)["macro_f1"])
            if reached > highest:
                best, highest = fitted, reached
            del fitted  # no more than the best and the next one are in memory
        return Tuned(self.learner, best)

    def score(self, dataset: Dataset | Sequence[str]) -> Dataset:
        """See `Learner.score`; by the best."""
        return self.best.score(dataset)

    def sample(self, dataset: Dataset, draws: int = 10) -> Dataset:
        """See `Learner.sample`; of the best."""
        return self.best.sample(dataset, draws)

    def describe(self) -> Description:
        """See `Learner.describe`; its settings are those that were chosen."""
        description = self.best.describe()
        return replace(description, settings={**description.settings, "tuned_on_dev": True})

    def save(self, folder: Path | str, record: ModelRecord | None = None) -> None:
        """See `Learner.save`; writes the best, as it would be written alone."""
        self.best.save(folder, record)
