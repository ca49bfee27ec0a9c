"""What every strategy promises, whatever the table has been through."""

import warnings

import numpy as np
import pytest
from choosing import ALL, choose, pools, scramble, some_labeled, some_pool
from datasets import Dataset, concatenate_datasets
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.acquire.find import find_strategy
from rarecase.core.errors import ConfigError, DataError, MissingColumnError
from rarecase.data.arrow import matrix, rows, with_column

IDS = [strategy.__name__ for strategy in ALL]
every_strategy = pytest.mark.parametrize("strategy", ALL, ids=IDS)


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
    "rare_first": (("embedding", "similarity", "probs"), ("embedding",)),
    "anchors-entropy": (("probs", "embedding"), ("embedding",)),
    "anchors-badge": (("probs", "features", "embedding"), ("embedding",)),
}
CALL = r"make (it|the column again) with (rarecase\.(embed|assign_clusters|compare)|learner\.(score|sample))\(dataset"


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
    with pytest.raises(ConfigError, match=f"{name}: needs labelled rows, and there are none"):
        find_strategy(name)(some_pool(), 9, labeled=known)


def test_scores_stand_in_the_column_score_and_random_has_none():
    pool = some_pool()
    for strategy in ALL:
        looks = strategy.__name__ in ("rare", "rare_first")
        added = ["score", "sought"] if looks else [] if strategy.__name__ == "random" else ["score"]
        assert strategy(pool, 9, labeled=some_labeled()).column_names == [*pool.column_names, *added]
