"""
What the grid itself costs: the wall time of an experiment of 60 trivial cells (the sample that ships with rarecase,
embeddings computed once), less what its learner takes to embed, fit and score, for each cell: at most 2 s.

    python benchmarks/grid.py
"""

import contextlib
import functools
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

import rarecase
from rarecase.data.arrow import rows, with_column
from rarecase.data.release import write_release
from rarecase.data.sets import Sources, read_sets
from rarecase.experiment.experiment import experiment
from rarecase.learn.frozen import Frozen
from rarecase.settings.config import ExperimentConfig

MOST = 2.0
SAMPLE = Path(rarecase.__file__).parent / "sample"
STRATEGIES, SEEDS = ("one", "two", "three", "four", "five"), 10
CELLS = SEEDS * (1 + len(STRATEGIES))


def write_sample(folder: Path) -> None:
    """A release of the sample: the start set, and for each strategy a hundred posts of the pool, with their labels."""
    names = ("pool", "bootstrap", "dev", "test")
    sets = read_sets(Sources(**{name: str(SAMPLE / f"{name}.csv") for name in names}))
    assert sets.gold is not None
    assert sets.test is not None
    gold = dict(zip(sets.gold["id"][:], sets.gold["label"][:], strict=True))
    labels = pa.array([gold[id_] for id_ in sets.pool["id"][:]], pa.int64())
    pool = with_column(sets.pool, "label", labels, sets.bootstrap.features["label"])
    shared = {"validation": sets.dev, "test": sets.test}
    splits = {
        name: {"train": rows(pool, range(10 * place, 10 * place + 100)), **shared}
        for place, name in enumerate(STRATEGIES)
    }
    write_release(
        folder, {"bootstrap": {"train": sets.bootstrap, **shared}, **splits}, default=STRATEGIES[0], title="Sample"
    )


def timed(function: Callable, seconds: list[float]) -> Callable:
    """The function, which notes how long it takes."""

    @functools.wraps(function)
    def noted(*arguments: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - begun)

    return noted


def main() -> int:
    learning: list[float] = []
    # `fit` and `score` call `prepare` on what is prepared already, which takes no time.
    for name in ("fit", "score", "prepare"):
        setattr(Frozen, name, timed(getattr(Frozen, name), learning))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        write_sample(Path(folder) / "data")
        config = ExperimentConfig(
            data=str(Path(folder) / "data"),
            learner="frozen",
            models="packaged",
            settings="bootstrap,human",
            seeds=SEEDS,
            out=Path(folder) / "experiment",
        )
        begun = time.perf_counter()
        experiment(config)
        wall = time.perf_counter() - begun
    each = (wall - sum(learning)) / CELLS
    print(f"{CELLS} cells: {wall:.1f} s, of which {sum(learning):.1f} s embedding, fitting and scoring")
    print(f"the grid: {each:.2f} s a cell (at most {MOST})")
    return 0 if each <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
