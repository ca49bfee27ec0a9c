"""Sentences of which it is known whether a guard should act, and what is counted of them."""

from dataclasses import replace

import numpy as np
import pytest
from small import NAMES, table

from rarecase.data.arrow import with_column
from rarecase.data.schema import as_table
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.metrics import all_metrics
from rarecase.guard.behaviours import CLASSES, SENTENCES
from rarecase.guard.guard import Guard
from rarecase.learn import Learner
from rarecase.learn.record import Description, Judged, ModelRecord
from rarecase.publish.model_card import Model, model_card


class OnOneWord(Learner):
    """Takes a text with the word `my` as one of the first class, and any other as harmless."""

    names = NAMES

    def reader(self):
        return None

    def score(self, dataset):
        chosen = [0 if "my" in text.lower().split() else len(NAMES) - 1 for text in as_table(dataset)["text"][:]]
        return with_column(as_table(dataset), "probs", np.eye(len(NAMES), dtype=np.float32)[chosen])


def test_every_sentence_is_of_a_packaged_class_on_which_a_guard_acts():
    assert {one.name for one in Taxonomy.default().classes if one.action != "allow"} == CLASSES
    assert len({one.text for one in SENTENCES}) == len(SENTENCES)


def test_it_is_counted_by_kind_and_class_how_many_are_as_they_should_be():
    said = Guard(OnOneWord()).settings(table("dev").select([])).behaviours
    assert said["third person"]["self-harm"] == Judged(1, 2)  # `My sister`, but `A friend of mine`
    assert said["fiction"]["medical-advice"] == Judged(2, 2)
    assert said["fiction"]["legal-advice"] == Judged(1, 2)  # `My novel`


@pytest.mark.parametrize("name", NAMES[:2])
def test_for_a_taxonomy_with_other_actions_there_is_nothing_to_count(name):
    own = Taxonomy(
        tuple(replace(one, action="allow") if one.name == name else one for one in Taxonomy.default().classes)
    )
    settings = Guard(OnOneWord(), own).settings(table("dev").select([]))
    assert settings.behaviours == {}
    made, rows = Description("frozen", "packaged", "fp32", 0, {}, NAMES), table("dev")
    figures = all_metrics(rows["label"][:], rows["label"][:], NAMES)
    record = ModelRecord.of(made, [], rows, rows, rows, {"dev": figures, "test": figures}, settings)
    assert "it also judged" not in model_card(Model("frozen", NAMES, None, None, record), "acme/guard", "mit")
