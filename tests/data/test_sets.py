"""The four tables, made fit for each other."""

import dataclasses

import pyarrow as pa
import pytest
from datasets import Dataset

from rarecase.core.errors import DataError
from rarecase.data.arrow import from_table
from rarecase.data.read import Columns, read_table
from rarecase.data.schema import features
from rarecase.data.sets import Sources, read_sets, taxonomy_of, with_classes
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


def sources(folder, pool: str, labels: str = "calm loud", **options: object) -> Sources:
    """A pool as it is given, and labelled sets with a column `kind`."""
    (folder / "pool.csv").write_text(pool, encoding="utf-8")
    rows = [f"{name} {row} of its own,{label}" for name in ("one", "two") for row, label in enumerate(labels.split())]
    (folder / "labelled.csv").write_text("\n".join(["text,kind", *rows, ""]), encoding="utf-8")
    given = {name: str(folder / "labelled.csv") for name in ("bootstrap", "dev", "test")}
    return Sources(pool=str(folder / "pool.csv"), **given, columns=Columns(label="kind"), **options)


@pytest.mark.parametrize(
    ("pool", "gold"),
    [
        ("text\nA landlord\nThe banjo\n", None),
        ("text,label\nA landlord,4\nThe banjo,7\n", None),  # another column than the one that is named
        ("text,kind\nA landlord,\nThe banjo,loud\n", [1]),
    ],
)
def test_a_pool_without_the_column_of_labels_or_with_some_labels_is_a_pool(tmp_path, pool, gold):
    sets = read_sets(sources(tmp_path, pool))
    assert sets.taxonomy.names == ("calm", "loud")
    assert sets.pool["text"][:] == ["A landlord", "The banjo"]
    assert sets.pool["label"][:] == [None, None]
    assert (sets.gold and sets.gold["label"][:]) == gold


def test_a_column_of_labels_that_is_nowhere_is_an_error(tmp_path):
    wrong = dataclasses.replace(sources(tmp_path, "text\nA landlord\n"), columns=Columns(label="kid"))
    with pytest.raises(DataError, match=r"labelled\.csv: no column 'kid' .*; did you mean 'kind'\?"):
        read_sets(wrong)


@pytest.mark.parametrize(
    "label", ["calm|odd", '["calm", "loud"]', "['calm']", "[]", "[2, 27]", "calm, loud", "loud;calm", "calm | loud"]
)
def test_several_labels_in_a_cell_are_told_the_way_out(tmp_path, label):
    start = ["calm", "loud", label] * 4
    with pytest.raises(DataError, match=r"lists of labels in 4 of 12 rows, such as .*; keep one .*--label-c") as e:
        taxonomy_of(None, start)
    assert repr(label) in str(e.value)
    quoted = '"' + label.replace('"', '""') + '"'
    with pytest.raises(
        DataError, match=r"--pool .*pool\.csv row 3: label .* is a list of labels, expected one; .*--taxonomy FILE"
    ):
        read_sets(sources(tmp_path, f"text,kind\nA landlord,calm\nThe banjo,{quoted}\n"))
    with pytest.raises(DataError, match=r"lists of labels in 1 of 3 rows; keep one for each text"):
        taxonomy_of(None, start[:3])


def test_class_names_with_signs_in_them_are_classes(tmp_path):
    names = ["ABBR:abb", "ABBR:exp", "sexual/minors", "sexual", "Lost, stolen", "Lost", "[deleted]", "a;b", "b", ":|"]
    assert taxonomy_of(None, names * 2).names == tuple(sorted(names))
    own = Taxonomy((Category("calm|loud"), Category("calm"), Category("loud"), Category("calm, loud")))
    own.save(tmp_path / "classes.yaml")
    taxonomy = str(tmp_path / "classes.yaml")
    sets = read_sets(sources(tmp_path, "text,kind\nA landlord,calm|loud\n", taxonomy=taxonomy))
    assert sets.gold["label"][:] == [0]


def test_posts_taken_for_labels_are_no_lists_for_a_few_signs_in_them():
    posts = [f"post {number}{' | and more' * (number == 7)}" for number in range(60)]
    with pytest.raises(DataError, match="holds 60 different values in 60 rows, which are no classes"):
        taxonomy_of(None, posts)
