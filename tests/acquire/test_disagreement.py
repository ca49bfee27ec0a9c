"""D-CALM by the formula of its paper, computed plainly."""

import numpy as np
import pytest
from choosing import labeled, make_pool
from datasets import ClassLabel

from rarecase.acquire.disagreement import disagreement, shares
from rarecase.acquire.uncertainty import entropy_of
from rarecase.data.arrow import matrix, rows, with_column


def regions_world(errors: list[float], per_region: int = 30):
    """Regions far from each other; the learner gives the labels in region r the probability 1 - errors[r]."""
    m, rng = len(errors), np.random.default_rng(0)
    region = np.repeat(np.arange(m), per_region)
    pool = make_pool(rng.dirichlet(np.ones(3), len(region)), region, m=m)
    centres = 20 * np.eye(m, 6)[region]
    pool = with_column(pool, "embedding", (centres + rng.normal(size=centres.shape)).astype(np.float32))
    known = rows(pool, [r * per_region + i for r in range(m) for i in range(4)])
    probs = np.array([[1 - errors[r], errors[r], 0] for r in matrix(known, "cluster")], np.float32)
    known = with_column(labeled(known), "probs", probs)
    return pool, with_column(known, "label", np.zeros(len(known), np.int64), ClassLabel(num_classes=3))


def test_regions_get_shares_by_the_learners_error_on_their_labelled_texts():
    pool, known = regions_world([0.1, 0.3, 0.6])
    chosen = disagreement(pool, 10, labeled=known)
    assert np.bincount(matrix(chosen, "cluster"), minlength=3).tolist() == [1, 3, 6]
    pool, known = regions_world([0.6, 0.3, 0.1])
    assert np.bincount(matrix(disagreement(pool, 10, labeled=known), "cluster"), minlength=3).tolist() == [6, 3, 1]


def test_a_region_without_a_labelled_text_gets_the_mean_share():
    pool, known = regions_world([0.2, 0.3, 0.1])
    known = rows(known, np.flatnonzero(matrix(known, "cluster") != 1))
    chosen = disagreement(pool, 30, labeled=known)
    assert np.bincount(matrix(chosen, "cluster"), minlength=3).tolist() == [13, 10, 7]  # 0.2 : 0.15 : 0.1


def test_every_part_of_a_region_gives_its_most_entropic_text():
    """Six tight groups in one region, and a share of six: one of each, the most entropic."""
    rng = np.random.default_rng(3)
    group = rng.permutation(np.repeat(np.arange(6), 8))
    pool = make_pool(rng.dirichlet(np.ones(3), 48), np.zeros(48), m=1)
    pool = with_column(pool, "embedding", (50 * np.eye(6)[group] + 0.01 * rng.normal(size=(48, 6))).astype(np.float32))
    uncertainty = entropy_of(matrix(pool, "probs"))
    chosen = disagreement(pool, 6, labeled=labeled(rows(pool, range(5))))
    best = [max(uncertainty[group == g]) for g in range(6)]
    assert chosen["score"][:] == pytest.approx(sorted(best, reverse=True))


def test_where_the_learner_is_right_everywhere_the_shares_are_even():
    pool, known = regions_world([0.0, 0.0, 0.0])
    assert np.bincount(matrix(disagreement(pool, 9, labeled=known), "cluster"), minlength=3).tolist() == [3, 3, 3]


def test_a_probability_that_rounds_to_more_than_one_is_no_error():
    pool, known = regions_world([-1e-7, 0.0, 0.0])
    assert (matrix(known, "probs") > 1).any()
    assert np.bincount(matrix(disagreement(pool, 9, labeled=known), "cluster"), minlength=3).tolist() == [3, 3, 3]


def test_shares_add_up_keep_to_the_sizes_and_hand_on_what_a_small_one_cannot_give():
    assert shares(np.array([0.6, 0.3, 0.1]), np.array([9, 9, 9]), 10).tolist() == [6, 3, 1]
    assert shares(np.array([0.6, 0.3, 0.1]), np.array([2, 9, 9]), 10).tolist() == [2, 6, 2]
    assert shares(np.array([1.0, 0.0]), np.array([3, 9]), 5).tolist() == [3, 2]
    assert shares(np.ones(3), np.array([5, 5, 5]), 4).tolist() == [2, 1, 1]
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = rng.integers(1, 9, size=rng.integers(1, 7))
        n = int(rng.integers(1, size.sum() + 1))
        found = shares(rng.random(len(size)) * rng.integers(2, size=len(size)), size, n)
        assert found.sum() == n
        assert ((found >= 0) & (found <= size)).all()
