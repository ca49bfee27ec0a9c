"""What every strategy promises, whatever the table has been through; the four of the paper by an obvious reference."""

import warnings

import numpy as np
import pytest
from choosing import ALL, choose, make_pool, pools, scramble, some_labeled, some_pool
from datasets import Dataset, concatenate_datasets
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.acquire.clusters import assign_clusters
from rarecase.acquire.find import find_strategy
from rarecase.acquire.measures import entropy_of
from rarecase.acquire.strategies import cluster, coreset, entropy, random, rank_within
from rarecase.core.errors import ConfigError, DataError, MissingColumnError
from rarecase.data.arrow import matrix, rows, with_column

IDS = [strategy.__name__ for strategy in ALL]
every_strategy = pytest.mark.parametrize("strategy", ALL, ids=IDS)


# --- all ------------------------------------------------------------------------------------------------------------


@every_strategy
@settings(deadline=None, max_examples=15)
@given(world=pools(), data=st.data())
def test_n_different_rows_of_the_pool_come_back_whole_and_the_same_however_it_is_scrambled(strategy, world, data):
    pool, known = world
    n = data.draw(st.integers(1, len(pool)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        chosen = strategy(pool, n, labeled=known, seed=3)
    assert len(set(chosen["text"][:])) == len(chosen) == n
    in_pool = {row["text"]: row for row in pool}
    assert all({c: row[c] for c in pool.column_names} == in_pool[row["text"]] for row in chosen)
    seed = data.draw(st.integers(0, 99))
    assert choose(strategy, scramble(pool, seed), n, labeled=scramble(known, seed), seed=3) == chosen["text"][:]


@every_strategy
@pytest.mark.parametrize("ties", [False, True])
def test_scrambled_real_numbers_change_nothing_either(strategy, ties):
    pool, known = some_pool(400, ties=ties), some_labeled()
    for n in (1, 20, 400):
        chosen = choose(strategy, pool, n, labeled=known, seed=1)
        assert choose(strategy, scramble(pool, 7), n, labeled=scramble(known, 8), seed=1) == chosen


@every_strategy
def test_selected_shuffled_and_concatenated_pools_are_read_as_they_stand(strategy):
    pool, known = some_pool(90), some_labeled()
    expected = choose(strategy, rows(pool, range(60)), 20, labeled=known)
    halves = concatenate_datasets([pool.select(range(30)), pool.select(range(30, 60))])
    for version in (pool.select(range(60)), halves, halves.shuffle(seed=4), pool.shuffle(seed=1).filter(in_first_60)):
        assert choose(strategy, version, 20, labeled=known) == expected
    assert choose(strategy, rows(pool, range(60)), 20, labeled=known.shuffle(seed=2)) == expected


def in_first_60(row: dict) -> bool:
    return int(row["id"][1:]) < 60


@every_strategy
@pytest.mark.parametrize("n", [0, -1, 81])
def test_n_out_of_range_says_what_was_expected(strategy, n):
    with pytest.raises(ConfigError, match=f"n = {n}: expected from 1 to the 80 rows of the pool"):
        strategy(some_pool(), n, labeled=some_labeled())


@every_strategy
def test_the_pool_and_the_labelled_rows_are_left_as_they_were(strategy):
    pool, known = some_pool(), some_labeled()
    before = pool.to_dict(), known.to_dict()
    strategy(pool, 5, labeled=known)
    assert (pool.to_dict(), known.to_dict()) == before


NEEDS = {
    "random": ((), ()),
    "entropy": (("probs",), ()),
    "coreset": (("embedding",), ("embedding",)),
    "cluster": (("cluster", "probs"), ()),
    "least_confidence": (("probs",), ()),
    "margin": (("probs",), ()),
    "bald": (("mc_probs",), ()),
    "badge": (("probs", "features"), ()),
    "contrastive": (("probs", "features"), ("probs", "features")),
    "disagreement": (("cluster", "embedding", "probs"), ("embedding", "probs")),
    "typiclust": (("embedding",), ("embedding",)),
    "probcover": (("embedding",), ("embedding",)),
    "rare": (("embedding", "similarity", "probs"), ("embedding",)),
    "anchors-entropy": (("probs", "embedding"), ("embedding",)),
    "anchors-badge": (("probs", "features", "embedding"), ("embedding",)),
}
CALL = r"make it (with|again with) (rarecase\.(embed|assign_clusters|compare)|learner\.(score|sample))\(dataset"


@every_strategy
def test_a_strategy_says_what_it_needs_reads_nothing_else_and_names_the_call(strategy):
    pool, known = some_pool(), some_labeled()
    needed, needed_of_labeled = NEEDS[strategy.__name__]
    assert (strategy.needs, strategy.needs_labeled) == (needed, needed_of_labeled)
    bare, bare_known = (
        pool.select_columns(["text", *needed]),
        known.select_columns(["text", "label", *needed_of_labeled]),
    )
    assert choose(strategy, bare, 9, labeled=bare_known) == choose(strategy, pool, 9, labeled=known)
    for column in needed:
        with pytest.raises(MissingColumnError, match=f"{column!r} is missing.*{CALL}"):
            strategy(pool.remove_columns(column), 9, labeled=known)
    for column in needed_of_labeled:
        with pytest.raises(MissingColumnError, match=f"{column!r} is missing.*{CALL}"):
            strategy(pool, 9, labeled=known.remove_columns(column))


@every_strategy
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_a_data_error_that_names_its_row(strategy, value):
    pool, known = some_pool(), some_labeled()
    needed, needed_of_labeled = NEEDS[strategy.__name__]
    for column in set(needed) - {"cluster"}:
        shown_a_part = strategy.__name__.startswith("anchors") and column != "embedding"
        row = r"\d+" if shown_a_part else "11"  # as it stands there
        with pytest.raises(DataError, match=rf"column '{column}' row {row} \(id 'p11'\) is not finite.*{CALL}"):
            strategy(spoilt(pool, column, value), 9, labeled=known)
    for column in needed_of_labeled:
        with pytest.raises(DataError, match=rf"column '{column}' row 11 \(id 'l11'\) is not finite.*{CALL}"):
            strategy(pool, 9, labeled=spoilt(known, column, value))


def spoilt(table: Dataset, column: str, value: float) -> Dataset:
    values = matrix(table, column).copy()
    values[11, 1] = value
    return with_column(table, column, values)


@every_strategy
@settings(deadline=None, max_examples=15)
@given(world=pools(), seed=st.integers(0, 99), data=st.data())
def test_equal_texts_with_different_labels_give_the_same_bits_in_any_order(strategy, world, seed, data):
    pool, known = world
    known = rows(known, [*range(len(known))] * 3)
    label = data.draw(st.lists(st.integers(0, 2), min_size=len(known), max_size=len(known)))
    known = with_column(known, "label", label, known.features["label"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        one, other = (strategy(pool, len(pool), labeled=table) for table in (known, scramble(known, seed)))
    assert one.to_dict() == other.to_dict()


@pytest.mark.parametrize("name", ["contrastive", "disagreement", "anchors-entropy"])
@pytest.mark.parametrize("known", [None, some_labeled().select([])])
def test_a_strategy_that_chooses_by_the_labelled_rows_says_so_where_there_are_none(name, known):
    with pytest.raises(ConfigError, match=f"{name}: chooses by the labelled rows, and there are none"):
        find_strategy(name)(some_pool(), 9, labeled=known)


# --- random ----------------------------------------------------------------------------------------------------------


def test_random_follows_its_seed():
    pool = some_pool()
    assert choose(random, pool, 10, seed=1) == choose(random, pool, 10, seed=1)
    assert choose(random, pool, 10, seed=1) != choose(random, pool, 10, seed=2)


def test_random_draws_every_text_equally_often():
    pool = some_pool(20)
    drawn = [text for seed in range(600) for text in choose(random, pool, 5, seed=seed)]
    _, often = np.unique(drawn, return_counts=True)
    assert len(often) == 20
    assert np.abs(often - 150).max() < 50  # 150 expected, standard deviation 10.6


# --- entropy ---------------------------------------------------------------------------------------------------------


def slow_entropy(p: list[float]) -> float:
    return -sum(x * np.log(x) for x in p if x > 0)


@settings(deadline=None, max_examples=60)
@given(world=pools(), data=st.data())
def test_entropy_picks_the_n_highest_most_uncertain_first(world, data):
    pool, _ = world
    n = data.draw(st.integers(1, len(pool)))
    chosen = entropy(pool, n)
    best = sorted((slow_entropy(p) for p in pool["probs"]), reverse=True)[:n]
    assert chosen["score"][:] == pytest.approx(best)
    assert chosen["score"][:] == pytest.approx([slow_entropy(p) for p in chosen["probs"]])


def test_ties_of_entropy_go_by_text():
    pool = make_pool(np.full((30, 4), 0.25), np.zeros(30))
    assert choose(entropy, pool, 4) == ["walk 0000", "walk 0001", "walk 0002", "walk 0003"]


# --- coreset ---------------------------------------------------------------------------------------------------------


def test_coreset_starts_farthest_from_what_is_labelled_else_from_the_mean():
    pool = with_column(some_pool(5), "embedding", np.float32([[0], [1], [2], [3], [9]]))
    ids = dict(zip(pool["text"][:], pool["id"][:], strict=True))

    def picks(n: int, labelled: list[float] | None) -> list[str]:
        known = some_pool(len(labelled), seed=8) if labelled else None
        if labelled:
            known = with_column(known, "embedding", np.float32(labelled)[:, None])
        return [ids[text] for text in choose(coreset, pool, n, labeled=known)]

    assert picks(3, None) == ["p4", "p0", "p3"]
    assert picks(3, [9.0, 3.0]) == ["p0", *sorted(["p1", "p2"], key=lambda i: pool["text"][int(i[1])])]
    scores = coreset(pool, 3)["score"][:]
    assert scores == pytest.approx([6, 9, 3])


def test_the_order_of_the_labelled_texts_changes_nothing():
    pool, labeled = some_pool(200), some_pool(60, seed=5)
    assert choose(coreset, pool, 30, labeled=labeled) == choose(coreset, pool, 30, labeled=scramble(labeled, 3))
    assert choose(coreset, pool, 30, labeled=labeled) != choose(coreset, pool, 30)


def test_coreset_covers_every_region_before_it_returns_to_one():
    region = np.arange(100) % 5
    pool = with_column(some_pool(100), "embedding", (10 * np.eye(5)[region]).astype(np.float32))
    place = {text: row for row, text in enumerate(pool["text"][:])}
    assert len({region[place[text]] for text in choose(coreset, pool, 5)}) == 5


def test_labelled_texts_without_embedding_are_told_how():
    with pytest.raises(MissingColumnError, match=r"rarecase\.embed"):
        coreset(some_pool(), 3, labeled=some_pool().remove_columns("embedding"))


# --- cluster ---------------------------------------------------------------------------------------------------------


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


def test_scores_stand_in_the_column_score_and_random_has_none():
    pool = some_pool()
    for strategy in ALL:
        added = {"random": [], "rare": ["score", "sought"]}.get(strategy.__name__, ["score"])
        assert strategy(pool, 9, labeled=some_labeled()).column_names == [*pool.column_names, *added]


@given(st.lists(st.integers(0, 4)))
def test_rank_within_counts_the_earlier_rows_of_the_group(group):
    assert rank_within(np.array(group, np.int64)).tolist() == [group[:i].count(g) for i, g in enumerate(group)]
