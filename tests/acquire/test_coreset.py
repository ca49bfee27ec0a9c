"""Greedy k-center picks what the textbook loop picks, ties included, and knows how far each pick was."""

from unittest.mock import patch

import numpy as np
import pytest
from choosing import choose, scramble, some_pool
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.acquire import coreset as module
from rarecase.acquire.coreset import BLOCK, coreset, k_center
from rarecase.core.errors import MissingColumnError
from rarecase.data.arrow import with_column


def textbook(vectors: np.ndarray, n: int, centres: np.ndarray | None = None) -> tuple[list[int], np.ndarray]:
    """Algorithm 1 of Sener and Savarese (2018), every distance brought up to date after every pick."""
    x = vectors.astype(np.float64)

    def distance_to(centre: np.ndarray) -> np.ndarray:
        return np.linalg.norm(x - centre, axis=1)

    if centres is None or not len(centres):
        nearest = distance_to(x.mean(axis=0))
        from_centres = False
    else:
        nearest = np.min([distance_to(centre) for centre in centres.astype(np.float64)], axis=0)
        from_centres = True
    picks, distances = [], []
    for _ in range(n):
        nearest[picks] = -1
        pick = int(np.argmax(nearest))
        picks.append(pick)
        distances.append(nearest[pick])
        nearest = np.minimum(nearest, distance_to(x[pick])) if from_centres else distance_to(x[pick])
        from_centres = True
    return picks, np.array(distances)


def random_vectors(rows: int, dim: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(rows).normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def clustered_vectors(rows: int, dim: int = 16) -> np.ndarray:
    """Tight groups of very different sizes: after a pick in each, few rows are near the top."""
    rng = np.random.default_rng(rows)
    centres = rng.normal(size=(12, dim))
    group = rng.geometric(0.3, size=rows).clip(max=12) - 1
    return (centres[group] + 0.05 * rng.normal(size=(rows, dim))).astype(np.float32)


def outlying_vectors(rows: int, dim: int = 16) -> np.ndarray:
    """Nearly all rows close together, a few far away: the bounds hardly ever help."""
    rng = np.random.default_rng(rows)
    return (rng.normal(size=(rows, dim)) * rng.pareto(2, size=(rows, 1))).astype(np.float32)


@pytest.mark.parametrize("make", [random_vectors, clustered_vectors, outlying_vectors])
@pytest.mark.parametrize("labelled", [0, 1, 150])
@pytest.mark.parametrize(("rows", "n"), [(40, 40), (700, 1), (700, 60), (5 * BLOCK, 100)])
def test_the_picks_and_distances_are_those_of_the_textbook_loop(make, labelled, rows, n):
    vectors = make(rows)
    centres = make(151)[:labelled]
    picks, distances = k_center(vectors, n, centres if labelled else None)
    expected, far = textbook(vectors, n, centres)
    assert picks.tolist() == expected
    assert distances == pytest.approx(far, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("labelled", [0, 5])
def test_rows_that_stand_several_times_are_picked_once_before_any_repeat(labelled):
    distinct = clustered_vectors(60)
    place = np.random.default_rng(1).permutation(np.repeat(np.arange(60), 30))
    vectors, centres = distinct[place], random_vectors(5) if labelled else None
    picks, distances = k_center(vectors, 90, centres)
    expected, far = textbook(vectors, 90, centres)
    # Which of equal rows is a matter of the last bit: a product may round otherwise at the end of a block.
    assert place[picks[:60]].tolist() == place[expected[:60]].tolist()
    assert len(set(place[picks[:60]])) == 60
    assert len(set(picks)) == 90
    assert distances == pytest.approx(far, abs=5e-3)  # of a repeat: 0, up to what float32 loses in squaring


@pytest.mark.parametrize("rows", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_ties_of_more_rows_than_a_block_go_to_the_earlier_row(rows):
    """Unit vectors along as many axes: all as far from each other, so the picks go from the first row on."""
    assert k_center(np.eye(rows, dtype=np.float32), 20)[0].tolist() == list(range(20))
    same = np.ones((rows, 4), np.float32)
    picks, distances = k_center(same, 30)
    assert picks.tolist() == list(range(30))
    assert not distances[1:].any()


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_with_exact_arithmetic_even_ties_agree(data):
    """Small whole numbers, and a power of two of rows so that their mean is exact too: float32 rounds nothing."""
    rows, dim = 2 ** data.draw(st.integers(0, 5)), data.draw(st.integers(1, 3))
    value = st.integers(-3, 3)

    def draw_vectors(count: int) -> np.ndarray:
        flat = data.draw(st.lists(value, min_size=count * dim, max_size=count * dim))
        return np.array(flat, np.float32).reshape(count, dim)

    vectors, centres = draw_vectors(rows), draw_vectors(data.draw(st.integers(0, 3)))
    n = data.draw(st.integers(1, rows))
    with patch.object(module, "BLOCK", data.draw(st.sampled_from([1, 2, 5, BLOCK]))):  # small: most bounds stay old
        picks, distances = k_center(vectors, n, centres)
    expected, far = textbook(vectors, n, centres)
    assert picks.tolist() == expected
    assert distances == pytest.approx(far, rel=1e-6)


def test_the_vectors_stay_as_they_are_and_any_layout_will_do():
    vectors = random_vectors(300).astype(np.float64).T.copy().T
    before = vectors.copy()
    assert k_center(vectors, 10)[0].tolist() == k_center(vectors.astype(np.float32), 10)[0].tolist()
    assert np.array_equal(vectors, before)


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
