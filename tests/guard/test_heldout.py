"""Certification rows of several parts."""

import pytest
from datasets import Dataset

from rarecase.core.errors import DataError
from rarecase.guard.heldout import HeldOut, together


def part(name, *texts):
    return HeldOut(name, Dataset.from_dict({"text": [*texts]}), len(texts), name)


def test_the_same_rows_given_twice_under_one_name_are_refused_and_a_text_twice_in_one_part_is_not():
    first = part("start", "a", "b", "a")
    with pytest.raises(
        DataError, match="start and start have texts in common, so they are no two random samples; draw"
    ):
        together([first, first])
    assert together([first, part("more", "c")]).drawn == 4
