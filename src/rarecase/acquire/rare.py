"""Two strategies of our own for classes that are critical and seldom seen: to find them, and to learn them."""

from collections.abc import Callable
from functools import cache

import numpy as np
from datasets import Dataset, Value

from rarecase.acquire.selection import by_text, require_count
from rarecase.acquire.strategy import needs
from rarecase.acquire.uncertainty import closeness_of, entropy_of
from rarecase.data.arrow import rows, with_column
from rarecase.data.schema import canonical_order, label_names

SHARE = 0.6  # of a batch goes at most to the classes with the fewest labels, the rest to what the learner is unsure of
FAIR = 1 / 3  # of the mean number of labels a class: with fewer than this `rare_first` looks for it
C = 0.1  # of the heads that look for a class: with a handful of examples they should hardly bend


@needs("embedding", "similarity", "probs", labeled=("embedding",))
def rare(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    As many texts as can be found of the classes that have the fewest labels so far, and beside them what the learner
    is least sure about.

    Uncertainty finds few texts of a class that the learner hardly knows, and none of one it has never seen. Here 60 %
    of a batch is looked for, to the end: text after text, for the class with the fewest labels (what was just picked
    for it counting as one), the text that is most like it. The likeness is the sum of two standardised scores: the
    logit of a balanced logistic regression on the embeddings, this class against the others, where the class has an
    example; and the similarity to the class's definition, which also works without one. The rest of the batch has the
    smallest gap between the two likeliest classes (`margin`).

    To look for a class by its own probability is certainty sampling (Lewis and Gale, 1994); to fill up what is
    under-represented, Attenberg and Provost (2010), *Why Label When You Can Search?*, who let people search for it.

    Args:
        pool (`Dataset`): columns `embedding` and `similarity` (float32, shapes `(rows, dimensions)` and `(rows,
            classes)`), and `probs` (float32, shape `(rows, classes)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): the texts labelled so far, with `label` and `embedding`; without any, only the
            definitions say what a class is.
        seed (`int`): not read.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (how like its class a text is, in standard
        deviations; of the rest 1 - the gap) and `sought` (the class it was looked for; null for the rest).

    Raises:
        `MissingColumnError`: naming the call that makes the column.

    Example:
        >>> pool = compare(embed(pool, encoder), [c.definition for c in taxonomy.classes], encoder)
        >>> batch = rare(learner.score(pool), 20, labeled=embed(train, encoder))
    """
    return _looked_for(pool, n, labeled, lambda counts: np.inf, closeness_of)


@needs("embedding", "similarity", "probs", labeled=("embedding",))
def rare_first(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    First texts of classes that have too few labels to be learned, then those the learner is most uncertain about.

    Once a class can be learned, looking for more of it costs more than it brings. So a class is looked for, as by
    `rare`, only while it has less than a third of the mean number of labels a class, or none; all else of a batch has
    the highest entropy. Where no class lacks labels it chooses as `entropy` does.

    Args:
        pool (`Dataset`): columns `embedding` and `similarity` (float32, shapes `(rows, dimensions)` and `(rows,
            classes)`), and `probs` (float32, shape `(rows, classes)`).
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): the texts labelled so far, with `label` and `embedding`; without any, only the
            definitions say what a class is.
        seed (`int`): not read.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice, with `score` (how like its class a text is, in standard
        deviations; of the rest the entropy in nats) and `sought` (the class it was looked for; null for the rest).

    Raises:
        `MissingColumnError`: naming the call that makes the column.

    Example:
        >>> pool = compare(embed(pool, encoder), [c.definition for c in taxonomy.classes], encoder)
        >>> batch = rare_first(learner.score(pool), 20, labeled=embed(train, encoder))
    """
    return _looked_for(pool, n, labeled, lambda counts: max(FAIR * counts.mean(), 1.0), entropy_of)


def _looked_for(
    pool: Dataset,
    n: int,
    labeled: Dataset | None,
    enough: Callable[[np.ndarray], float],
    uncertainty: Callable[[np.ndarray], np.ndarray],
) -> Dataset:
    """At most `SHARE` of the batch for the classes with fewer labels than `enough`, the rest by uncertainty."""
    require_count(pool, n)
    likeness, count = _likeness(pool, labeled)
    until = enough(count)
    picks: list[int] = []
    sought: list[int | None] = []
    score: list[float] = []

    def take(values: np.ndarray, wanted: int | None) -> None:
        free = values.copy()
        free[picks] = -np.inf
        best = int(np.argmax(free))  # of equals the first by text
        picks.append(best)
        score.append(float(values[best]))
        sought.append(wanted)

    while len(picks) < round(SHARE * n) and count.min() < until:
        fewest = int(np.argmin(count))
        take(likeness(fewest), fewest)
        count[fewest] += 1
    unsure = uncertainty(by_text(pool, "probs"))
    while len(picks) < n:
        take(unsure, None)
    batch = with_column(rows(pool, canonical_order(pool)[picks]), "score", np.array(score))
    feature = labeled.features["label"] if labeled is not None else Value("int64")
    return with_column(batch, "sought", sought, feature)


def _likeness(pool: Dataset, labeled: Dataset | None) -> tuple[Callable[[int], np.ndarray], np.ndarray]:
    """
    Of a class how like it each text is, rows sorted by text, and the labels of each class. The former is computed when
    it is asked for: few of many classes lack labels.
    """
    texts, similarity = by_text(pool, "embedding").astype(np.float64), by_text(pool, "similarity").astype(np.float64)
    if labeled is None or not len(labeled):
        return cache(lambda c: _standardised(similarity[:, c])), np.zeros(similarity.shape[1], np.int64)
    vectors = by_text(labeled, "embedding").astype(np.float64)
    labels = by_text(labeled, "label")
    known = np.bincount(labels, minlength=len(label_names(labeled)))

    @cache
    def likeness(c: int) -> np.ndarray:
        by_definition = _standardised(similarity[:, c])
        if not 0 < known[c] < len(labels):
            return by_definition
        return by_definition + _standardised(_logits(vectors, labels == c, texts))

    return likeness, known.copy()


def _logits(vectors: np.ndarray, own: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Of a class against the others, for each text."""
    from sklearn.linear_model import LogisticRegression

    head = LogisticRegression(C=C, class_weight="balanced", max_iter=1000, tol=1e-6).fit(vectors, own)
    return np.einsum("rd,d->r", texts, head.coef_[0])


def _standardised(values: np.ndarray) -> np.ndarray:
    """With mean 0 and standard deviation 1; all 0 where they are equal."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)
