"""What a run would ask for, before it begins: labels, requests, time."""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from rarecase.acquire.find import find_strategy
from rarecase.acquire.strategy import Strategy, columns_of
from rarecase.core.processes import on_main
from rarecase.data.arrow import rows
from rarecase.data.sets import Sets
from rarecase.generate.writer import Writer
from rarecase.learn import Learner
from rarecase.learn.hyperparameters import FitOptions
from rarecase.models.encoder import embed, load_encoder
from rarecase.runs import parts
from rarecase.runs.annotation import judge_of
from rarecase.runs.generation import generator_of, judge_requests
from rarecase.runs.session import checked
from rarecase.settings.checks import check
from rarecase.settings.config import RunConfig

T = TypeVar("T")

TIMED = 200  # texts, or training rows, that are timed: fewer would time the start of the libraries


def dry_run(config: RunConfig) -> str:
    """Reads the tables, times the machine on a few texts, and gives a line each for labels, requests and time."""
    check(config)
    sets = on_main(checked, config)
    strategy = find_strategy(config.strategy)
    labels = min(config.budget, len(sets.pool))
    asked, judged = on_main(_requests, config, sets, labels)
    rounds = parts.rounds_of(labels, config)
    learner = parts.learner_of(config, sets.taxonomy.names, config.seed)
    seconds = estimated_seconds(config, strategy, sets, learner)
    doubted = f", what it doubts by {config.doubtful_to}" if config.doubtful_to else ""
    to = f" to {config.generator_url}" if config.generator == "openai" else ""
    more = ", and one for each variation that a reply lacks" if 0 < asked < config.variations else ""
    stops = f", or fewer, if {config.stop_when} is reached first" if config.stop_when else ""
    time_ = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return (
        f"labels    {labels} by {config.annotator}{doubted}, in {rounds} rounds of at most {config.batch}{stops}\n"
        f"requests  {labels * asked}{to}{more}{judged}\n"
        f"time      about {time_} of computing on this machine"
    )


def _requests(config: RunConfig, sets: Sets, labels: int) -> tuple[int, str]:
    """How many for each post, and those for classes; what would not be asked is refused now."""
    with TemporaryDirectory() as folder:
        generator = generator_of(config, sets.taxonomy, Path(folder) / "replies.sqlite")
        labelled = _labelled(config, sets, labels, Path(folder) / "replies.sqlite")
    most = len(judge_requests(config, sets, labels * config.variations))
    judged = f"; at most {most} for the class of variations{labelled}" if most else labelled
    return generator.template.requests_of_a_post(config.variations) if isinstance(generator, Writer) else 0, judged


def _labelled(config: RunConfig, sets: Sets, labels: int, replies: Path) -> str:
    """The requests to the language model that labels: for the dev set, where it is compared with people, too."""
    if config.annotator != "llm":
        return ""
    asked = len(judge_of(config, sets.taxonomy, sets.bootstrap, replies).requests(sets.dev["text"][:]))
    url = config.annotator_url or config.generator_url
    return f"; {labels + asked} for labels{f' to {url}' if url else ''}"


def estimated_seconds(
    config: RunConfig, strategy: Strategy, sets: Sets, learner: Learner, clock: Callable[[], float] = time.perf_counter
) -> float:
    """
    The computing time of a run, from that of a few texts.

    Embedding takes time by text; a fit by training row, unless its steps are as many whatever the rows; scoring by row
    of the pool, dev and test; and draws by row of the pool.
    """

    def timed(call: Callable[[], T]) -> tuple[float, T]:
        begun = clock()
        result = call()
        return clock() - begun, result

    assert sets.test is not None  # noqa: S101 - a run has one
    total, labels = 0.0, min(config.budget, len(sets.pool))
    rounds = parts.rounds_of(labels, config)
    few, start, dev = (rows(t, range(min(TIMED, len(t)))) for t in (sets.pool, sets.bootstrap, sets.dev))
    if not config.tune:  # there is nothing to choose
        dev = rows(dev, [])
    everything = len(sets.pool) + len(sets.bootstrap) + len(sets.dev) + len(sets.test)
    if parts.needs_embedding(config, strategy):
        encoder = load_encoder(config.encoder)
        encoder.encode([""])  # loads the model, which is no part of the time per text
        taken, few = timed(lambda: embed(few, encoder))
        total += taken / len(few) * everything
        start, dev = embed(start, encoder), embed(dev, encoder)
    start, dev, few = map(learner.prepare, (start, dev, few))
    fit, fitted = timed(lambda: learner.fit(start, dev))
    if FitOptions.of(config).grows_with_rows(config.learner):
        variations = 0 if config.generator == "none" else config.variations
        fit *= (len(sets.bootstrap) + labels * (1 + variations) / 2) / len(start)
    score, scored = timed(lambda: fitted.score(few))
    total += (rounds + 1) * (fit + score / len(few) * everything)
    if "mc_probs" in columns_of(strategy):
        sample, _ = timed(lambda: fitted.sample(scored))
        total += rounds * sample / len(few) * len(sets.pool)
    return total
