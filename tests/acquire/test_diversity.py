"""TypiClust and ProbCover by the formulas of their papers, computed plainly."""

import tracemalloc

import numpy as np
import pytest
from choosing import choose, labeled, make_pool, some_labeled, some_pool
from datasets import ClassLabel, Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.acquire import diversity
from rarecase.acquire.clusters import k_means
from rarecase.acquire.diversity import covering_radius, probcover, typiclust
from rarecase.acquire.neighbours import distance_to_other_group, nearest, neighbours_within
from rarecase.core import randomness
from rarecase.core.errors import ConfigError
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.data.schema import canonical_order


def pool_of(vectors: np.ndarray, seed: int = 0) -> Dataset:
    pool = make_pool(np.full((len(vectors), 3), 1 / 3), np.zeros(len(vectors)), seed=seed)
    return with_column(pool, "embedding", vectors.astype(np.float32))


def groups(sizes: list[int], apart: float = 100.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points around corners far from each other, and the group of each."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return group, apart * np.eye(len(sizes))[group] + np.random.default_rng(seed).normal(size=(len(group), len(sizes)))


def distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None].astype(np.float64) - others[None].astype(np.float64), axis=2)


# --- neighbours ------------------------------------------------------------------------------------------------------


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


# --- typiclust -------------------------------------------------------------------------------------------------------


def slow_typiclust(pool: Dataset, n: int, known: Dataset | None, seed: int) -> list[str]:
    """Algorithm 1 of Hacohen et al. (2022), with the same k-means."""
    order = canonical_order(pool)
    texts, x = np.array(pool["text"][:])[order], matrix(pool, "embedding")[order]
    y = matrix(known, "embedding")[canonical_order(known)] if known else x[:0]
    m = len(y) + n
    with pytest.MonkeyPatch.context() as patch:
        found = []
        patch.setattr(diversity, "k_means", lambda *args: found.append(k_means(*args)) or found[-1])
        typiclust(pool, n, labeled=known, seed=seed)
    region, own = found[0][: len(x)], found[0][len(x) :]
    labels, size = np.bincount(own, minlength=m), np.bincount(found[0], minlength=m)

    picks: list[int] = []

    def typicality(i: int) -> float:
        members = [j for j in np.flatnonzero(region == region[i]) if j not in picks]
        far = np.sort(np.linalg.norm(x[members].astype(float) - x[i], axis=1))[1 : 1 + min(20, len(members) // 2)]
        return 1 / (far.mean() + 1e-5) if len(far) else 0

    while len(picks) < n:
        left = [i for i in range(len(x)) if i not in picks]
        first = min({region[i] for i in left}, key=lambda c: (size[c] <= 5, labels[c], -size[c], c))
        picks.append(max((i for i in left if region[i] == first), key=typicality))
        labels[first] += 1
    return texts[picks].tolist()


@pytest.mark.parametrize("known", [None, some_labeled(7)])
@pytest.mark.parametrize("n", [12, 150])  # the second uses every cluster up
def test_typiclust_is_the_obvious_algorithm(n, known):
    pool = some_pool(150)
    assert choose(typiclust, pool, n, labeled=known, seed=2) == slow_typiclust(pool, n, known, 2)


def test_the_most_typical_text_of_each_region_comes_the_largest_region_first():
    group, vectors = groups([30, 20, 40])
    pool = pool_of(vectors)
    chosen = typiclust(pool, 3)
    picked = [int(id_[1:]) for id_ in chosen["id"][:]]
    assert group[picked].tolist() == [2, 0, 1]
    for pick in picked:
        own = np.flatnonzero(group == group[pick])
        k = min(20, len(own) // 2)
        mean = np.sort(distances(vectors[own], vectors[own]), axis=1)[:, 1 : k + 1].mean(axis=1)
        assert pick == own[np.argmin(mean)]
    assert chosen["score"][0] == pytest.approx(1 / mean_to_neighbours(vectors[group == 2]), rel=1e-3)


def mean_to_neighbours(points: np.ndarray) -> float:
    return np.sort(distances(points, points), axis=1)[:, 1:21].mean(axis=1).min()


def test_a_region_with_a_label_waits_until_every_other_has_one():
    group, vectors = groups([30, 20, 40])
    known = with_column(labeled(some_pool(1)), "embedding", vectors[[70]].astype(np.float32))  # of the largest
    picked = [int(id_[1:]) for id_ in typiclust(pool_of(vectors), 2, labeled=known)["id"][:]]
    assert group[picked].tolist() == [0, 1]


@pytest.mark.parametrize("n", [5, 20, 60])
def test_outliers_are_not_typical(n):
    rng = np.random.default_rng(0)
    far = 100 * np.linalg.qr(rng.normal(size=(10, 10)))[0]
    chosen = typiclust(pool_of(np.concatenate([rng.normal(size=(1000, 10)), far])), n)
    assert max(int(id_[1:]) for id_ in chosen["id"][:]) < 1000


def test_a_text_without_a_neighbour_is_not_typical_and_one_among_its_like_is_as_typical_as_can_be():
    alone = typiclust(pool_of(100 * np.eye(3)), 3)
    assert alone["score"][:] == [0, 0, 0]
    same = typiclust(pool_of(np.ones((8, 3))), 1)
    assert same["score"][0] == pytest.approx(1e5, rel=0.01)


def test_more_labels_than_the_cap_on_clusters_still_gives_n_different_texts(monkeypatch):
    monkeypatch.setattr(diversity, "MOST_CLUSTERS", 4)
    chosen = choose(typiclust, some_pool(60), 25, labeled=some_labeled())
    assert len(set(chosen)) == 25


# --- probcover -------------------------------------------------------------------------------------------------------


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
    monkeypatch.setattr(diversity, "covering_radius", lambda *_: 0.3)
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
    monkeypatch.setattr(diversity, "BALLS", 300)
    assert covering_radius(vectors, 3, seed=0) == pytest.approx(exact, rel=0.4)
    assert covering_radius(vectors, 3, seed=0) != exact


def test_the_regions_are_covered_the_largest_first(monkeypatch):
    monkeypatch.setattr(diversity, "covering_radius", lambda *_: 15.0)
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
        with pytest.raises(ConfigError, match="probcover: nothing says how many classes there are; give labeled"):
            probcover(some_pool(), 5, labeled=known)


def test_what_is_covered_by_a_label_is_not_covered_again(monkeypatch):
    monkeypatch.setattr(diversity, "covering_radius", lambda *_: 15.0)
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
