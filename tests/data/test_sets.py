"""The four tables, made fit for each other."""

import pyarrow as pa
from datasets import Dataset

from rarecase.data.arrow import from_table
from rarecase.data.read import read_table
from rarecase.data.schema import features
from rarecase.data.sets import with_classes
from rarecase.data.taxonomy import Category, Taxonomy


def test_other_readings_and_votes_follow_the_classes_of_the_taxonomy():
    votes = [{"annotator": "A1", "label": 0, "seconds": None}, {"annotator": "A2", "label": 2, "seconds": 1.0}]
    posts = [
        {"id": "a", "text": "one", "label": 1, "votes": votes, "reading": 0},
        {"id": "b", "text": "two", "label": 0, "reading": 2},
    ]
    names = ["calm", "loud", "odd"]
    table = read_table(
        from_table(pa.Table.from_pylist(posts, schema=features(names).arrow_schema)), split="train", labeled=True
    )
    taxonomy = Taxonomy((Category("loud"), Category("calm")))
    found = with_classes(table, taxonomy, lambda label: "row 1")
    assert found.features == features(taxonomy.names)
    assert found["label"][:] == [0, 1]
    assert found["reading"][:] == [1, None]  # `odd` is no class here
    assert [vote["label"] for vote in found["votes"][0]] == [1, None]
    assert found["votes"][1] is None


def test_a_table_without_them_has_none():
    table = Dataset.from_dict({"id": ["a"], "text": ["one"], "label": ["calm"]})
    found = with_classes(table, Taxonomy((Category("loud"), Category("calm"))), lambda label: "row 1")
    assert (found["reading"][:], found["votes"][:], found["checks"][:]) == ([None], [None], [None])
