"""The strategy that covers the most of the pool with each label, for a start with few labels."""

import numpy as np
from datasets import ClassLabel, Dataset

from rarecase.acquire.clusters import k_means
from rarecase.acquire.neighbours import distance_to_other_group, neighbours_within
from rarecase.acquire.selection import require_count, with_labeled
from rarecase.acquire.strategy import needs
from rarecase.core import randomness
from rarecase.core.errors import ConfigError
from rarecase.data.arrow import rows, with_column
from rarecase.data.schema import canonical_order

PURITY = 0.95  # the paper's alpha, for delta
BALLS = 2000  # from which delta is estimated


@needs("embedding", labeled=["embedding"])
def probcover(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    The texts whose surroundings cover the most of the pool: Yehuda, Dekel, Hacohen and Weinshall (2022), *Active
    Learning Through a Covering Lens*, algorithm 1 (ProbCover).

    A labelled text covers what is within delta of it. The next text is the one within delta of the most that is not
    covered yet. Delta is the largest radius at which 95 % of the balls around a text are pure, as the paper estimates
    it: hold only texts of the ball's own pseudo-label, which comes from k-means with as many clusters as there are
    classes. A ball is pure up to the nearest text of another pseudo-label, so delta is a quantile of these distances,
    taken over 2,000 texts drawn by the seed.

    Args:
        pool (`Dataset`): column `embedding` (float32, shape `(rows, dimensions)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`): the texts labelled so far, with `embedding`; there may be none, but the `ClassLabel` of
            its column `label` says how many classes there are.
        seed (`int`): decides the pseudo-labels and the draw.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (how many texts each newly covers). Once all is
        covered, the rest go by text.

    Raises:
        `MissingColumnError`: naming the call that makes `embedding`.
        `ConfigError`: where `labeled` does not say how many classes there are.

    Example:
        >>> batch = probcover(embed(pool, encoder), 20, labeled=embed(start, encoder))
    """
    require_count(pool, n)
    vectors, count = with_labeled(pool, labeled)
    delta = covering_radius(vectors, _classes(labeled), seed)
    texts, known = vectors[:count], vectors[count:]
    open_ = np.flatnonzero(neighbours_within(texts, known, delta) == 0)
    gain = neighbours_within(texts, texts[open_], delta)
    picks, covers = np.empty(n, np.int64), np.empty(n, np.int64)
    for step in range(n):
        picks[step] = pick = np.argmax(gain)
        covers[step] = gain[pick]
        near = neighbours_within(texts[open_], texts[[pick]], delta) > 0
        gain -= neighbours_within(texts, texts[open_[near]], delta)
        open_ = open_[~near]
        gain[picks[: step + 1]] = -count  # below every other, also where rounding counts one too few
    return with_column(rows(pool, canonical_order(pool)[picks]), "score", covers)


def covering_radius(vectors: np.ndarray, classes: int, seed: int) -> float:
    """
    The largest Euclidean radius at which 95 % of the balls around a text hold only its own pseudo-label.

    It is huge where there is but one pseudo-label, as every ball is pure then.
    """
    pseudo = k_means(vectors, min(classes, len(vectors)), randomness.integer(seed, "probcover"))
    some = np.arange(len(vectors))
    if len(some) > BALLS:
        some = np.sort(randomness.generator(seed, "probcover", "balls").choice(some, BALLS, replace=False))
    reach = np.sort(distance_to_other_group(vectors, pseudo, some))
    impure = int((1.0 - PURITY) * len(reach))  # how many balls may be
    return float(np.nextafter(reach[impure], 0.0))  # just below where one more would be


def _classes(labeled: Dataset | None) -> int:
    feature = labeled.features.get("label") if labeled is not None else None
    if not isinstance(feature, ClassLabel):
        raise ConfigError(
            "probcover: the number of classes is unknown; give labeled=… with a ClassLabel in column 'label'"
        )
    return feature.num_classes
