"""Neighbours are those of the matrix of all distances, which is never made."""

import tracemalloc

import numpy as np
import pytest
from choosing import distances, labeled, pool_of, some_pool
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.acquire.neighbours import distance_to_other_group, nearest, neighbours_within
from rarecase.acquire.probcover import probcover
from rarecase.acquire.typiclust import typiclust
from rarecase.data.arrow import with_column


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_neighbours_are_those_of_the_matrix_of_all_distances(count, other_count, seed):
    rng = np.random.default_rng(seed)
    points, others = (rng.normal(size=(n, 3)).astype(np.float32) for n in (count, other_count))
    far, k = distances(points, others), int(rng.integers(1, other_count + 1))
    assert nearest(points, others, k)[0] == pytest.approx(np.sort(far, axis=1)[:, :k], abs=1e-5)
    assert nearest(points, others, k)[1].tolist() == np.argsort(far, axis=1)[:, :k].tolist()
    radius = float(np.quantile(far, 0.4)) * 1.0001
    assert neighbours_within(points, others, radius).tolist() == (far <= radius).sum(axis=1).tolist()
    group, some = rng.integers(3, size=count), rng.integers(count, size=5)
    own = distances(points, points)
    expected = [min([own[i, j] for j in range(count) if group[j] != group[i]], default=np.inf) for i in some]
    assert distance_to_other_group(points, group, some) == pytest.approx(expected, abs=1e-5)


def test_a_row_is_within_any_radius_of_itself_and_of_its_repetition():
    points = np.random.default_rng(0).normal(size=(5000, 40)).astype(np.float32)
    assert neighbours_within(points, points, 0.0).tolist() == [1] * 5000
    assert neighbours_within(points, np.repeat(points, 2, axis=0), 0.0).tolist() == [2] * 5000
    assert neighbours_within(points[:5], points, 1e30).tolist() == [5000] * 5


def test_no_matrix_of_all_rows_times_all_rows_is_made():
    """20,000 rows: such a matrix would take 1,600 MB."""
    points = np.random.default_rng(0).normal(size=(20_000, 4)).astype(np.float32)
    known = labeled(some_pool(30))
    known = with_column(known, "embedding", points[:30])
    for strategy in (probcover, typiclust):
        tracemalloc.start()
        strategy(pool_of(points), 20, labeled=known)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 60e6
