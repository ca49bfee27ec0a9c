"""TypiClust by the formula of its paper, computed plainly."""

import numpy as np
import pytest
from choosing import choose, distances, groups, labeled, pool_of, some_labeled, some_pool
from datasets import Dataset

from rarecase.acquire import typiclust as module
from rarecase.acquire.clusters import k_means
from rarecase.acquire.typiclust import typiclust
from rarecase.data.arrow import matrix, with_column
from rarecase.data.schema import canonical_order


def slow_typiclust(pool: Dataset, n: int, known: Dataset | None, seed: int) -> list[str]:
    """Algorithm 1 of Hacohen et al. (2022), with the same k-means."""
    order = canonical_order(pool)
    texts, x = np.array(pool["text"][:])[order], matrix(pool, "embedding")[order]
    y = matrix(known, "embedding")[canonical_order(known)] if known else x[:0]
    m = len(y) + n
    with pytest.MonkeyPatch.context() as patch:
        found = []
        patch.setattr(module, "k_means", lambda *args: found.append(k_means(*args)) or found[-1])
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
    monkeypatch.setattr(module, "MOST_CLUSTERS", 4)
    chosen = choose(typiclust, some_pool(60), 25, labeled=some_labeled())
    assert len(set(chosen)) == 25
