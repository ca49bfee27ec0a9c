"""The columns, and arrays out of a `Dataset` whatever has happened to it."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, Features, LargeList, List, Value, concatenate_datasets, load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.acquire import strategy
from rarecase.core.errors import DataError, MissingColumnError
from rarecase.data import arrow, schema
from rarecase.data.parquet import read_parquet, write_parquet

NAMES = ("harmful", "odd", "not-harmful")


def table(rows: int = 10, start: int = 0) -> Dataset:
    place = np.arange(start, start + rows)
    plain = Dataset.from_dict(
        {
            "id": [f"p-{i}" for i in place],
            "text": [f"walk {i * 7 % 100:03d}" for i in place],
            "label": place % 3,
            "score": place / 8,
        },
        Features(
            {
                "id": Value("string"),
                "text": Value("string"),
                "label": ClassLabel(names=list(NAMES)),
                "score": Value("float64"),
            }
        ),
    )
    return arrow.with_column(plain, "probs", np.stack([place, place + 0.5, -place], 1).astype(np.float32))


def halves(ds: Dataset) -> Dataset:
    return concatenate_datasets([ds.select(range(len(ds) // 2)), ds.select(range(len(ds) // 2, len(ds)))])


HISTORIES = {
    "as it is": lambda ds: ds,
    "selected": lambda ds: ds.select([7, 3, 3, 0]),
    "a range selected": lambda ds: ds.select(range(2, 6)),
    "shuffled": lambda ds: ds.shuffle(seed=3),
    "filtered": lambda ds: ds.filter(lambda row: row["label"] != 1),
    "sorted": lambda ds: ds.sort("text", reverse=True),
    "concatenated": lambda ds: concatenate_datasets([ds.shuffle(seed=1), table(4, 50), ds.select([1, 2])]),
    "concatenated, then selected": lambda ds: concatenate_datasets([table(4, 50), ds.select([9, 1])]).select([5, 0]),
    "sliced twice": lambda ds: ds.select(range(3, 9)).select(range(1, 4)),
    "formatted": lambda ds: ds.with_format("numpy"),
    "no row": lambda ds: ds.select([]),
}


# --- matrix ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("column", ["label", "score", "probs"])
def test_matrix_follows_the_rows_as_they_stand(history, column):
    ds = HISTORIES[history](table())
    expected = np.array(list(ds.with_format(None)[column])).reshape(len(ds), *([3] if column == "probs" else []))
    found = arrow.matrix(ds, column)
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("history", HISTORIES)
def test_matrix_keeps_the_type_of_the_numbers(history):
    ds = HISTORIES[history](table())
    assert [arrow.matrix(ds, c).dtype for c in ("label", "score", "probs")] == [np.int64, np.float64, np.float32]


@pytest.mark.parametrize("feature", [List(Value("float32")), LargeList(Value("float32")), List(Value("float32"), 2)])
def test_matrix_reads_every_kind_of_list(feature):
    ds = Dataset.from_dict({"probs": [[1, 2], [3, 4], [5, 6]]}, Features({"probs": feature}))
    assert arrow.matrix(ds.select([2, 0]), "probs").tolist() == [[5, 6], [1, 2]]


def test_matrix_copies_nothing_where_arrow_allows_it():
    vectors = np.zeros((100, 8), np.float32)
    ds = arrow.with_column(Dataset.from_dict({"id": list(range(100))}), "embedding", vectors)
    assert np.shares_memory(arrow.matrix(ds, "embedding"), arrow.matrix(ds, "embedding"))


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_matrix_after_any_history_is_the_list_of_the_column(data):
    ds = table(data.draw(st.integers(1, 12)))
    for _ in range(data.draw(st.integers(0, 3))):
        if data.draw(st.booleans()) and len(ds):
            ds = ds.select(data.draw(st.lists(st.integers(0, len(ds) - 1), max_size=9)))
        else:
            ds = concatenate_datasets([ds, table(data.draw(st.integers(1, 3)), 60)])
    for column in ("label", "probs"):
        assert arrow.matrix(ds, column).tolist() == list(ds[column])


def test_matrix_refuses_an_empty_row_and_names_it_and_the_way_out():
    ds = Dataset.from_dict({"probs": [[1.0], None, [2.0]], "label": [0, 1, None]})
    with pytest.raises(DataError, match=r"column 'probs' row 1 is empty.*learner\.score\(dataset\)"):
        arrow.matrix(ds, "probs")
    with pytest.raises(DataError, match=r"column 'label' row 2 is empty"):
        arrow.matrix(ds, "label")
    with pytest.raises(DataError, match=r"column 'probs' row 0 is empty"):
        arrow.matrix(ds.select([1]), "probs")


def test_matrix_refuses_what_are_no_lists():
    with pytest.raises(DataError, match=r"'probs' has no numbers, nor lists of them; make it with learner\.score"):
        arrow.matrix(Dataset.from_dict({"probs": [{"a": 1}]}), "probs")


def test_matrix_refuses_lists_of_different_lengths():
    with pytest.raises(DataError, match=r"'probs' has rows of 1 and of 3 numbers; expected one length"):
        arrow.matrix(Dataset.from_dict({"probs": [[1.0], [1.0, 2.0, 3.0]]}), "probs")


@pytest.mark.parametrize(
    ("column", "way"),
    [
        ("probs", r"learner\.score"),
        ("embedding", r"rarecase\.embed\("),
        ("cluster", r"rarecase\.assign_clusters\("),
        ("lable", "did you mean 'label'"),
    ],
)
def test_a_missing_column_is_answered_with_the_call_that_makes_it_or_the_near_name(column, way):
    with pytest.raises(MissingColumnError, match=f"column {column!r} is missing.*{way}"):
        arrow.matrix(table().remove_columns("probs"), column)


# --- with_column, rows, conform, order -------------------------------------------------------------------------------


def test_with_column_keeps_the_other_features_and_the_order_of_the_rows():
    ds = table().shuffle(seed=5)
    ids = ds["id"][:]
    added = arrow.with_column(ds, "cluster", np.arange(10), ClassLabel(num_classes=12))
    assert added["id"][:] == ids
    assert added["cluster"][:] == list(range(10))
    assert added.features["label"] == ds.features["label"]
    assert added.features["cluster"].num_classes == 12
    assert "cluster" not in ds.column_names


def test_with_column_replaces_in_place_and_takes_the_new_type():
    ds = table().select([4, 2])
    replaced = arrow.with_column(ds, "label", ["x", "y"])
    assert replaced.column_names == ds.column_names
    assert replaced["label"][:] == ["x", "y"]
    assert replaced.features["label"] == Value("string")
    assert ds["label"][:] == [1, 2]


def test_with_column_takes_arrays_lists_and_arrow():
    ds = table(2)
    for values, expected in [
        (np.float32([[1, 2], [3, 4]]).T, [[1, 3], [2, 4]]),  # not contiguous
        ([None, "x"], [None, "x"]),
        (pa.array([1, None], pa.int32()), [1, None]),
    ]:
        assert arrow.with_column(ds, "new", values)["new"][:] == expected
    assert arrow.with_column(ds, "new", pa.array([1, None], pa.int32())).features["new"] == Value("int32")


def test_rows_are_taken_in_order_with_no_mapping_left():
    ds = table().shuffle(seed=2)
    taken = arrow.rows(ds, np.array([3, 0, 3]))
    assert taken["id"][:] == [ds["id"][3], ds["id"][0], ds["id"][3]]
    assert taken.features == ds.features
    assert taken._indices is None
    assert len(arrow.rows(ds, [])) == 0


def test_conform_gives_exactly_the_released_columns():
    ds = schema.conform(table().shuffle(seed=1), NAMES)
    assert ds.features == schema.features(NAMES)
    assert sorted(ds["id"][:]) == sorted(table()["id"][:])
    assert {row["id"]: row["label"] for row in ds} == {row["id"]: row["label"] for row in table()}
    assert set(ds["parent_id"][:]) == set(ds["votes"][:]) == {None}


def test_conform_keeps_provenance_and_is_done_once():
    ds = arrow.with_column(table(2), "source", ["r/a", None])
    votes = [[{"annotator": "A1", "label": 2, "seconds": 1.5}], None]
    once = schema.conform(arrow.with_column(ds, "votes", votes), NAMES)
    assert once["source"][:] == ["r/a", None]
    assert once["votes"][:] == votes
    assert schema.conform(once, NAMES).to_dict() == once.to_dict()


def test_conform_needs_id_and_text():
    for column in ("id", "text"):
        with pytest.raises(MissingColumnError, match=f"column '{column}' is missing"):
            schema.conform(table().remove_columns(column), NAMES)


def test_canonical_order_sorts_by_text_whatever_the_order_of_rows():
    for ds in (table(), table().shuffle(seed=9), halves(table())):
        texts = schema.texts(ds)
        assert [texts[i] for i in schema.canonical_order(ds)] == sorted(texts)
    twice = Dataset.from_dict({"text": ["b", "a", "b", "a"]})
    assert schema.canonical_order(twice).tolist() == [1, 3, 0, 2]
    labelled = twice.add_column("label", [1, 0, 0, 0])
    assert schema.canonical_order(labelled).tolist() == [1, 3, 2, 0]


def test_label_names_are_those_of_the_class_label():
    assert schema.label_names(table()) == list(NAMES)
    with pytest.raises(DataError, match=r"'label' is Value, expected ClassLabel: dataset\.cast_column"):
        schema.label_names(Dataset.from_dict({"label": ["harmful"]}))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_by_the_row_as_it_stands_and_by_its_id(bad):
    values = np.ones((5, 3), np.float32)
    values[3, 1] = bad
    ds = arrow.with_column(Dataset.from_dict({"id": list("abcde"), "text": list("edcba")}), "probs", values)
    with pytest.raises(
        DataError, match=r"^column 'probs' row 3 \(id 'd'\) is not finite; remove that row, and make the"
    ):
        arrow.finite(ds, "probs")
    with pytest.raises(DataError, match=r"row 1 \(id 'd'\) is not finite"):
        arrow.finite(ds.select([4, 3]), "probs")
    with pytest.raises(DataError, match=r"row 3 is not finite"):
        arrow.finite(arrow.with_column(ds, "id", ["a post of some words"] * 5), "probs")
    assert np.array_equal(arrow.finite(ds.select([0, 4]), "probs"), np.ones((2, 3)))


def test_large_numbers_whole_ones_and_no_rows_are_finite_and_words_are_no_numbers():
    large = np.full((4, 2), 3e38, np.float32)  # whose squares are not
    assert np.array_equal(arrow.finite(arrow.with_column(table(4), "probs", large), "probs"), large)
    assert arrow.finite(Dataset.from_dict({"cluster": [3, -1]}), "cluster").tolist() == [3, -1]
    assert arrow.finite(arrow.with_column(table(4), "probs", large).select([]), "probs").shape == (0, 2)
    with pytest.raises(DataError, match=r"column 'probs' is not numeric; make it again with lea"):
        arrow.finite(Dataset.from_dict({"probs": ["high"]}), "probs")


@pytest.mark.parametrize(
    ("of_pool", "of_labeled", "expected"),
    [(["probs"], [], False), (["probs"], ["embedding"], True), (["cluster"], [], True), ([], ["probs"], False)],
)
def test_the_encoder_is_needed_for_columns_of_the_pool_or_of_the_labelled_rows(of_pool, of_labeled, expected):
    chosen_by = strategy.needs(*of_pool, labeled=of_labeled)(lambda pool, n: pool)
    assert strategy.needs_encoder(chosen_by) is expected
    assert strategy.needs_encoder(lambda pool, n: pool)  # does not say


def test_needs_marks_the_function_and_leaves_it_as_it_is():
    @strategy.needs("probs", "cluster")
    def mine(pool, n):
        return n

    assert mine.needs == ("probs", "cluster")
    assert mine(None, 3) == 3


# --- Parquet ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("history", HISTORIES)
def test_a_table_comes_back_from_parquet_with_its_features(tmp_path, history):
    ds = HISTORIES[history](table())
    write_parquet(tmp_path / "t.parquet", ds)
    back = read_parquet(tmp_path / "t.parquet")
    assert back.features == ds.features
    assert back.to_dict() == ds.with_format(None).to_dict()
    released = schema.conform(ds, NAMES)
    write_parquet(tmp_path / "r.parquet", released)
    assert read_parquet(tmp_path / "r.parquet").to_dict() == released.to_dict()


def test_load_dataset_reads_the_parquet_with_its_class_label(tmp_path):
    write_parquet(tmp_path / "t.parquet", schema.conform(table().shuffle(seed=4), NAMES))
    loaded = load_dataset("parquet", data_files=str(tmp_path / "t.parquet"), cache_dir=str(tmp_path / "c"))["train"]
    assert loaded.features == schema.features(NAMES)
    assert loaded.to_dict() == read_parquet(tmp_path / "t.parquet").to_dict()


def test_the_same_rows_give_the_same_bytes_whatever_their_history(tmp_path):
    count = 60_000  # enough for the pages of the file to follow the chunks of a table, were they not combined
    rng = np.random.default_rng(0)
    ds = arrow.with_column(table(count), "text", [rng.bytes(20).hex() for _ in range(count)])
    order = rng.permutation(count)
    thirds = [ds.select(range(20_000)), ds.select(range(20_000, 20_001)), ds.select(range(20_001, count))]
    backwards = range(count - 1, -1, -1)
    write_parquet(tmp_path / "plain", ds)
    same = {
        "three chunks": concatenate_datasets(thirds),
        "selected": ds.select(backwards).select(backwards),
        "shuffled and back": ds.select(order).select(np.argsort(order)),
        "taken": arrow.rows(ds, np.arange(count)),
        "written and read": read_parquet(tmp_path / "plain"),
    }
    for name, version in same.items():
        write_parquet(tmp_path / name, version)
        assert (tmp_path / name).read_bytes() == (tmp_path / "plain").read_bytes(), name


def test_nothing_outside_data_reads_or_builds_an_arrow_table():
    source = Path(schema.__file__).parents[1]
    outside = [path for path in source.rglob("*.py") if path.relative_to(source).parts[0] != "data"]
    assert len(outside) > 100
    reading = re.compile(r"^\s*(import|from) pyarrow|with_format\(|\bto_table\(|\bfrom_table\(", re.MULTILINE)
    assert [path.name for path in outside if reading.search(path.read_text(encoding="utf-8"))] == []
