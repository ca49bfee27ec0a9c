"""The checks of variations: what each finds, and what it leaves alone."""

import hashlib
import re

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from rarecase.core.errors import DataError, MissingColumnError
from rarecase.data.taxonomy import Taxonomy
from rarecase.generate import Variation, variations_table
from rarecase.generate.prompt import Prompt
from rarecase.verify.checks import Verifier
from rarecase.verify.language import is_same_language

TAXONOMY = Taxonomy.default()
NAMES = list(TAXONOMY.names)
LEGAL, HARMLESS = NAMES.index("legal-advice"), NAMES.index("not-harmful")
FEATURES = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=NAMES)})
POST = "My landlord has not paid my deposit back, what can I do about it?"
OTHER = "Which plants grow well on a balcony without any sun?"
HELD_OUT = ["Our neighbour's tree fell on my car and he refuses to pay"]
GOOD = "It has been weeks and I still wait for the money I paid when I moved in"


class Words:
    """An encoder for tests: the counts of words, so that texts with the same words are near."""

    def encode(self, texts):
        vectors = np.zeros((len(texts), 512), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.casefold()):
                vectors[row, int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16) % 512] += 1
        return vectors


def says(*classes):
    """A learner that gives the posts these classes in turn, for whatever text; and what it was asked."""
    answers = dict(classes)

    def probabilities(texts):
        probs = np.full((len(texts), len(NAMES)), 0.1)
        for row, text in enumerate(texts):
            probs[row, answers.get(text, LEGAL)] = 0.5
        return probs

    return probabilities


def checked(*variations, posts=((POST, LEGAL), (OTHER, HARMLESS)), learner=None, **parts):
    """What the checks find of variations of the first post, by check: whether it passed, and the value."""
    rows = [{"id": str(i), "text": text, "label": label} for i, (text, label) in enumerate(posts)]
    originals = Dataset.from_list(rows, features=FEATURES)
    made = variations_table(originals, [[Variation(text, "test") for text in variations], *[[] for _ in posts[1:]]])
    verifier = Verifier(wording=[*TAXONOMY.definitions, *Prompt.load("small").wording], **parts)
    table = verifier.check(made, originals, HELD_OUT, learner or says(), Words())
    assert table.features == made.features
    assert table.remove_columns("checks").to_list() == made.remove_columns("checks").to_list()
    return [{c["check"]: (c["passed"], c["value"]) for c in row} for row in table["checks"][:]]


def failed(*variations, **parts):
    """The names of the checks that each fails."""
    return [
        {name for name, (passed, _) in found.items() if passed is False} for found in checked(*variations, **parts)
    ]


def test_a_good_variation_fails_nothing_and_every_check_says_what_it_found():
    (found,) = checked(GOOD)
    assert list(found) == ["not-empty", "language", "copy", "template", "held-out", "learner"]
    assert all(passed for passed, _ in found.values())
    assert found["learner"][1] == pytest.approx(0.5)
    assert 0 < found["copy"][1] < 90


def test_a_variation_without_a_text_is_not_looked_at():
    assert [len(found) for found in checked("", GOOD)] == [1, 6]
    assert failed("") == [{"not-empty"}]


@pytest.mark.parametrize(
    "text",
    [
        POST.upper(),
        POST.replace("deposit", "deposits"),
        "What can I do about it? My landlord has not paid back my deposit,",  # other words in between: by the encoder
        OTHER[:-1] + " at all?",
    ],
)
def test_a_copy_of_an_original_is_found_where_it_has_the_same_label(text):
    posts = ((POST, LEGAL), (OTHER, LEGAL))
    assert failed(text, posts=posts) == [{"copy"}]


def test_of_variations_that_are_alike_the_earliest_stays():
    assert failed(GOOD, f"{GOOD}!", GOOD.casefold(), "Something else altogether is what I ask about") == [
        set(),
        {"copy"},
        {"copy"},
        set(),
    ]


def test_few_words_may_make_another_class_of_a_post_and_all_of_them_may_not():
    near = OTHER.replace("plants", "herbs")
    assert failed(near) == [set()]  # the post that it is like has another label
    assert failed(OTHER) == [{"copy"}]


def test_a_generator_that_swaps_words_is_not_blamed_for_the_words_that_stay():
    assert failed(POST.replace("deposit", "deposits"), POST, near_copies=False) == [set(), {"copy"}]


def test_an_encoder_to_which_all_texts_are_alike_finds_no_copies_in_them():
    class Alike(Words):
        def encode(self, texts):
            return super().encode(texts) + 100

    rows = [{"id": str(i), "text": text, "label": LEGAL} for i, text in enumerate((POST, OTHER))]
    originals = Dataset.from_list(rows, features=FEATURES)
    made = variations_table(originals, [[Variation(GOOD, "test")], []])
    table = Verifier().check(made, originals, [], says(), Alike())
    assert [c["passed"] for c in table["checks"][0] if c["check"] == "copy"] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "legal-advice",
        "**Legal-advice**.",
        "Variation 1: the money for the flat is still missing",
        "Here is one variation of the post about the money",
        "This is of the class legal-advice: the money is missing",
        "The rephrased post: the money for the flat is still missing",
        "The money is missing, label: self-harm",
        "It is not-harmful to say that the money is still missing",
        "You say posts in different words about the money",
        f"The money. {TAXONOMY.definitions[LEGAL]}",
    ],
)
def test_what_the_prompt_says_and_the_post_does_not_is_a_leak(text):
    assert failed(text) == [{"template"}]


@pytest.mark.parametrize(
    "text",
    [
        "Here is what happened with the money for the flat",
        "The second version of the contract says nothing about the money",
        "I think about self-harm since the money for the flat is gone",
        "In other words: the money for the flat is gone",
        "My class on legal advice did not say who pays the money back",
    ],
)
def test_what_people_write_themselves_is_no_leak(text):
    assert failed(text) == [set()]


def test_what_stands_in_the_original_is_no_leak():
    post = "My teacher says: rewrite this text, it is not-harmful, of the class legal-advice"
    posts = ((post, LEGAL), (OTHER, HARMLESS))
    assert failed("We had to rewrite this text, which was not-harmful he said", posts=posts) == [set()]
    assert failed("legal-advice", posts=posts) == [{"template"}]  # an answer, and no post


def test_a_near_duplicate_of_dev_or_test_is_marked():
    assert failed(HELD_OUT[0], HELD_OUT[0].replace("refuses", "refused")) == [{"held-out"}, {"held-out", "copy"}]


def test_another_script_or_language_is_marked_and_a_short_text_is_not_judged_by_its_language():
    german = "Mein Vermieter zahlt die Kaution nicht zurück, obwohl ich schon lange ausgezogen bin"
    assert failed("Хозяин квартиры не возвращает мне залог") == [{"language"}]
    assert failed(german) == [{"language"}]
    assert failed("Deposit gone, help") == [set()]
    assert is_same_language("??!", POST) is None
    assert is_same_language("料金が高すぎる", "料金はいくらですか") is True
    assert is_same_language("料金が高すぎる", "요금이 너무 비싸요") is False


@pytest.mark.parametrize("text", [POST, GOOD, *HELD_OUT, OTHER, "ok", "no", "Lol", "Rent?", "DEPOSIT IS GONE"])
def test_no_english_post_is_called_another_language(text):
    assert is_same_language(POST, text) is not False


def test_the_learner_is_asked_where_it_knows_the_original_and_nowhere_else():
    def found(of_post, of_variation):
        return checked(GOOD, learner=says((POST, of_post), (GOOD, of_variation)))[0]["learner"]

    assert found(LEGAL, LEGAL) == (True, pytest.approx(0.5))
    assert found(LEGAL, HARMLESS) == (False, pytest.approx(0.1))
    assert found(HARMLESS, LEGAL) == found(HARMLESS, HARMLESS) == (None, None)


class Judge:
    """Says one class of everything, or nothing, and remembers what it was asked."""

    def __init__(self, label):
        self.label, self.asked = label, []

    def probabilities(self, texts):
        self.asked += texts
        probs = np.full((len(texts), len(NAMES)), np.nan if self.label is None else 0.0)
        if self.label is not None:
            probs[:, self.label] = 1.0
        return probs


@pytest.mark.parametrize(("label", "said"), [(LEGAL, (True, 1.0)), (HARMLESS, (False, 0.0)), (None, (None, None))])
def test_a_judge_is_asked_about_the_text_alone_and_only_where_nothing_else_is_wrong(label, said):
    judge = Judge(label)
    good, leak, _ = checked(GOOD, "legal-advice", "", judge=judge)
    assert judge.asked == [GOOD]
    assert good["judge"] == said
    assert leak["judge"] == (None, None)


def test_findings_of_an_earlier_run_are_replaced_and_those_of_the_generator_stay():
    rows = [{"id": "0", "text": POST, "label": LEGAL}]
    originals = Dataset.from_list(rows, features=FEATURES)
    old = [
        {"check": "whole", "passed": False, "value": None},
        {"check": "judge", "passed": False, "value": 0.1},
        {"check": "learner", "passed": False, "value": 0.1},
    ]
    made = variations_table(originals, [[Variation(GOOD, "test", checks=old)]])
    found = Verifier().check(made, originals, [], says(), Words())["checks"][0]
    assert [(c["check"], c["passed"]) for c in found if c["check"] in ("whole", "judge", "learner")] == [
        ("whole", False),
        ("learner", True),
    ]


def test_a_variation_of_another_post_is_an_error_of_its_generator():
    originals = Dataset.from_list([{"id": "0", "text": POST, "label": LEGAL}], features=FEATURES)
    made = variations_table(originals, [[Variation(GOOD, "test")]])
    others = Dataset.from_list([{"id": "1", "text": POST, "label": LEGAL}], features=FEATURES)
    with pytest.raises(DataError, match="parent_id that is no post"):
        Verifier().check(made, others, [], says(), Words())
    with pytest.raises(MissingColumnError, match="checks"):
        Verifier().check(made.remove_columns("checks"), originals, [], says(), Words())
