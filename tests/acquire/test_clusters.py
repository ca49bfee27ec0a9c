"""The regions of the pool: assigned by the seed and the texts alone."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset

from rarecase.acquire.clusters import assign_clusters
from rarecase.core.errors import ConfigError, DataError, MissingColumnError
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.data.schema import texts


def pool(count: int = 300) -> Dataset:
    rng = np.random.default_rng(0)
    ds = Dataset.from_dict({"id": [str(i) for i in range(count)], "text": [f"walk {i:03d}" for i in range(count)]})
    return with_column(ds, "embedding", rng.normal(size=(count, 8)).astype(np.float32))


def by_text(ds: Dataset) -> dict[str, int]:
    return dict(zip(texts(ds), matrix(ds, "cluster").tolist(), strict=True))


def test_the_seed_decides():
    first = by_text(assign_clusters(pool(), 7, seed=1))
    assert first == by_text(assign_clusters(pool(), 7, seed=1))
    assert first != by_text(assign_clusters(pool(), 7, seed=2))


def test_neither_the_order_of_rows_nor_ids_nor_other_columns_change_anything():
    ds = pool()
    scrambled = rows(ds, np.random.default_rng(5).permutation(len(ds)))
    scrambled = with_column(scrambled, "id", [f"x{i}" for i in range(len(ds))])
    scrambled = with_column(scrambled, "source", ["r/a", "r/b", "r/c"] * 100)
    assert by_text(assign_clusters(scrambled, 7, seed=3)) == by_text(assign_clusters(ds, 7, seed=3))


def test_rows_keep_their_order_and_every_region_is_a_class_of_m():
    ds = pool().shuffle(seed=2)
    assigned = assign_clusters(ds, 7)
    assert assigned["id"][:] == ds["id"][:]
    assert assigned.column_names == [*ds.column_names, "cluster"]
    assert assigned.features["cluster"] == ClassLabel(num_classes=7)
    assert set(matrix(assigned, "cluster")) <= set(range(7))
    assert rows(assigned, [0]).features["cluster"].num_classes == 7


def test_texts_that_are_close_share_a_region():
    ds = pool(90)
    group = np.arange(90) % 3
    centres = 10 * np.eye(8, dtype=np.float32)[group]
    assigned = assign_clusters(with_column(ds, "embedding", centres + matrix(ds, "embedding") / 10), 3)
    found = matrix(assigned, "cluster")
    assert len({(g, c) for g, c in zip(group, found, strict=True)}) == 3


@pytest.mark.parametrize("m", [1, 300])
def test_one_region_and_as_many_as_texts_are_possible(m):
    assert len(set(by_text(assign_clusters(pool(), m)).values())) in range(1, m + 1)


@pytest.mark.parametrize("m", [0, -1, 301])
def test_m_out_of_range_names_the_flag(m):
    with pytest.raises(
        ConfigError, match=rf"clusters = {m}: expected from 1 to the 300 rows of the pool \(--clusters"
    ):
        assign_clusters(pool(), m)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_a_data_error(value):
    vectors = matrix(pool(), "embedding").copy()
    vectors[7, 3] = value
    with pytest.raises(DataError, match=r"'embedding' row 7 \(id '7'\) is not finite; leave it out, and"):
        assign_clusters(with_column(pool(), "embedding", vectors), 7)


def test_a_pool_that_was_not_embedded_is_told_how():
    with pytest.raises(MissingColumnError, match=r"rarecase\.embed\(dataset, encoder\)"):
        assign_clusters(pool().remove_columns("embedding"), 7)
