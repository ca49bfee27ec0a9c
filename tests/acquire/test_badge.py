"""BADGE without its matrix: what the dense gradients would give, to the same picks."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from choosing import choose, make_pool, some_pool
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.acquire import kmeans_plusplus
from rarecase.acquire.badge import Gradients, badge
from rarecase.acquire.kmeans_plusplus import k_means_plus_plus
from rarecase.core import randomness
from rarecase.core.errors import DataError
from rarecase.data.arrow import matrix, with_column
from rarecase.data.schema import canonical_order


def dense(probs: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Algorithm 1 of Ash et al. (2020), line 6: (p_i - 1[i = argmax p]) h, the class after the class."""
    gradients = []
    for p, h in zip(probs.astype(np.float64), features.astype(np.float64), strict=True):
        likeliest = int(np.argmax(p))
        gradients.append(np.concatenate([(p[c] - (c == likeliest)) * h for c in range(len(p))]))
    return np.stack(gradients)


def textbook(gradients: np.ndarray, n: int, first: int, rng: np.random.Generator) -> list[int]:
    """k-means++ with every distance up to date; a draw by D² is the first of exponential clocks of that rate."""
    picks, squared = [first], np.full(len(gradients), np.inf)
    while len(picks) < n:
        squared = np.minimum(squared, ((gradients - gradients[picks[-1]]) ** 2).sum(axis=1))
        speed = squared / rng.exponential(size=len(gradients))
        speed[picks] = -1
        picks.append(int(np.argmax(speed)))
    return picks


def pool_of(rows: int, classes: int = 6, dimensions: int = 32, seed: int = 0):
    rng = np.random.default_rng(seed)
    pool = make_pool(rng.dirichlet(np.full(classes, 0.3), rows), np.zeros(rows), seed=seed)
    return with_column(pool, "features", rng.normal(size=(rows, dimensions)).astype(np.float32))


def in_order(pool):
    order = canonical_order(pool)
    return matrix(pool, "probs")[order], matrix(pool, "features")[order]


def test_inner_products_and_squared_distances_are_the_dense_ones_on_500_rows():
    pool, every = pool_of(500), np.arange(500)
    full = dense(*in_order(pool))
    gradients = Gradients(matrix(pool, "probs"), matrix(pool, "features"), canonical_order(pool))
    assert np.allclose(gradients.products(every, every), full @ full.T, rtol=1e-9, atol=1e-9)
    squared = np.stack([((full - gradient) ** 2).sum(axis=1) for gradient in full])
    assert np.allclose(gradients.squared_distances(every, every), squared, rtol=1e-9, atol=1e-8)
    assert np.allclose(gradients.squared_norms, (full**2).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize(("rows", "classes"), [(60, 2), (500, 6), (1300, 2)])
def test_the_picks_are_those_of_a_dense_k_means_plus_plus_with_the_same_draws(rows, classes):
    pool = pool_of(rows, classes, seed=rows)
    full, texts = dense(*in_order(pool)), sorted(pool["text"][:])
    for seed in range(3):
        first = int(np.argmax((full**2).sum(axis=1)))  # the longest, as in the authors' code
        expected = textbook(full, 50, first, randomness.generator(seed, "badge"))
        assert choose(badge, pool, 50, seed=seed) == [texts[row] for row in expected]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(0, 999), st.sampled_from([1, 2, 7, 512]))
def test_lazy_seeding_is_the_textbook_seeding_at_every_block_size(rows, seed, block):
    points = np.random.default_rng(seed).normal(size=(rows, 3)) ** 3
    with patch.object(kmeans_plusplus, "BLOCK", block):
        picks, squared = k_means_plus_plus(
            lambda some, others: ((points[some, None] - points[None, others]) ** 2).sum(axis=2),
            rows,
            rows,
            0,
            np.random.default_rng(seed),
        )
    assert picks.tolist() == textbook(points, rows, 0, np.random.default_rng(seed))
    nearest = [((points[picks[:i]] - points[picks[i]]) ** 2).sum(axis=1).min() for i in range(1, rows)]
    assert squared[1:] == pytest.approx(nearest)


def test_draws_are_by_the_square_of_the_distance():
    """From 0: 1, 2 and 3 are drawn 1, 4 and 9 times in 14."""
    points = np.arange(4.0)[:, None]
    drawn = [
        k_means_plus_plus(lambda a, b: (points[a] - points[b].T) ** 2, 4, 2, 0, np.random.default_rng(seed))[0][1]
        for seed in range(2000)
    ]
    assert np.bincount(drawn, minlength=4) / 2000 == pytest.approx(np.array([0, 1, 4, 9]) / 14, abs=0.04)


def test_the_gradient_is_taken_at_the_likeliest_class():
    """With -p instead of p - onehot, as a peer has it, the sure row would be the longest and come first."""
    pool = make_pool(np.array([[0.98, 0.01, 0.01], [0.4, 0.35, 0.25]]), np.zeros(2))
    pool = with_column(pool, "features", np.ones((2, 4), np.float32))
    chosen = badge(pool, 2)
    assert chosen["id"][:] == ["p1", "p0"]
    assert chosen["score"][0] == pytest.approx(2 * np.sqrt(0.6**2 + 0.35**2 + 0.25**2))


def test_a_text_that_repeats_a_chosen_one_waits_for_all_others():
    pool = pool_of(20)
    twice = np.repeat(matrix(pool, "probs")[:10], 2, axis=0), np.repeat(matrix(pool, "features")[:10], 2, axis=0)
    pool = with_column(with_column(pool, "probs", twice[0]), "features", twice[1])
    for seed in range(20):
        ids = badge(pool, 20, seed=seed)["id"][:]
        assert len({int(id_[1:]) // 2 for id_ in ids[:10]}) == 10
        assert len(set(ids)) == 20


def test_without_any_doubt_the_batch_goes_by_text():
    pool = make_pool(np.eye(3)[[0, 1, 2, 0, 1]], np.zeros(5))
    assert choose(badge, pool, 4) == ["walk 0000", "walk 0001", "walk 0002", "walk 0003"]


def test_the_seed_decides():
    pool = some_pool(300)
    assert choose(badge, pool, 20, seed=1) != choose(badge, pool, 20, seed=2)
    assert choose(badge, pool, 20, seed=1) == choose(badge, pool, 20, seed=1)


def test_memory_does_not_grow_with_classes_times_dimensions():
    """The dense matrix would take 20,000 x 8 x 256 x 8 bytes, 328 MB; the features alone are 20 MB."""
    pool = pool_of(20_000, classes=8, dimensions=256)
    tracemalloc.start()
    badge(pool, 30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15e6


def test_features_that_are_not_finite_name_their_row():
    pool = some_pool(60)
    features = matrix(pool, "features").copy()
    features[41, 2] = np.nan
    with pytest.raises(
        DataError, match=r"column 'features' row 41 \(id 'p41'\) is not finite; remove that row, and make the"
    ):
        badge(with_column(pool, "features", features), 5)
