"""What a card says of who wrote variations, which classes it warns of, and what a data set is called."""

import re
from typing import Any

import pytest
from carded import RUN
from small import NAMES

from rarecase.data.release import Annotators, Change, Config, GeneratedRows, Release, Split
from rarecase.data.release_class import ReleaseClass
from rarecase.publish.dataset import title_of
from rarecase.publish.dataset_card import dataset_card

CLASSES = tuple(ReleaseClass(name, "", "", "allow" if name == "not-harmful" else "route") for name in NAMES)


def card(name: str = "words-7b", classes: tuple[ReleaseClass, ...] = CLASSES, **how: Any) -> str:
    """The card of a run with variations of this generator."""
    split = Split(
        rows=3,
        class_counts=dict.fromkeys(NAMES, 0),
        class_count_std=0.0,
        human=1,
        generated=2,
        not_used=0,
        num_bytes=9,
        path="train.parquet",
        file_bytes=9,
        sha256="",
        generators=(GeneratedRows(name, 2, ()),),
    )
    configs = {"cluster": Config({**RUN, **how}, splits={"train": split})}
    return dataset_card(Release(title="Posts", default="cluster", classes=classes, configs=configs, texts=3))


@pytest.mark.parametrize(
    ("asked", "generator", "wrote"),
    [
        ("openai", "words-7b", "a language model wrote variations that are to keep the label"),
        ("local", "words-7b", "a language model wrote variations that are to keep the label"),
        ("cheap", "cheap", "a program made variations by swapping words or leaving some out"),
        ("replay", "words-7b", "variations that existed before were taken over"),
        ("replay", "cheap", "a program made variations by swapping words or leaving some out"),
        ("none", "words-7b", "variations that existed before were taken over"),
        ("openai", "another", "variations that existed before were taken over"),
    ],
)
def test_who_wrote_variations_follows_from_the_generator(asked, generator, wrote):
    found = card(generator, generator=asked)
    by_model, by_program = "model wrote" in wrote, "program" in wrote
    assert f"active learning chose which texts were labelled and {wrote}: the method" in found
    assert ("the language model that wrote" in found) == by_model
    assert ("whatever wrote the variations" in found) == (not by_model and not by_program)
    assert ("`cheap` is no language model" in found) == by_program
    assert ("Terms of the language model" in found) == (not by_program)
    assert ("No person checked the label of a variation" in found) == (by_model or by_program)


def test_contrasts_are_not_said_to_keep_the_label():
    found = card("words-7b", generator="openai", contrasts=True)
    assert (
        "a language model wrote contrasts, which are to be of another class than the text that they vary: the" in found
    )
    assert "2 contrasts of each text that is not of the class which contrasts are to be of; their label is" in found
    assert "keep the label" not in found


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"strategy": "typiclust"}, "covered, active learning chose which texts were labelled and a program made"),
        ({"strategy": "random"}, "It was put together by the software rarecase: a program made variations by"),
        ({"by": "given"}, "It was put together by the software rarecase: variations that existed before were"),
    ],
)
def test_active_learning_is_named_only_where_a_strategy_other_than_random_chose(how, told):
    generator = "words-7b" if how.get("by") == "given" else "cheap"
    found = card(generator, **{"generator": generator, **how})
    assert told in found
    assert ("active learning chose" in found) == ("typiclust" in how.values())


@pytest.mark.parametrize("changes", [("added cluster", "took down 1 row"), ("added cluster", "replaced cluster")])
def test_where_a_push_was_merged_a1_may_be_two_people(changes):
    split = Split(3, dict.fromkeys(NAMES, 1), 0.0, 3, 0, 0, 9, "train.parquet", 9, "", Annotators(("A1",), 3, 3))
    configs = {name: Config({**RUN, "generator": "none"}, splits={"train": split}) for name in ("cluster", "random")}
    log = tuple(Change(number, "2026-01-01", change) for number, change in enumerate(changes, 1))
    known = Release(title="Posts", default="cluster", classes=CLASSES, configs=configs, texts=3, changelog=log)
    assert ("may be another person" in dataset_card(known)) == ("replaced cluster" in changes)


def test_nothing_is_varied_where_no_variation_was_asked_for():
    assert "No variations were generated." in card(variations=0)
    assert "Who varied them is not stated." in card(generator="mine:vary")


def test_classes_that_are_let_pass_are_not_called_hard_to_read():
    (warned,) = re.findall(r"can be hard to read: (.*)\. Warn people", card())
    assert re.split(", | and ", warned) == [name for name in NAMES if name != "not-harmful"]
    assert "hard to read" not in card(classes=tuple(ReleaseClass(name, "", "", "allow") for name in NAMES))


def test_a_data_set_is_called_like_its_repository():
    assert title_of("acme/flood-posts_v1.2") == "Flood posts v1.2"
    assert title_of("acme/GoEmotions") == "GoEmotions"
