"""Entropy, least confidence, margin and BALD are the formulas of their papers, row by row."""

import numpy as np
import pytest
from choosing import choose, make_pool, pools
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.acquire.uncertainty import (
    bald,
    closeness_of,
    entropy,
    entropy_of,
    least_confidence,
    margin,
    mutual_information,
)
from rarecase.core.errors import DataError
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.data.parquet import read_parquet, write_parquet


def gap(p: list[float]) -> float:
    first, second = sorted(p)[:-3:-1]
    return first - second


def information(draws: list[list[float]]) -> float:
    """The sum over draws and classes of p log(p / mean p), another way to write the mutual information."""
    mean = np.mean(draws, axis=0)
    return sum(p * np.log(p / m) for draw in draws for p, m in zip(draw, mean, strict=True) if p > 0) / len(draws)


@pytest.mark.parametrize(
    ("strategy", "column", "formula"),
    [
        (least_confidence, "probs", lambda p: 1 - max(p)),
        (margin, "probs", lambda p: 1 - gap(p)),
        (bald, "mc_probs", information),
    ],
)
@settings(deadline=None, max_examples=40)
@given(world=pools(), data=st.data())
def test_the_n_highest_come_first(strategy, column, formula, world, data):
    pool, _ = world
    n = data.draw(st.integers(1, len(pool)))
    chosen = strategy(pool, n)
    best = sorted((formula(p) for p in pool[column]), reverse=True)[:n]
    assert chosen["score"][:] == pytest.approx(best, abs=1e-6)
    assert chosen["score"][:] == pytest.approx([formula(p) for p in chosen[column]], abs=1e-6)


def test_the_three_measures_and_entropy_part_ways_where_they_should():
    probs = np.array([[0.49, 0.49, 0.02], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05]])
    pool = make_pool(probs, np.zeros(3))
    first = {strategy: strategy(pool, 1)["id"][0] for strategy in (least_confidence, margin, entropy)}
    assert first == {least_confidence: "p1", margin: "p0", entropy: "p1"}


@pytest.mark.parametrize("strategy", [least_confidence, margin, bald])
def test_ties_go_by_text(strategy):
    pool = make_pool(np.full((30, 4), 0.25), np.zeros(30))
    pool = with_column(pool, "mc_probs", np.full((30, 3, 4), 0.25, np.float32))
    assert choose(strategy, pool, 4) == ["walk 0000", "walk 0001", "walk 0002", "walk 0003"]


def test_a_single_class_has_no_second():
    pool = make_pool(np.ones((3, 1)), np.zeros(3))
    assert margin(pool, 3)["score"][:] == [0, 0, 0]


def test_draws_travel_through_files_and_selections():
    draws = np.random.default_rng(0).dirichlet(np.ones(4), size=(9, 3)).astype(np.float32)
    pool = with_column(make_pool(draws[:, 0], np.zeros(9)), "mc_probs", draws)
    assert np.array_equal(matrix(pool, "mc_probs"), draws)
    assert np.array_equal(matrix(pool.select([4, 1]), "mc_probs"), draws[[4, 1]])
    assert np.array_equal(matrix(rows(pool, [8, 0, 8]), "mc_probs"), draws[[8, 0, 8]])
    assert matrix(pool.select([]), "mc_probs").shape == (0, 3, 4)


def test_draws_travel_through_parquet(tmp_path):
    draws = np.random.default_rng(0).dirichlet(np.ones(4), size=(9, 3)).astype(np.float32)
    write_parquet(tmp_path / "pool.parquet", with_column(make_pool(draws[:, 0], np.zeros(9)), "mc_probs", draws))
    assert np.array_equal(matrix(read_parquet(tmp_path / "pool.parquet"), "mc_probs"), draws)


def test_rows_of_different_numbers_of_draws_are_an_error():
    pool = with_column(make_pool(np.full((2, 2), 0.5), np.zeros(2)), "mc_probs", [[[0.5, 0.5]], [[1.0, 0.0]] * 2])
    with pytest.raises(DataError, match="'mc_probs' has rows of 1 and of 2 numbers; expected one length"):
        bald(pool, 1)


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


def test_entropy_is_in_nats_and_a_certain_row_has_none():
    found = entropy_of(np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]], np.float32))
    assert found == pytest.approx([np.log(4), 0, np.log(2)])
    assert not np.signbit(found).any()


def test_closeness_is_one_less_the_gap_and_a_single_class_has_no_second():
    assert closeness_of(np.array([[0.5, 0.2, 0.3], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])) == pytest.approx([0.8, 1, 0])
    assert closeness_of(np.ones((3, 1))).tolist() == [0, 0, 0]


def test_mutual_information_is_where_sure_draws_differ_not_where_all_are_unsure():
    differ, unsure, agree = [[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]], [[1, 0], [1, 0]]
    found = mutual_information(np.array([differ, unsure, agree]))
    assert found == pytest.approx([np.log(2), 0, 0])
    assert (found >= 0).all()
