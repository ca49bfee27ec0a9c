"""What an annotator of a user's own has to define: `annotate`, and nothing else."""

import pytest
import small
from datasets import Dataset

from rarecase.core.errors import ConfigError
from rarecase.labeling.annotator import Annotator, completed


class Plain:
    """The least that labels."""

    def annotate(self, dataset: Dataset) -> Dataset:
        return small.gold().annotate(dataset)


class Heir(Annotator):
    """Likewise, with the defaults of the protocol."""

    def annotate(self, dataset: Dataset) -> Dataset:
        return small.gold().annotate(dataset)


class Curious(Plain):
    """Wants suggestions, leaves texts out, and notes what was stored."""

    suggests = leaves_out = True

    def __init__(self) -> None:
        self.told: list[Dataset] = []

    def stored(self, labels: Dataset) -> None:
        self.told.append(labels)


@pytest.mark.parametrize("annotator", [Plain(), Heir()])
def test_one_that_defines_annotate_alone_has_defaults_for_the_rest(annotator):
    whole = completed(annotator, small.NAMES)
    assert (whole.suggests, whole.leaves_out) == (False, False)
    labels = whole.annotate(small.table("pool").select(range(3)))
    whole.stored(labels)
    assert labels["label"][:] == small.table("pool")["label"][:3]


def test_what_it_defines_is_kept():
    annotator = Curious()
    whole = completed(annotator, small.NAMES)
    assert (whole.suggests, whole.leaves_out) == (True, True)
    whole.stored(small.table("dev"))
    assert annotator.told == [small.table("dev")]


def test_one_without_annotate_is_answered_in_one_line():
    with pytest.raises(ConfigError, match=r"^annotator dict has no method annotate\(dataset\), and is no function"):
        completed({}, small.NAMES)
