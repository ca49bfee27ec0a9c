"""What a run would ask for, before it begins: labels, requests, time."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rarecase.acquire.embed import embed, load_encoder
from rarecase.algorithm import Strategy
from rarecase.config import RunConfig
from rarecase.schema import rows
from rarecase.session import checked, make_generator, make_learner_of, needs_embedding
from rarecase.sets import Sets

TIMED = 200  # texts, or training rows, that are timed: fewer would time the start of the libraries


def dry_run(config: RunConfig) -> str:
    """
    Reads the tables, times the machine on a few texts, and says what the run would take; writes nothing.

    Args:
        config (`RunConfig`): the settings.

    Returns:
        `str`: one line each for labels, requests and time; people's and the language model's time is not in it.

    Example:
        >>> print(dry_run(RunConfig(pool="posts.csv", bootstrap="start.csv", dev="dev.csv", test="test.csv",
        ...                         generator="none", out=Path("out"))))
    """
    strategy, sets = checked(config)
    with TemporaryDirectory() as folder:  # what it would refuse to ask is refused now
        make_generator(config, sets.taxonomy, Path(folder) / "replies.sqlite")
    labels = min(config.budget, len(sets.pool))
    rounds = -(-labels // config.batch)
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
    """Embedding goes by texts; a fit by the rows it is given, scoring by the rows of the pool and the test set."""
    assert sets.bootstrap is not None and sets.dev is not None and sets.test is not None  # noqa: PT018, S101
    total = 0.0
    few, start = (rows(t, range(min(TIMED, len(t)))) for t in (sets.pool, sets.bootstrap))
    everything = len(sets.pool) + len(sets.bootstrap) + len(sets.dev) + len(sets.test)
    if needs_embedding(config, strategy):
        encoder = load_encoder(config.encoder)
        encoder.encode([""])  # loads the model, which is no part of the time per text
        begun = time.perf_counter()
        few = embed(few, encoder)
        total += (time.perf_counter() - begun) / len(few) * everything
        start = embed(start, encoder)
    learner = make_learner_of(config, sets.taxonomy.names, config.seed)
    start, few = learner.prepare(start), learner.prepare(few)
    begun = time.perf_counter()
    learner.fit(start, rows(start, []))
    fit = (time.perf_counter() - begun) / len(start)
    begun = time.perf_counter()
    learner.score(few)
    score = (time.perf_counter() - begun) / len(few)
    grown = len(sets.bootstrap) + labels * (1 + config.variations) / 2
    if config.learner == "setfit":  # its pairs are as many whatever the rows
        grown = len(start)
    return total + (rounds + 1) * (fit * grown + score * everything)


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
