"""What a run would ask for, before it begins: labels, requests, time."""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from rarecase.acquire.strategy import Strategy, columns_of
from rarecase.data.arrow import rows
from rarecase.data.sets import Sets
from rarecase.learn.hyperparameters import FitOptions
from rarecase.models.encoder import embed, load_encoder
from rarecase.runs import parts
from rarecase.runs.session import checked
from rarecase.settings.config import RunConfig

T = TypeVar("T")

TIMED = 200  # texts, or training rows, that are timed: fewer would time the start of the libraries


def dry_run(config: RunConfig) -> str:
    """Reads the tables, times the machine on a few texts, and gives a line each for labels, requests and time."""
    strategy, sets = checked(config)
    with TemporaryDirectory() as folder:  # what it would refuse to ask is refused now
        parts.generator_of(config, sets.taxonomy, Path(folder) / "replies.sqlite")
    budget = parts.Budget.of(config, len(sets.pool))
    labels, rounds = budget.labels, budget.rounds
    requests = labels * config.variations if config.generator in ("openai", "local") else 0
    seconds = _seconds(config, strategy, sets, rounds, labels)
    to = f" to {config.generator_url}" if config.generator == "openai" else ""
    stops = f", or fewer, where {config.stop_when} holds before" if config.stop_when else ""
    return "\n".join(
        [
            f"labels    {labels} by {config.annotator}, in {rounds} rounds of at most {config.batch}{stops}",
            f"requests  {requests}{to}",
            f"time      about {_spoken(seconds)} of computing on this machine",
        ]
    )


def _seconds(config: RunConfig, strategy: Strategy, sets: Sets, rounds: int, labels: int) -> float:
    """
    Embedding goes by texts; a fit by the rows it is given, unless its steps are as many whatever the rows; scoring by
    the rows of the pool and the test set, and draws by those of the pool.
    """
    assert sets.bootstrap is not None and sets.dev is not None and sets.test is not None  # noqa: PT018, S101
    total = 0.0
    few, start, dev = (rows(t, range(min(TIMED, len(t)))) for t in (sets.pool, sets.bootstrap, sets.dev))
    if not config.tune:  # there is nothing to choose
        dev = rows(dev, [])
    everything = len(sets.pool) + len(sets.bootstrap) + len(sets.dev) + len(sets.test)
    if parts.needs_embedding(config, strategy):
        encoder = load_encoder(config.encoder)
        encoder.encode([""])  # loads the model, which is no part of the time per text
        taken, few = _timed(lambda: embed(few, encoder))
        total += taken / len(few) * everything
        start, dev = embed(start, encoder), embed(dev, encoder)
    learner = parts.learner_of(config, sets.taxonomy.names, config.seed)
    start, dev, few = map(learner.prepare, (start, dev, few))
    fit, fitted = _timed(lambda: learner.fit(start, dev))
    if FitOptions.of(config).grows_with_rows(config.learner):
        fit *= (len(sets.bootstrap) + labels * (1 + config.variations) / 2) / len(start)
    score, scored = _timed(lambda: fitted.score(few))
    total += (rounds + 1) * (fit + score / len(few) * everything)
    if "mc_probs" in columns_of(strategy):
        sample, _ = _timed(lambda: fitted.sample(scored))
        total += rounds * sample / len(few) * len(sets.pool)
    return total


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    """The seconds that a call takes, and what it gives."""
    begun = time.perf_counter()
    result = call()
    return time.perf_counter() - begun, result


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
