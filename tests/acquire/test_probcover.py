"""ProbCover by the formula of its paper, computed plainly."""

import numpy as np
import pytest
from choosing import distances, groups, labeled, make_pool, pool_of, some_labeled, some_pool
from datasets import ClassLabel

from rarecase.acquire import probcover as module
from rarecase.acquire.clusters import k_means
from rarecase.acquire.probcover import covering_radius, probcover
from rarecase.core import randomness
from rarecase.core.errors import ConfigError
from rarecase.data.arrow import rows, with_column
from rarecase.data.schema import canonical_order


def slow_cover(texts: np.ndarray, known: np.ndarray, n: int, delta: float) -> tuple[list[int], list[int]]:
    """Algorithm 1 of Yehuda et al. (2022) on the graph of all pairs within delta."""
    near = distances(texts, texts) <= delta
    uncovered = ~(distances(texts, known) <= delta).any(axis=1)
    picks, covers = [], []
    for _ in range(n):
        gain = (near & uncovered).sum(axis=1)
        gain[picks] = -1
        picks.append(int(np.argmax(gain)))
        covers.append(int(gain[picks[-1]]))
        uncovered &= ~near[picks[-1]]
    return picks, covers


@pytest.mark.parametrize("known", [0, 9])
@pytest.mark.parametrize("seed", range(3))
def test_probcover_is_the_greedy_cover_of_the_paper(known, seed, monkeypatch):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(200 + known, 2)).astype(np.float32)
    pool, order = pool_of(vectors[:200], seed), canonical_order(pool_of(vectors[:200], seed))
    table = some_labeled(max(known, 1)).select(range(known))
    table = with_column(table, "embedding", vectors[200:] if known else np.zeros((0, 2), np.float32))
    monkeypatch.setattr(module, "covering_radius", lambda *_: 0.3)
    chosen = probcover(pool, 40, labeled=table)
    picks, covers = slow_cover(vectors[:200][order], vectors[200:], 40, 0.3)
    assert chosen["id"][:] == [f"p{order[pick]}" for pick in picks]
    assert chosen["score"][:] == covers


def test_delta_is_the_largest_radius_at_which_95_percent_of_the_balls_are_pure():
    vectors = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    delta = covering_radius(vectors, 4, seed=1)
    pseudo, far = k_means(vectors, 4, randomness.integer(1, "probcover")), distances(vectors, vectors)

    def purity(radius: float) -> float:
        return np.mean([(pseudo[far[i] <= radius] == pseudo[i]).all() for i in range(300)])

    assert purity(delta * (1 - 1e-5)) >= 0.95
    assert purity(delta * (1 + 1e-5)) < 0.95


def test_delta_of_many_texts_is_estimated_on_some(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32)
    exact = covering_radius(vectors, 3, seed=0)
    monkeypatch.setattr(module, "BALLS", 300)
    assert covering_radius(vectors, 3, seed=0) == pytest.approx(exact, rel=0.4)
    assert covering_radius(vectors, 3, seed=0) != exact


def test_the_regions_are_covered_the_largest_first(monkeypatch):
    monkeypatch.setattr(module, "covering_radius", lambda *_: 15.0)
    _, vectors = groups([30, 20, 40, 10], apart=30)
    pool = pool_of(vectors)
    chosen = probcover(pool, 4, labeled=labeled(make_pool(np.full((1, 4), 0.25), np.zeros(1))).select([]))
    assert sorted(chosen["score"][:], reverse=True) == chosen["score"][:] == [40, 30, 20, 10]


@pytest.mark.parametrize(
    ("vectors", "classes"),
    [(np.random.default_rng(0).normal(size=(50, 3)), 1), (np.ones((50, 3)), 4), (np.ones((1, 3)), 4)],
    ids=["one class", "one vector", "one text"],
)
@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_a_single_pseudo_label_makes_every_ball_pure(vectors, classes):
    if classes == 1:
        assert 1e30 < covering_radius(vectors.astype(np.float32), classes, seed=0) < np.inf
    n = min(3, len(vectors))
    known = with_column(some_labeled(2), "embedding", vectors[[0, 0]].astype(np.float32))
    known = with_column(known, "label", [0, 0], ClassLabel(num_classes=classes))
    assert probcover(pool_of(vectors), n, labeled=known.select([]))["score"][:] == [len(vectors), 0, 0][:n]
    assert probcover(pool_of(vectors), n, labeled=known)["score"][:] == [0] * n


def test_nothing_says_how_many_classes_there_are():
    for known in (None, some_pool(5)):
        with pytest.raises(ConfigError, match="probcover: the number of classes is unknown; give labeled"):
            probcover(some_pool(), 5, labeled=known)


def test_what_is_covered_by_a_label_is_not_covered_again(monkeypatch):
    monkeypatch.setattr(module, "covering_radius", lambda *_: 15.0)
    _, vectors = groups([30, 20, 40], apart=30)
    known = with_column(some_labeled(1), "embedding", vectors[[75]].astype(np.float32))
    chosen = probcover(pool_of(vectors), 2, labeled=known)
    assert chosen["score"][:] == [30, 20]


def test_repeated_texts_are_chosen_once_each_and_last():
    vectors = np.repeat(np.random.default_rng(0).normal(size=(12, 3)), 3, axis=0)
    known = rows(some_labeled(), [])
    chosen = probcover(pool_of(vectors), 36, labeled=with_column(known, "embedding", np.zeros((0, 3), np.float32)))
    assert len(set(chosen["id"][:])) == 36
    assert sum(chosen["score"][:]) == 36
