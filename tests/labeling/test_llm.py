"""A language model labels, and people label what it doubts: which texts go to whom, in which order they come back."""

import numpy as np
import pytest
import small
from datasets import Dataset

from rarecase.core.errors import GeneratorError, WaitingForLabels
from rarecase.data import schema
from rarecase.labeling.annotator import Annotator, labelled
from rarecase.labeling.llm import Agreement, LanguageModelAnnotator, rare_classes

NAMES = ["common", "frequent", "rare"]


def table(texts, labels=None):
    columns = {"id": [f"id-{text}" for text in texts], "text": texts, "label": labels or [None] * len(texts)}
    return schema.conform(Dataset.from_dict(columns), NAMES)


START = table([f"start {i}" for i in range(20)], [0] * 10 + [1] * 8 + [2] * 2)


class Model:
    name = "words"


class Judge:
    """Knows the probabilities of each text."""

    model = Model()

    def __init__(self, **known):
        self.known = known

    def probabilities(self, texts):
        return np.array([self.known[text] for text in texts], dtype=float).reshape(-1, 3)


class People(Annotator):
    """Say `rare` of everything they are asked, but leave out what is called so."""

    suggests = leaves_out = True

    def __init__(self):
        self.asked, self.told = [], []

    def annotate(self, dataset):
        self.asked += dataset["text"][:]
        kept = dataset.select([row for row, text in enumerate(dataset["text"][:]) if text != "left-out"])
        votes = [[{"annotator": "A1", "label": 2, "seconds": 1.0}]] * len(kept)
        return labelled(kept, [2] * len(kept), NAMES, annotator="A1", votes=votes)

    def stored(self, labels):
        self.told += labels["text"][:]


KNOWN = {
    "sure": [0.98, 0.02, 0],
    "unsure": [0.8, 0.2, 0],
    "rare": [0.01, 0, 0.99],
    "perhaps": [0.96, 0, 0.04],
    "hardly": [0.991, 0.0035, 0.0055],
    "answered": [0, 1, 0],
    "silent": [np.nan] * 3,
    "left-out": [np.nan] * 3,
}


def test_what_is_unsure_or_silent_or_may_be_rare_goes_to_people_and_all_comes_back_in_order():
    people = People()
    annotator = LanguageModelAnnotator(Judge(**KNOWN), START, people)
    assert (annotator.suggests, annotator.leaves_out) == (True, True)
    found = annotator.annotate(table(list(KNOWN)))
    assert people.asked == ["unsure", "rare", "perhaps", "silent", "left-out"]
    assert list(zip(found["text"][:], found["annotator"][:], found["label"][:], strict=True)) == [
        ("sure", "llm:words", 0),
        ("unsure", "A1", 2),
        ("rare", "A1", 2),
        ("perhaps", "A1", 2),
        ("hardly", "llm:words", 0),
        ("answered", "llm:words", 1),
        ("silent", "A1", 2),
    ]
    assert [vote["annotator"] for votes in found["votes"][:] for vote in votes] == found["annotator"][:]
    annotator.stored(found)
    assert people.told == found["text"][:]
    assert found.features == schema.features(NAMES)
    assert annotator.annotate(table(["silent"]))["annotator"][:] == ["A1"]


def test_how_sure_it_has_to_be_is_a_setting():
    people = People()
    LanguageModelAnnotator(Judge(**KNOWN), START, people, sure=0.75).annotate(table(["sure", "unsure"]))
    assert people.asked == []
    LanguageModelAnnotator(Judge(**KNOWN), START, people, sure=0.99).annotate(table(["sure", "unsure"]))
    assert people.asked == ["sure", "unsure"]


def test_alone_it_labels_all_that_it_says_a_class_of():
    annotator = LanguageModelAnnotator(Judge(**KNOWN), START)
    found = annotator.annotate(table(list(KNOWN)))
    assert found["text"][:] == [text for text in KNOWN if text not in ("silent", "left-out")]
    assert set(found["annotator"][:]) == {"llm:words"}
    assert (annotator.suggests, annotator.leaves_out) == (False, True)  # else it would be asked the same for ever
    with pytest.raises(GeneratorError, match="llm:words: says no class of any of the 2 chosen texts"):
        annotator.annotate(table(["silent", "left-out"]))


def test_people_are_waited_for_as_ever():
    class Waiting(Annotator):
        def annotate(self, dataset):
            raise WaitingForLabels("fill in")

    annotator = LanguageModelAnnotator(Judge(**KNOWN), START, Waiting())
    assert len(annotator.annotate(table(["sure"]))) == 1
    with pytest.raises(WaitingForLabels, match="fill in"):
        annotator.annotate(table(["sure", "unsure"]))
    assert not annotator.leaves_out


def test_a_class_is_rare_that_has_less_than_half_its_share():
    assert rare_classes(START) == [2]
    assert rare_classes(table(["a", "b"], [0, 0])) == [1, 2]
    assert rare_classes(table([str(i) for i in range(6)], [0, 0, 0, 1, 1, 2])) == []


def test_agreement_by_class_counts_silence_as_disagreement():
    known = {"a": [1, 0, 0], "b": [1, 0, 0], "c": [0, 1, 0], "d": [np.nan] * 3}
    annotator = LanguageModelAnnotator(Judge(**known), START)
    found = annotator.agreement(table(list("abcd"), [0, 1, 1, 2]))
    assert found.agreement == {"common": 100, "frequent": 50, "rare": 0}
    assert (found.name, found.texts, found.undecided) == ("llm:words", 4, 1)
    assert found.kappa == pytest.approx(100 * (2 / 4 - 4 / 16) / (1 - 4 / 16))
    assert annotator.warning(found) == (
        "warning: llm:words recognises less than half of the texts of rare; --doubtful-to people has people label "
        "what may be of these"
    )
    assert "common 100 %, frequent 50 %, rare 0 %" in found.sentence()


def test_what_dev_has_no_text_of_is_not_known(tmp_path):
    annotator = LanguageModelAnnotator(Judge(a=[1, 0, 0]), START)
    found = annotator.agreement(table(["a"], [0]))
    assert found.agreement == {"common": 100, "frequent": None, "rare": None}
    assert found.kappa is None
    assert annotator.warning(found) is None
    found.write(tmp_path / "annotator.json")
    assert Agreement.read(tmp_path / "annotator.json") == found


def test_the_order_of_the_texts_has_no_effect():
    pool = small.table("pool")
    rng = np.random.default_rng(0)
    known = {text: rng.dirichlet(np.ones(6)) for text in pool["text"][:]}

    class Drawn(Judge):
        def __init__(self):
            self.known = known

        def probabilities(self, texts):
            return np.array([self.known[text] for text in texts])

    annotator = LanguageModelAnnotator(Drawn(), small.table("bootstrap"))
    forth, back = (annotator.annotate(pool.select(rows)) for rows in (range(90), range(89, -1, -1)))
    assert forth["label"][:] == back["label"][::-1]
