"""The regions of the pool, assigned by the seed and the texts alone; Algorithm 1 by an obvious reference."""

import warnings

import numpy as np
import pytest
from choosing import choose, make_pool, pools, some_pool
from datasets import ClassLabel, Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.acquire.clusters import assign_clusters, cluster
from rarecase.acquire.selection import rank_within
from rarecase.acquire.uncertainty import entropy, entropy_of
from rarecase.core.errors import ConfigError, DataError, MissingColumnError
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.data.schema import texts


def embedded(count: int = 300) -> Dataset:
    rng = np.random.default_rng(0)
    ds = Dataset.from_dict({"id": [str(i) for i in range(count)], "text": [f"walk {i:03d}" for i in range(count)]})
    return with_column(ds, "embedding", rng.normal(size=(count, 8)).astype(np.float32))


def by_text(ds: Dataset) -> dict[str, int]:
    return dict(zip(texts(ds), matrix(ds, "cluster").tolist(), strict=True))


def test_the_seed_decides():
    first = by_text(assign_clusters(embedded(), 7, seed=1))
    assert first == by_text(assign_clusters(embedded(), 7, seed=1))
    assert first != by_text(assign_clusters(embedded(), 7, seed=2))


def test_neither_the_order_of_rows_nor_ids_nor_other_columns_change_anything():
    ds = embedded()
    scrambled = rows(ds, np.random.default_rng(5).permutation(len(ds)))
    scrambled = with_column(scrambled, "id", [f"x{i}" for i in range(len(ds))])
    scrambled = with_column(scrambled, "source", ["r/a", "r/b", "r/c"] * 100)
    assert by_text(assign_clusters(scrambled, 7, seed=3)) == by_text(assign_clusters(ds, 7, seed=3))


def test_rows_keep_their_order_and_every_region_is_a_class_of_m():
    ds = embedded().shuffle(seed=2)
    assigned = assign_clusters(ds, 7)
    assert assigned["id"][:] == ds["id"][:]
    assert assigned.column_names == [*ds.column_names, "cluster"]
    assert assigned.features["cluster"] == ClassLabel(num_classes=7)
    assert set(matrix(assigned, "cluster")) <= set(range(7))
    assert rows(assigned, [0]).features["cluster"].num_classes == 7


def test_texts_that_are_close_share_a_region():
    ds = embedded(90)
    group = np.arange(90) % 3
    centres = 10 * np.eye(8, dtype=np.float32)[group]
    assigned = assign_clusters(with_column(ds, "embedding", centres + matrix(ds, "embedding") / 10), 3)
    found = matrix(assigned, "cluster")
    assert len({(g, c) for g, c in zip(group, found, strict=True)}) == 3


@pytest.mark.parametrize("m", [1, 300])
def test_one_region_and_as_many_as_texts_are_possible(m):
    assert len(set(by_text(assign_clusters(embedded(), m)).values())) in range(1, m + 1)


@pytest.mark.parametrize("m", [0, -1, 301])
def test_m_out_of_range_names_the_flag(m):
    with pytest.raises(
        ConfigError, match=rf"clusters = {m}: expected from 1 to the 300 rows of the pool \(--clusters"
    ):
        assign_clusters(embedded(), m)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_a_data_error(value):
    vectors = matrix(embedded(), "embedding").copy()
    vectors[7, 3] = value
    with pytest.raises(DataError, match=r"'embedding' row 7 \(id '7'\) is not finite; remove that row, and"):
        assign_clusters(with_column(embedded(), "embedding", vectors), 7)


def test_a_pool_that_was_not_embedded_is_told_how():
    with pytest.raises(MissingColumnError, match=r"rarecase\.embed\(dataset, encoder\)"):
        assign_clusters(embedded().remove_columns("embedding"), 7)


def slow_cluster(pool: Dataset, n: int, m: int) -> list[str]:
    """Algorithm 1 in the obvious way: each region's share, then the most entropic unchosen of all."""
    by_entropy = sorted(pool, key=lambda row: (-entropy_of(np.float32([row["probs"]]))[0], row["text"]))
    shares = {row["text"] for c in range(m) for row in [r for r in by_entropy if r["cluster"] == c][: n // m]}
    first = [row["text"] for row in by_entropy if row["text"] in shares]
    rest = [row["text"] for row in by_entropy if row["text"] not in shares]
    return (first + rest)[:n]


@settings(deadline=None, max_examples=120)
@given(world=pools(), data=st.data())
def test_cluster_is_the_obvious_algorithm(world, data):
    pool, _ = world
    n = data.draw(st.integers(1, len(pool)))
    assert choose(cluster, pool, n) == slow_cluster(pool, n, pool.features["cluster"].num_classes)


def test_every_region_gives_its_share_of_its_most_entropic_texts_and_the_rest_follows():
    pool = some_pool(200, m=6)
    chosen = cluster(pool, 20)
    region, score = matrix(chosen, "cluster"), matrix(chosen, "score")
    shares, rest = region[:18], chosen["text"][18:]
    assert np.bincount(shares, minlength=6).tolist() == [3] * 6
    for c in range(6):
        own = np.sort(entropy_of(matrix(pool, "probs"))[matrix(pool, "cluster") == c])[::-1]
        assert score[:18][shares == c] == pytest.approx(own[:3])
    left = [text for text in choose(entropy, pool, 200) if text not in chosen["text"][:18]]
    assert rest == left[:2]


def test_the_share_of_a_region_that_runs_empty_goes_to_the_most_entropic_of_the_whole_pool():
    region = np.array([0, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    certain = np.array([0.9, 0.9, 0.8, 0.7, 0.95, 0.5, 0.51, 0.52, 0.53, 0.54])
    pool = make_pool(np.stack([certain, 1 - certain], 1), region, m=3)
    assert sorted(cluster(pool, 6)["id"][:5]) == ["p0", "p2", "p3", "p5", "p6"]  # two each, one of region 0
    assert cluster(pool, 6)["id"][5] == "p7"


def test_a_region_that_has_vanished_does_not_raise_the_share_of_the_others():
    pool = assign_clusters(some_pool(120), 4, seed=0)
    left = rows(pool, np.flatnonzero(matrix(pool, "cluster") != 2))
    chosen = cluster(left, 12)
    assert np.bincount(matrix(chosen, "cluster")[:9], minlength=4).tolist() == [3, 3, 0, 3]
    assert chosen["text"][:] == slow_cluster(left, 12, 4)


def test_a_plain_column_of_regions_will_do():
    pool = some_pool(60, m=3)
    plain = with_column(pool, "cluster", matrix(pool, "cluster") * 100 - 7)
    assert choose(cluster, plain, 10) == choose(cluster, pool, 10)


def test_more_regions_than_texts_warns_and_is_plain_entropy():
    pool = some_pool(60, m=8)
    with pytest.warns(UserWarning, match=r"8 clusters for 7 texts: no cluster gets a share, this is plain entropy"):
        chosen = cluster(pool, 7)
    assert chosen["text"][:] == choose(entropy, pool, 7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cluster(pool, 8)


@given(st.lists(st.integers(0, 4)))
def test_rank_within_counts_the_earlier_rows_of_the_group(group):
    assert rank_within(np.array(group, np.int64)).tolist() == [group[:i].count(g) for i, g in enumerate(group)]
