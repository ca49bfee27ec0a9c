"""CAL by the formula of its paper, computed plainly."""

import numpy as np
import pytest
from choosing import labeled, make_pool, some_labeled, some_pool

from rarecase.acquire.contrastive import contrastive
from rarecase.data.arrow import rows


def slow_contrast(pool, known, k: int = 10) -> dict[str, float]:
    """Algorithm 1 of Margatina et al. (2021): the mean KL(p of the neighbour ‖ p) over labelled neighbours."""

    def unit(row: dict) -> np.ndarray:
        return np.array(row["features"]) / np.linalg.norm(row["features"])

    found = {}
    for row in pool:
        far = [np.linalg.norm(unit(row) - unit(other)) for other in known]
        near = [known[int(i)]["probs"] for i in np.argsort(far)[:k]]
        divergence = [sum(q * np.log(q / p) for q, p in zip(of, row["probs"], strict=True) if q > 0) for of in near]
        found[row["text"]] = float(np.mean(divergence))
    return found


@pytest.mark.parametrize("known", [24, 4])
def test_contrastive_is_the_mean_divergence_from_the_labelled_neighbours(known):
    pool, known = some_pool(), some_labeled(known)
    expected = slow_contrast(pool, known)
    chosen = contrastive(pool, 80, labeled=known)
    assert chosen["text"][:] == sorted(expected, key=lambda text: -expected[text])
    assert chosen["score"][:] == pytest.approx(sorted(expected.values(), reverse=True), abs=1e-6)


def test_the_neighbours_are_labelled_ones_not_others_of_the_pool():
    """A peer searches the pool; whoever else stands in it changes nothing here."""
    pool, known = some_pool(), some_labeled()
    alone = dict(zip(*both(contrastive(pool, 80, labeled=known)), strict=True))
    half = contrastive(rows(pool, range(40)), 40, labeled=known)
    assert dict(zip(*both(half), strict=True)) == pytest.approx({text: alone[text] for text in half["text"][:]})


def both(chosen) -> tuple[list[str], list[float]]:
    return chosen["text"][:], chosen["score"][:]


def test_a_class_without_an_example_and_a_certain_text_keep_the_divergence_finite():
    probs = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    pool = make_pool(probs, np.zeros(3))
    chosen = contrastive(pool, 3, labeled=labeled(make_pool(probs, np.zeros(3), seed=4)))
    assert np.isfinite(chosen["score"][:]).all()
    assert chosen["id"][2] == "p0"
