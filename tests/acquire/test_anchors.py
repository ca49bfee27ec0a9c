"""AnchorAL by the steps of its paper, computed plainly; whatever strategy is inside sees only the subpool."""

import numpy as np
import pytest
from choosing import choose, some_labeled, some_pool
from datasets import ClassLabel, Dataset

from rarecase.acquire.anchors import anchor_rows, anchors, subpool
from rarecase.acquire.random import random
from rarecase.acquire.strategy import name_of, needs
from rarecase.acquire.uncertainty import entropy, margin
from rarecase.data.arrow import matrix, rows, with_column


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def slow_subpool(texts: np.ndarray, anchors: np.ndarray, k: int, most: int) -> list[int]:
    """Of each anchor its k nearest by cosine; of each of these the mean similarity; the best."""
    similarity = texts.astype(float) @ anchors.astype(float).T
    found: dict[int, list[float]] = {}
    for anchor in range(len(anchors)):
        for row in np.argsort(-similarity[:, anchor])[:k]:
            found.setdefault(int(row), []).append(similarity[row, anchor])
    return sorted(found, key=lambda row: -np.mean(found[row]))[:most]


@pytest.mark.parametrize("most", [1000, 60])
def test_the_subpool_is_the_papers(most):
    rng = np.random.default_rng(0)
    texts, chosen = unit(rng.normal(size=(400, 8))), unit(rng.normal(size=(12, 8)))
    assert subpool(texts, chosen, most, 20).tolist() == slow_subpool(texts, chosen, 50, most)


def test_a_vector_of_length_0_is_like_no_anchor():
    texts = np.float32([[0.3, np.sqrt(0.91)], [0, 0], [1, 0], [-1, 0]])
    assert subpool(texts, np.float32([[1, 0]]), 4, 4).tolist() == [2, 0, 1, 3]


class Seen:
    """A strategy that remembers what it was shown."""

    def __init__(self) -> None:
        self.pool: Dataset | None = None

    def __call__(self, pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
        self.pool = pool
        return random(pool, n, seed=seed)


def shown(pool: Dataset, n: int, known: Dataset, seed: int = 0) -> list[str]:
    inner = Seen()
    anchors(inner)(pool, n, labeled=known, seed=seed)
    return inner.pool["text"][:]


def test_the_anchors_are_ten_of_each_class_far_from_each_other_and_a_class_without_an_example_has_none():
    known = some_labeled(200)  # three of four classes have examples
    places = anchor_rows(known, 0)
    label = matrix(known, "label")[np.argsort(known["text"][:])]
    assert np.bincount(label[places], minlength=4).tolist() == [10, 10, 10, 0]
    assert len(set(places)) == 30
    spread = [nearest_other(known, places), nearest_other(known, np.random.default_rng(0).permutation(200)[:30])]
    assert spread[0] > spread[1]


def nearest_other(known: Dataset, places: np.ndarray) -> float:
    vectors = matrix(known, "embedding")[np.argsort(known["text"][:])]
    label = matrix(known, "label")[np.argsort(known["text"][:])]
    closest = []
    for place in places:
        own = [other for other in places if other != place and label[other] == label[place]]
        closest += [np.linalg.norm(vectors[own] - vectors[place], axis=1).min()] if own else []
    return float(np.mean(closest))


def test_a_class_of_few_examples_is_its_own_anchors():
    known = some_labeled(30)
    label = np.r_[[3, 3], np.zeros(28, np.int64)]
    known = with_column(known, "label", label, ClassLabel(num_classes=4))
    order = np.argsort(known["text"][:])
    assert set(np.flatnonzero(label[order] == 3)) <= set(anchor_rows(known, 0))


def test_repeated_examples_are_anchors_once_while_there_are_others():
    known = rows(some_labeled(12), [*range(12)] * 3)
    known = with_column(known, "label", np.zeros(36, np.int64), ClassLabel(num_classes=2))
    vectors = matrix(known, "embedding")[np.argsort(known["text"][:], kind="stable")]
    assert len(np.unique(vectors[anchor_rows(known, 0)], axis=0)) == 10


def test_only_what_is_near_the_labelled_texts_is_shown():
    near = np.random.default_rng(0).permutation(3000) < 400
    vectors = np.where(near[:, None], [1.0, 0, 0], [-1.0, 0, 0]) + np.random.default_rng(1).normal(size=(3000, 3)) / 5
    pool = with_column(some_pool(3000), "embedding", vectors.astype(np.float32))
    known = some_labeled(30)
    known = with_column(known, "embedding", np.tile(np.float32([1, 0, 0]), (30, 1)) + vectors[:30].astype("f4") / 99)
    inside = set(np.array(pool["text"][:])[near])
    seen = shown(pool, 20, known)
    assert 50 <= len(seen) <= 400
    assert set(seen) <= inside


def test_at_most_a_thousand_are_shown_and_at_least_the_batch():
    pool, known = some_pool(4000), some_labeled(60)
    assert len(shown(pool, 20, known)) == 1000
    assert len(shown(pool, 1500, known)) == 1500
    alone = rows(known, [0])
    assert len(shown(pool, 20, alone)) == 50
    assert len(shown(pool, 50, alone)) == 50
    assert 51 <= len(shown(pool, 51, alone)) <= 100  # twice as many neighbours
    assert len(shown(pool, 3999, alone)) in (3999, 4000)


def test_the_inner_strategy_chooses_and_sees_pool_labelled_texts_and_seed_as_they_are():
    pool, known = some_pool(3000), some_labeled()
    seen = shown(pool, 20, known, seed=4)
    place = {text: row for row, text in enumerate(pool["text"][:])}
    expected = choose(entropy, rows(pool, [place[text] for text in seen]), 20)
    assert choose(anchors(entropy), pool, 20, labeled=known, seed=4) == expected
    assert expected != choose(entropy, pool, 20)
    given = {}

    @needs("probs", labeled=["probs"])
    def curious(pool: Dataset, n: int, **others) -> Dataset:
        given.update(others)
        return rows(pool, range(n))

    anchors(curious)(pool, 3, labeled=known, seed=9)
    assert given == {"labeled": known, "seed": 9}


def test_its_name_and_needs_are_those_of_the_inner_one_and_embedding():
    assert name_of(anchors(margin)) == "anchors-margin"
    assert anchors(margin).needs == ("probs", "embedding")
    assert anchors(margin).needs_labeled == ("embedding",)

    def says_nothing(pool, n, **_): ...

    assert not hasattr(anchors(says_nothing), "needs")
