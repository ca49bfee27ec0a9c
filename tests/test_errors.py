"""The hint that names the nearest option."""

import pytest

from rarecase.errors import did_you_mean


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
