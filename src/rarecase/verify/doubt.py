"""
Labelled rows by how likely their label is wrong, from text and label alone.

A logistic regression over the layers of the sentence encoder says which class a text looks like. It is fitted on the
trusted rows, then with a small weight on the other rows too, as far as their labels are believed by then. A row is
judged only by fits that have seen neither it nor its family (cross-fitting), as in confident learning (Northcutt,
Jiang and Chuang, 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels").

How labels go wrong is read off the rows themselves, by expectation maximization (Dawid and Skene, 1979): how often the
label of a class is wrong, and which labels the wrong ones are. Where most rows labelled X look like Y, the others
labelled X are doubted a little, too; and that a text looks like Y is then a stronger sign than that it looks like Z.
"""

from collections.abc import Sequence

import numpy as np
from datasets import ClassLabel, Dataset

from rarecase.core import randomness
from rarecase.core.errors import DataError
from rarecase.data import arrow, schema
from rarecase.learn.batches import labelled_rows
from rarecase.models.encoder import Encoder, SentenceEncoder, load_encoder

FOLDS = 5
REST = 0.1  # the weight of a row that is not trusted, if its label is certain; that of a trusted one is 1
C = 0.001  # inverse strength of the regularization, over components of standardized features
COMPONENTS = 300
STEPS = 100  # of expectation maximization
WRONG, RIGHT = 0.1, 0.9  # labels of each class that are taken to be wrong and right before the first is seen


def doubt(dataset: Dataset, trusted: Dataset, *, encoder: Encoder | None = None, seed: int = 0) -> Dataset:
    """
    Labelled rows by how likely their label is wrong, the most doubted first.

    Only texts and labels count; `parent_id`, where there is one, only keeps a row and its variations together, so that
    none is judged by what was learned from the other. The order of the rows and their ids change nothing.

    Args:
        dataset (`Dataset`): with `id`, `text` and `label` (`ClassLabel`).
        trusted (`Dataset`): rows whose labels are right, with `text` and the same classes; some hundred are enough.
        encoder (`Encoder`, *optional*): see `load_encoder`; by default the packaged one.
        seed (`int`, *optional*, defaults to 0): decides which rows are judged together.

    Returns:
        `Dataset`: the rows with `doubt` (float64, 0 to 1: the probability that the label is wrong), `likelier`
        (`ClassLabel`: the class that the text looks most like) and `why` (a reason in words, without the text).

    Raises:
        `DataError`: if a row has no label, the classes of the two differ, one of the two is empty, or there is one
            class.
        `ModelError`: if the encoder cannot be loaded safely or returns a vector that is not finite.

    Example:
        >>> ranked = doubt(train, dev)
        >>> ranked.column_names[-3:]
        ['doubt', 'likelier', 'why']
    """
    names = schema.label_names(dataset)
    rows, labels = labelled_rows(dataset, names, "the data")
    known, known_labels = labelled_rows(trusted, names, "trusted")
    _require_learnable(known_labels, labels)
    vectors = _components(schema.texts(known) + schema.texts(rows), encoder or load_encoder())
    of_known, of_rows = vectors[: len(known)], vectors[len(known) :]
    probs = _cross_fitted((of_known, known_labels), (of_rows, labels), _folds(rows, seed), len(names))
    is_true = true_classes(probs, labels)
    own = np.arange(len(names)) == labels[:, None]
    doubts = np.where(own, 0.0, is_true).sum(axis=1)  # not 1 - own, which would round the small ones
    likelier = probs.argmax(axis=1)
    said = dict(zip(schema.texts(known), known_labels.tolist(), strict=True))
    same = [said.get(text) for text in schema.texts(rows)]  # the label of a trusted row with the same text
    why = [_why(names, *of) for of in zip(labels, likelier, probs, same, strict=True)]
    ranked = np.argsort(-doubts, kind="stable")
    rows = arrow.with_column(rows, "doubt", doubts)
    rows = arrow.with_column(rows, "likelier", likelier, ClassLabel(names=names))
    return arrow.rows(arrow.with_column(rows, "why", why), ranked)


def true_classes(probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """
    How probable each class is the true one, given the label, by how labels go wrong among all rows; float64 `(rows,
    classes)`. `probs`, of the same shape, are by the text alone, all classes being as frequent.
    """
    rows, classes = probs.shape
    given = np.eye(classes)[labels]
    wrong, frequency = np.full(classes, 0.1), np.full(classes, 1 / classes)  # of the labels of each class; of a class
    lands = np.full(classes, 1 / classes)  # on which labels the wrong ones are
    for _ in range(STEPS):
        elsewhere = lands * (1 - np.eye(classes))
        elsewhere /= elsewhere.sum(axis=1, keepdims=True)
        labelled = np.diag(1 - wrong) + wrong[:, None] * elsewhere  # (true class, label), rows sum to 1
        found = probs * frequency * labelled[:, labels].T
        found /= found.sum(axis=1, keepdims=True)
        count, mistaken = found.sum(axis=0), found * (1 - given)
        frequency = (count + 1) / (rows + classes)
        wrong = (mistaken.sum(axis=0) + WRONG) / (count + WRONG + RIGHT)
        lands = np.bincount(labels, mistaken.sum(axis=1), classes) + 0.5
    return found


def _require_learnable(trusted: np.ndarray, labels: np.ndarray) -> None:
    if not len(trusted):
        raise DataError("trusted has no row; label some hundred rows carefully, of each class")
    if not len(labels):
        raise DataError("the data has no row; give labelled rows to rank")
    if len(np.unique(np.concatenate([trusted, labels]))) < 2:
        raise DataError("all rows have the same label, so there is nothing to tell apart; add rows of another class")


def _components(texts: list[str], encoder: Encoder) -> np.ndarray:
    """The principal components of what the encoder makes of the texts, float64 `(texts, components)`."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    layers = encoder.encode_layers(texts) if isinstance(encoder, SentenceEncoder) else encoder.encode(texts)
    standardized = StandardScaler().fit_transform(np.asarray(layers, np.float64))
    rows, dimensions = standardized.shape
    solver = "full" if rows < dimensions else "covariance_eigh"  # neither draws anything
    return PCA(min(COMPONENTS, rows, dimensions), svd_solver=solver).fit_transform(standardized)


def _folds(rows: Dataset, seed: int) -> np.ndarray:
    """The fold of each row, int64 `(rows,)`: equal texts, and a text and its variations, are in the same."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place: dict[str, int] = {}  # of the first row with a text
    links = [(row, place.setdefault(text, row)) for row, text in enumerate(schema.texts(rows))]
    if "parent_id" in rows.column_names:
        first: dict[str, int] = {}
        for row, (id_, parent) in enumerate(zip(rows["id"][:], rows["parent_id"][:], strict=True)):
            links.append((row, first.setdefault(parent or id_, row)))
    ones = np.ones(len(links))
    graph = coo_array((ones, tuple(np.array(links).T)), shape=(len(rows), len(rows)))
    families, family = connected_components(graph, directed=False)
    drawn = randomness.generator(seed, "doubt", "folds").permutation(families)
    return drawn[family] % FOLDS


def _cross_fitted(
    known: tuple[np.ndarray, np.ndarray], rows: tuple[np.ndarray, np.ndarray], folds: np.ndarray, classes: int
) -> np.ndarray:
    """
    The probability of each class for each row, by the trusted rows and those outside of its fold, as far as the labels
    of these are believed by the trusted rows alone; float64 `(rows, classes)`.
    """
    (of_known, known_labels), (of_rows, labels) = known, rows
    ones = np.ones(len(of_known))
    first = _probs(of_rows, of_known, known_labels, ones, classes)
    probs = np.empty_like(first)
    for fold in np.unique(folds):
        rest, out = folds != fold, folds == fold
        believed = true_classes(first[rest], labels[rest])[np.arange(rest.sum()), labels[rest]]
        vectors, seen = np.concatenate([of_known, of_rows[rest]]), np.concatenate([known_labels, labels[rest]])
        probs[out] = _probs(of_rows[out], vectors, seen, np.concatenate([ones, REST * believed]), classes)
    return probs


def _probs(vectors: np.ndarray, seen: np.ndarray, labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
    """The probability of each class for some vectors, by what is seen of others; all classes are as frequent."""
    from sklearn.linear_model import LogisticRegression

    probs = np.full((len(vectors), classes), 1 / classes)  # of a class without an example nothing is known
    present = np.unique(labels)
    if len(present) > 1:
        balanced = weights * weights.sum() / (len(present) * np.bincount(labels, weights, classes)[labels])
        head = LogisticRegression(C=C, max_iter=5000, tol=1e-6).fit(seen, labels, balanced)
        probs[:, present] = head.predict_proba(vectors) * len(present) / classes
    return probs


def _why(names: Sequence[str], label: int, likelier: int, probs: np.ndarray, trusted: int | None) -> str:
    """The reason, without a word of the text; `trusted` is the label that a trusted row with the same text has."""
    if trusted is not None and trusted != label:
        return f"the same text is {names[trusted]} among the trusted rows"
    if likelier == label:
        return f"the text looks like {names[label]} ({probs[label]:.0%})"
    return (
        f"the text looks like {names[likelier]} ({probs[likelier]:.0%}), not like {names[label]} ({probs[label]:.0%})"
    )
