"""The gold column as annotator."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset

from rarecase.core.errors import DataError
from rarecase.data import arrow, schema
from rarecase.labeling.gold import Gold

NAMES = ("harmful", "odd", "not-harmful")


def test_every_row_gets_the_label_of_its_id_whatever_it_carried_before():
    pool = Dataset.from_dict({"id": ["b", "a"], "text": ["two", "one"], "label": [None, None], "source": ["x", None]})
    labelled = Gold({"a": 0, "b": 2, "c": 1}, NAMES).annotate(pool)
    assert labelled["id"][:] == ["b", "a"]
    assert labelled["label"][:] == [2, 0]
    assert labelled.features["label"] == ClassLabel(names=list(NAMES))
    assert labelled["annotator"][:] == ["gold", "gold"]
    assert labelled["votes"][:] == [None, None]
    assert labelled["source"][:] == ["x", None]


def test_the_columns_of_the_loop_stay_and_the_result_conforms():
    pool = Dataset.from_dict({"id": ["a", "b"], "text": ["one", "two"]})
    pool = arrow.with_column(pool, "embedding", np.eye(2, dtype=np.float32))
    labelled = Gold({"a": 1, "b": 2}, NAMES).annotate(arrow.rows(pool, [1, 0]))
    assert arrow.matrix(labelled, "embedding").tolist() == [[0, 1], [1, 0]]
    released = schema.conform(labelled, NAMES)
    assert released.features == schema.features(NAMES)
    assert released["label"][:] == [2, 1]


def test_a_row_without_a_gold_label_is_named_with_the_way_out():
    pool = Dataset.from_dict({"id": ["a", "t-17"], "text": ["one", "two"]})
    with pytest.raises(DataError, match=r"^id 't-17', row 2 of those to label, has no gold label.*--annotator file"):
        Gold({"a": 0}, NAMES).annotate(pool)


def test_an_id_that_could_be_a_post_is_not_shown():
    pool = Dataset.from_dict({"id": ["a whole sentence taken for an id"], "text": ["one"]})
    with pytest.raises(DataError, match="row 1 of those to label") as caught:
        Gold({}, NAMES).annotate(pool)
    assert "sentence" not in str(caught.value)
