"""How many random texts more: for whom it is enough, and for whom no number is."""

import numpy as np
import pytest
from scipy.stats import norm

from rarecase.guard.calibrate import Asked, ScoredRows, calibrate_class
from rarecase.guard.plan import plan

ASKED = Asked({"a": 0.9})
HARMLESS = ("harmless",)


def drawn(generator: np.random.Generator, texts: int, share: float, shift: float) -> ScoredRows:
    """Random texts, of which a share is of the class."""
    labels = (generator.random(texts) >= share).astype(int)
    scores = norm.cdf(generator.normal(0.0, 1.0, texts) + shift * (labels == 0))
    return ScoredRows(("a", "harmless"), np.stack([scores, 1 - scores], axis=1), labels, np.ones(texts, int))


def joined(one: ScoredRows, other: ScoredRows) -> ScoredRows:
    parts = ([getattr(rows, name) for rows in (one, other)] for name in ("scores", "labels", "windows"))
    return ScoredRows(one.names, *map(np.concatenate, parts))


@pytest.mark.parametrize(("texts", "is_new_set"), [(500, False), (2000, True)])
def test_so_many_texts_are_enough_in_about_four_of_five_draws(texts, is_new_set):
    """Planned again and again on other rows; the number is an estimate, so the chance is only about what it says."""
    generator = np.random.default_rng(6)
    planned, certified = 0, 0
    for _ in range(16):
        rows = drawn(generator, texts, 0.03, 2.5)
        found = plan(rows, ASKED, harmless=HARMLESS)
        number = found.classes["a"].texts
        if not number or found.is_new_set != is_new_set:
            continue
        planned += 1
        for _ in range(8):
            more = drawn(generator, number, 0.03, 2.5)
            after = calibrate_class(more if is_new_set else joined(rows, more), "a", ASKED)
            certified += after.threshold is not None
    assert planned >= 6
    assert 0.6 <= certified / (8 * planned) <= 0.97


def test_six_of_six_take_some_more_and_the_number_has_an_interval():
    scores = np.concatenate([np.linspace(0.7, 0.9, 6), np.linspace(0.0, 0.5, 194)])
    labels = np.repeat([0, 1], [6, 194])
    rows = ScoredRows(("a", "harmless"), np.stack([scores, 1 - scores], axis=1), labels, np.ones(200, int))
    found = plan(rows, ASKED, harmless=HARMLESS)
    of_class = found.classes["a"]
    assert not found.is_new_set
    assert of_class.texts is not None
    assert of_class.between is not None
    assert 770 < of_class.texts == found.texts
    assert of_class.between[0] < of_class.texts < of_class.between[1]
    assert of_class.share.rate == 0.03
    assert of_class.reason.startswith("some ")
    assert "since 3 % of the texts are of the class, 1.1 % to 6.4 %" in of_class.reason
    assert "100 % (54 % to 100 %) of the class are found where 20 % of the other texts are flagged" in of_class.reason


def test_no_number_helps_where_the_model_does_not_know_the_class():
    rows = drawn(np.random.default_rng(7), 2000, 0.05, 0.5)
    found = plan(rows, ASKED, harmless=HARMLESS)
    assert found.texts == 0
    assert found.classes["a"].texts is None
    assert found.classes["a"].recall is not None
    assert found.classes["a"].recall.high < 0.9
    assert found.classes["a"].reason.startswith("no number of texts helps: ")


def test_with_three_of_the_class_nobody_can_tell_and_with_none_even_less():
    scores = np.array([0.9, 0.8, 0.7, *np.zeros(97)])
    labels = np.repeat([0, 1], [3, 97])
    rows = ScoredRows(
        ("a", "harmless", "b"), np.stack([scores, 1 - scores, scores], axis=1), labels, np.ones(100, int)
    )
    found = plan(rows, Asked({"a": 0.9, "b": 0.9}), harmless=HARMLESS)
    assert [one.texts for one in found.classes.values()] == [None, None]
    assert found.classes["a"].reason.startswith("too few of the class are there to tell how many texts it takes: ")
    assert found.classes["b"].reason.startswith("none of the class among 100 texts: nothing can be said about recall")


def test_what_can_be_certified_takes_nothing_more():
    found = plan(drawn(np.random.default_rng(8), 4000, 0.05, 4.0), ASKED, harmless=HARMLESS)
    assert found.texts == 0
    assert found.classes["a"].now.threshold is not None
    assert found.classes["a"].reason.startswith("can be certified: recall at least 0.9")
