"""A learner whose scores a test writes into the texts, and the classes that it knows."""

import numpy as np

from rarecase.data.arrow import with_column
from rarecase.data.schema import as_table
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.learn import Learner
from rarecase.models.encoder import load_encoder

OWN = Taxonomy(
    tuple(
        Category(name, action=action, message=message)
        for name, action, message in (
            ("threat", "block", "Refused."),
            ("scam", "flag", ""),
            ("fear", "route", "Talk to somebody."),
            ("fine", "allow", ""),
        )
    )
)


class ByWord(Learner):
    """Gives a text the numbers that it ends with as probabilities; its windows are those of the packaged encoder."""

    names = OWN.names

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    def reader(self):
        return load_encoder().reader()

    def score(self, dataset):
        self.given.append(list(dataset))
        probs = [[*map(float, text.split()[-4:])] if text[-1:].isdigit() else [0, 0, 0, 1] for text in dataset]
        return with_column(as_table(dataset), "probs", np.array(probs, np.float32))
