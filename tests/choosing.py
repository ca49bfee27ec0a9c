"""Pools and labelled rows for the strategies, with every column that one of them reads."""

import warnings

import numpy as np
from datasets import ClassLabel, Dataset
from hypothesis import strategies as st

from rarecase.acquire.find import STRATEGIES, find_strategy
from rarecase.data.arrow import from_table, rows, with_column
from rarecase.data.schema import pa

# Every strategy that ships with rarecase, and the wrapper around two of them.
NAMES = (*STRATEGIES, "anchors-entropy", "anchors-badge")
ALL = [find_strategy(name) for name in NAMES]


def make_pool(probs: np.ndarray, region: np.ndarray, *, seed: int = 0, m: int | None = None) -> Dataset:
    """Texts in an order of their own, so that sorting by text is not the order of the rows."""
    count, classes = probs.shape
    rng = np.random.default_rng(seed)
    mixed = 0.8 * probs[:, None] + 0.2 * rng.dirichlet(np.ones(classes), size=(count, 4))
    columns = {
        "embedding": rng.normal(size=(count, 6)),
        "features": rng.normal(size=(count, 5)),
        "similarity": rng.normal(size=(count, classes)),
        "probs": probs,
        "mc_probs": mixed,
    }
    table = {
        "id": pa.array([f"p{i}" for i in range(count)]),
        "text": pa.array([f"walk {i:04d}" for i in rng.permutation(count)]),
        **{name: lists(values.astype(np.float32)) for name, values in columns.items()},
    }
    return with_column(
        from_table(pa.table(table)), "cluster", region.astype(np.int64), ClassLabel(num_classes=m) if m else None
    )


def lists(values: np.ndarray) -> pa.Array:
    """What `with_column` makes of it; a table of many columns is faster made at once."""
    column = pa.array(values.reshape(-1))
    for length in reversed(values.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def pool_of(vectors: np.ndarray, seed: int = 0) -> Dataset:
    """A pool with these embeddings, the texts in an order of their own."""
    pool = make_pool(np.full((len(vectors), 3), 1 / 3), np.zeros(len(vectors)), seed=seed)
    return with_column(pool, "embedding", vectors.astype(np.float32))


def groups(sizes: list[int], apart: float = 100.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points around corners far from each other, and the group of each."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return group, apart * np.eye(len(sizes))[group] + np.random.default_rng(seed).normal(size=(len(group), len(sizes)))


def distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of all points to all others, the obvious way."""
    return np.linalg.norm(points[:, None].astype(np.float64) - others[None].astype(np.float64), axis=2)


def some_pool(count: int = 80, m: int = 5, *, ties: bool = False, seed: int = 0) -> Dataset:
    """Random real numbers, of four classes; with ties in the probabilities, where asked for."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(4), size=count)
    if ties:
        probs = probs[rng.integers(3, size=count)]
    return make_pool(probs, rng.integers(m, size=count), seed=seed, m=m)


def labeled(table: Dataset, *, seed: int = 0) -> Dataset:
    """The rows with labels, the last class without an example, other ids and other texts."""
    count, classes = len(table), len(table[0]["probs"])
    label = np.random.default_rng(seed).integers(classes - 1, size=count)
    table = with_column(table, "label", label, ClassLabel(num_classes=classes))
    table = with_column(table, "id", [f"l{i}" for i in range(count)])
    return with_column(table, "text", [text.replace("walk", "stroll") for text in table["text"][:]])


def some_labeled(count: int = 24) -> Dataset:
    """Labelled rows beside `some_pool`."""
    return labeled(some_pool(count, seed=17))


@st.composite
def pools(draw) -> tuple[Dataset, Dataset]:
    """A pool and labelled rows of few distinct values and regions: ties and empty regions are common."""
    count, known, m = draw(st.integers(1, 30)), draw(st.integers(1, 8)), draw(st.integers(1, 6))
    distinct = np.array([[1, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5], [0.9, 0.05, 0.05]])
    which = draw(st.lists(st.integers(0, 3), min_size=count + known, max_size=count + known))
    region = draw(st.lists(st.integers(0, m - 1), min_size=count + known, max_size=count + known))
    table = make_pool(distinct[which], np.array(region), seed=draw(st.integers(0, 99)), m=m)
    if draw(st.booleans()):  # vectors with ties too
        table = with_column(table, "embedding", np.float32(which)[:, None])
        table = with_column(table, "features", np.float32(which)[:, None])
    return rows(table, range(count)), labeled(rows(table, range(count, count + known)))


def scramble(table: Dataset, seed: int) -> Dataset:
    """Other rows first, other ids, other sources; the same texts with what belongs to them."""
    count = len(table)
    other = rows(table, np.random.default_rng(seed).permutation(count))
    other = with_column(other, "id", [f"other-{i}" for i in range(count)])
    return with_column(other, "source", [f"r/{i % 3}" for i in range(count)])


def choose(strategy, pool: Dataset, n: int, **options) -> list[str]:
    """The texts that it chooses, in order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # m > n has a test of its own
        return strategy(pool, n, **options)["text"][:]
