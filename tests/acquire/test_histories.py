"""
A thousand random histories of several rounds for every strategy: whatever happened before, a batch holds no text
twice, none that is labelled and none that has left the pool, and the same history again is the same to the last pick.

The work of a history is kept small: 14 to 24 texts, two or three rounds of up to five, the columns that are read. Even
so a thousand for each take minutes (`make test-slow`); the fast tests share a thousand out among the strategies.
"""

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from choosing import ALL, lists
from datasets import ClassLabel, Dataset

from rarecase.data.arrow import from_table, with_column
from rarecase.data.schema import pa

HISTORIES = 1000
CLASSES = ClassLabel(names=["one", "two", "without an example"])


class World:
    """
    The texts of a history and what each is to the learner in each round. Every third world has few distinct vectors
    and probabilities: repeated posts, and ties.
    """

    def __init__(self, seed: int):
        self.seed = seed
        rng = np.random.default_rng([seed, 0])
        self.count = int(rng.integers(14, 25))  # enough for three rounds
        self.text = rng.permutation(1000)[: self.count]
        self.place = rng.integers(4, size=self.count) if seed % 3 == 0 else np.arange(self.count)
        self.embedding = rng.normal(size=(self.count, 4)).astype(np.float32)[self.place]
        self.region = rng.integers(4, size=self.count)
        self.label = rng.integers(2, size=self.count)  # the third class has no example

    def table(self, some: np.ndarray, round_: int, columns: Iterable[str], *, again: bool) -> Dataset:
        """The rows as they stand in a round, in an order of their own; `again` in another, under other ids."""
        rng = np.random.default_rng([self.seed, round_, 1])
        values = {
            "embedding": self.embedding,
            "probs": rng.dirichlet(np.ones(3), self.count)[self.place],
            "features": rng.normal(size=(self.count, 4))[self.place],
            "similarity": rng.normal(size=(self.count, 3))[self.place],
            "mc_probs": rng.dirichlet(np.ones(3), (self.count, 2))[self.place],
            "cluster": self.region,
            "label": self.label,
        }
        some = np.random.default_rng([self.seed, round_, 2, again]).permutation(some)
        ids = [f"{'again' if again else 'post'}-{row}" for row in some]
        table = {"id": pa.array(ids), "text": pa.array([f"walk {key:03d}" for key in self.text[some]])}
        for name in columns:
            own = values[name][some]
            table[name] = pa.array(own) if own.ndim == 1 else lists(own.astype(np.float32))
        dataset = from_table(pa.table(table))
        return with_column(dataset, "label", table["label"], CLASSES) if "label" in table else dataset


def history(strategy: Callable[..., Dataset], seed: int, *, again: bool = False) -> list[list[int]]:
    """Lets the strategy choose round after round, and checks each batch; gives the rows that it chose."""
    world, rng = World(seed), np.random.default_rng([seed, 3])
    labelled, pool = np.arange(3), np.arange(3, world.count)
    picks = []
    for round_ in range(int(rng.integers(2, 4))):
        n = int(rng.integers(1, min(5, len(pool)) + 1))
        table = world.table(pool, round_, strategy.needs, again=again)
        known = world.table(labelled, round_, {"label", *strategy.needs_labeled}, again=again)
        chosen = strategy(table, n, labeled=known, seed=seed)
        rows = [int(id_.partition("-")[2]) for id_ in chosen["id"][:]]
        assert len(rows) == len(set(rows)) == n
        assert not set(rows) & set(labelled)
        assert set(rows) <= set(pool)
        now = {row["id"]: row for row in table}
        assert all({name: row[name] for name in table.column_names} == now[row["id"]] for row in chosen)  # none stale
        picks.append(rows)
        # Not all are labelled; of the others some go back, and one may be left out for good.
        given = rows[: int(rng.integers(1, n + 1))]
        left_out = rows[-1:] if rng.random() < 0.3 else []
        labelled = np.r_[labelled, given]
        pool = np.setdiff1d(pool, [*given, *left_out])
    return picks


@pytest.mark.parametrize(
    "histories",
    [
        HISTORIES // len(ALL),
        # Those of `disagreement` take 4 minutes, and 14 beside other work.
        pytest.param(HISTORIES, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
    ids=["some", "all"],
)
@pytest.mark.filterwarnings("ignore:.*clusters for")
@pytest.mark.parametrize("strategy", ALL, ids=[strategy.__name__ for strategy in ALL])
def test_no_duplicate_no_labelled_and_no_stale_row_is_ever_returned_and_a_rerun_is_identical(strategy, histories):
    for seed in range(histories):
        assert history(strategy, seed) == history(strategy, seed, again=True), seed
