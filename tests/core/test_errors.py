"""The hint that names the nearest option."""

import pytest

from rarecase.core.errors import did_you_mean, shown_id, shown_label


@pytest.mark.parametrize(
    ("word", "options", "hint"),
    [
        ("strategie", ["seed", "strategy"], "; did you mean 'strategy'?"),
        ("text", ["id", "TEXT"], "; did you mean 'TEXT'?"),
        ("Self harm", ["not-harmful", "self-harm"], "; did you mean 'self-harm'?"),
        ("zzz", ["id", "text"], ""),
        ("text", [], ""),
        ("text", [""], ""),
    ],
)
def test_the_nearest_option_is_named_whatever_its_case_and_none_that_is_far(word, options, hint):
    assert did_you_mean(word, options) == hint


def test_an_id_or_a_label_that_may_be_a_post_is_not_shown():
    assert shown_id("pool-17") == " 'pool-17'"
    assert shown_id("my neighbour hides a tortoise") == shown_id("x" * 41) == ""
    assert shown_label("self harm", {"self harm", "legal-advice"}) == " 'self harm'"
    assert shown_label("x" * 41, {"x" * 41}) == shown_label("7", list(map(str, range(100)))) == ""
