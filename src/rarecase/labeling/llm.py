"""
Labels by a language model, and by people for what it doubts and for what may be of a rare class. Its labels have the
annotator `llm:MODEL`, so that nobody takes them for those of people.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset, concatenate_datasets

from rarecase.core.errors import GeneratorError, listed
from rarecase.core.files import read_json, write_json
from rarecase.core.typed import from_json
from rarecase.data import arrow, schema
from rarecase.data.counts import class_counts
from rarecase.labeling.annotator import Annotator, labelled
from rarecase.verify.judge import Judge

SURE = 0.9  # the probability from which a label stands, where people take the others
SEEN = 0.01  # the probability from which a second guess is one
POOR = 50.0  # percent of the texts of a rare class; who recognises fewer misses what a run is for


@dataclass(frozen=True)
class Agreement:
    """How far a language model agrees with people, on texts that people labelled."""

    name: str
    texts: int
    undecided: int  # texts without an answer, which count as disagreement
    kappa: float | None  # Cohen's, in percent, over all texts; None where all have one class
    agreement: dict[str, float | None]  # the percent of the texts of a class that get it; None without any

    @classmethod
    def read(cls, path: Path) -> "Agreement":
        """The one that `write` wrote."""
        return from_json(cls, read_json(path), str(path))

    def sentence(self) -> str:
        """It in words, without the end of the sentence."""
        kappa = "none" if self.kappa is None else f"{self.kappa:.0f} %"
        classes = [f"{name} {at:.0f} %" for name, at in self.agreement.items() if at is not None]
        return (
            f"{self.name} labels; with people, who labelled the {self.texts} texts of the dev set, its kappa is "
            f"{kappa}, and of the texts of each class it says the same of {listed(classes)}"
        )

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        write_json(path, asdict(self))


class LanguageModelAnnotator(Annotator):
    """
    The annotator `llm`: labels each text by its likeliest class, and leaves out those that it says no class of; or has
    `people` label these, what it is less than `sure` of, and what may be, by its first or second guess, of a rare
    class.
    """

    def __init__(self, judge: Judge, start: Dataset, people: Annotator | None = None, *, sure: float = SURE) -> None:
        self.judge, self.people, self.sure = judge, people, sure
        self.name = f"{schema.LANGUAGE_MODEL}:{judge.model.name}"
        self._names = schema.label_names(start)
        self.rare = rare_classes(start)
        self.suggests = people is not None and people.suggests
        self.leaves_out = people is None or people.leaves_out

    def annotate(self, dataset: Dataset) -> Dataset:
        """The rows with a label, in order; a `GeneratorError` where it labels alone, and says no class of any."""
        probabilities = self.judge.probabilities(schema.texts(dataset))
        decided = ~np.isnan(probabilities).any(axis=1)
        if self.people is None and not decided.any() and len(dataset):
            raise GeneratorError(
                f"{self.name}: says no class of any of the {len(dataset)} chosen texts; begin anew with another "
                "--annotator-model"
            )
        own = decided if self.people is None else decided & ~self.doubts(probabilities)
        mine, others = (np.flatnonzero(chosen) for chosen in (own, ~own))
        labels = probabilities[mine].argmax(axis=1).tolist()
        # It takes the place of a vote in the table, and is counted as nobody's.
        votes = [[{"annotator": self.name, "label": label, "seconds": None}] for label in labels]
        found = labelled(arrow.rows(dataset, mine), labels, self._names, annotator=self.name, votes=votes)
        if self.people is None or not len(others):
            return found
        return _in_order_of(dataset, found, self.people.annotate(arrow.rows(dataset, others)))

    def stored(self, labels: Dataset) -> None:
        """Tells the people's annotator."""
        if self.people is not None:
            self.people.stored(labels)

    def doubts(self, probabilities: np.ndarray) -> np.ndarray:
        """Which texts people should label: what is not decided, is unsure, or may be of a rare class."""
        guesses = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
        likely = np.take_along_axis(probabilities, guesses, axis=1)
        may_be_rare = (np.isin(guesses, self.rare) & (likely >= SEEN)).any(axis=1)
        return ~(likely[:, 0] >= self.sure) | may_be_rare  # also where it is NaN

    def agreement(self, dev: Dataset) -> Agreement:
        """How far it agrees with the labels of people."""
        from sklearn.metrics import cohen_kappa_score

        labels = np.array(dev["label"][:])
        probabilities = self.judge.probabilities(schema.texts(dev))
        undecided = np.isnan(probabilities).any(axis=1)
        guesses = np.where(undecided, -1, np.nan_to_num(probabilities).argmax(axis=1))
        same = [guesses[labels == place] == place for place in range(len(self._names))]
        return Agreement(
            name=self.name,
            texts=len(labels),
            undecided=int(undecided.sum()),
            kappa=100 * float(cohen_kappa_score(labels, guesses)) if len({*labels, *guesses}) > 1 else None,
            agreement={
                name: 100 * float(hits.mean()) if len(hits) else None
                for name, hits in zip(self._names, same, strict=True)
            },
        )

    def warning(self, found: Agreement) -> str | None:
        """What a person should know before the labels are used; None where it recognises rare classes."""
        rare = [self._names[place] for place in self.rare]
        missed = [name for name in rare if (at := found.agreement[name]) is not None and at < POOR]
        if not missed:
            return None
        way = "" if self.people else "; --doubtful-to people has people label what may be of these"
        return f"warning: {self.name} recognises less than half of the texts of {listed(missed)}{way}"


def rare_classes(start: Dataset) -> list[int]:
    """The classes that less than half as many texts of the start set have as if all had equally many."""
    counts = [*class_counts(start, schema.label_names(start)).values()]
    return [place for place, count in enumerate(counts) if 2 * count * len(counts) < sum(counts)]


def _in_order_of(dataset: Dataset, *parts: Dataset) -> Dataset:
    """The rows of the parts in the order that they have in the dataset."""
    place = {id_: row for row, id_ in enumerate(dataset["id"][:])}
    together = concatenate_datasets([part for part in parts if len(part)] or list(parts[:1]))
    return arrow.rows(together, np.argsort([place[id_] for id_ in together["id"][:]], kind="stable"))
