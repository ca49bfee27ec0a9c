"""
From settings to a run: the folder it begins in, and how it goes on and ends.

A run folder appears whole: the tables are read and checked, the models looked for and the texts embedded before it is
written beside and renamed. So bad input leaves nothing behind.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rarecase.acquire.find import find_strategy
from rarecase.acquire.stopping import Stopping, sentence_of
from rarecase.acquire.strategy import Strategy, name_of
from rarecase.algorithm import Round, run
from rarecase.core.files import digest, write_folder_beside
from rarecase.core.locks import locked
from rarecase.core.processes import is_main, on_main
from rarecase.core.progress import doing, say
from rarecase.data.arrow import rows
from rarecase.data.read.origin import Origin, combined
from rarecase.data.release import ALL, Config, write_release
from rarecase.data.schema import conform
from rarecase.data.sets import Sets, require_gold
from rarecase.evaluate.predictions import measured
from rarecase.evaluate.record import RoundRecord
from rarecase.generate import NoVariations
from rarecase.guard.certificate import CERTIFICATE, Certificate, model_sha256
from rarecase.guard.guard import Guard
from rarecase.labeling.annotator import Annotator
from rarecase.learn import Learner
from rarecase.learn.record import GuardSettings, ModelRecord
from rarecase.models.checkpoint import local_folder
from rarecase.models.encoder import load_encoder
from rarecase.runs import annotation, parts
from rarecase.runs.folder import LEARNER, Manifest, RoundFiles, refuse_used, stored_sets, vectors_of, write_sets
from rarecase.runs.generation import generator_of, verifier_of
from rarecase.runs.lengths import say_what_is_cut
from rarecase.runs.trackers import figures_of_round, reporting
from rarecase.settings.checks import check, require_out
from rarecase.settings.config import MAY_CHANGE, SOURCES, LoopConfig, RunConfig, write_yaml
from rarecase.verify.policy import counted, in_words


def carry_out(config: RunConfig, resume: Path | None) -> Path:
    """Begins a run, or goes on with one; says on stderr what each round found, and gives the folder."""
    with locked(resume or require_out(config.out)):
        check(config)
        folder = resume or begin(config)
        rounds_left = go_on(folder, config)  # which refuses a folder that does not fit, before a tracker begins
        reported, key = on_main(lambda: (RoundFiles(folder).numbers("metrics.json"), digest([folder / "run.json"])))
        with reporting(config.report_to, folder, key) as report:
            for round_ in rounds_left:
                found, f1 = round_.record, round_.record.test["macro_f1"]
                varied = on_main(_variations_of, folder, config, found.round)
                say(f"round {found.round}: {found.labels} labels, {varied}macro-F1 {f1:.1f}")
                if found.round not in reported:
                    report(figures_of_round(found), found.round)
    return folder


def _variations_of(folder: Path, config: RunConfig, number: int) -> str:
    """How many variations of a round are learned from, as part of a sentence; empty where there are none."""
    files = RoundFiles(folder)
    if number not in files.numbers("variations.parquet"):
        return ""
    counts = counted([files.stored(number, "variations")], config.policy)
    return f"{in_words(counts)}, " if counts else ""


def begin(config: RunConfig) -> Path:
    """Makes the run folder, or nothing where something is wrong with the settings or the data."""
    out = require_out(config.out)
    sets, config = on_main(_read_new, out, config)
    strategy = find_strategy(config.strategy)
    with doing("preparing models and texts"):
        on_main(annotation.require_model, config)
        vectors = prepare(config, sets, [strategy])

    def manifest(folder: Path) -> Manifest:
        begun = parts.manifest_of(folder, "run", config, MAY_CHANGE)
        return replace(begun, strategy=name_of(strategy), origins=parts.origins_of(config))

    on_main(write_begun, out, config, sets, vectors, manifest)
    return out


def _read_new(out: Path, config: RunConfig) -> tuple[Sets, RunConfig]:
    refuse_used(out)
    sets = checked(config)
    config = annotation.with_store_of_start(config)
    annotation.require_store(config)
    return sets, config


def write_begun(
    out: Path, config: LoopConfig, sets: Sets, vectors: Mapping[str, np.ndarray], manifest: Callable[[Path], Manifest]
) -> None:
    """Writes, whole, the folder that a run or a grid begins with; last of all its manifest."""
    with write_folder_beside(out) as folder:
        write_yaml(folder / "config.yaml", config)
        write_sets(folder, sets, vectors)
        manifest(folder).write(folder)


def checked(config: RunConfig) -> Sets:
    """The tables of a run that is to begin, once its strategy is found; `check` comes first."""
    parts.stopping_of(config)
    find_strategy(config.strategy)
    sets = parts.sets_of(config)
    if config.annotator == "gold":
        require_gold(sets.pool, sets.gold, "--annotator gold", "use --annotator file")
    parts.require_a_batch(sets, config)
    return sets


def go_on(folder: Path, config: RunConfig) -> Iterator[Round]:
    """
    Checks what a run is to go on with; gives what runs what is left of it, and then writes `data/` (a release folder)
    and `learner/`.

    A table that the settings do not name is the one that is stored; one that they name again must be the same.

    Raises `RunFolderError` where data, model, strategy or seed are not those the run began with, `ConfigError` where
    the budget is less than what it has spent, and `WaitingForLabels` where people have to label first.
    """
    stop = parts.stopping_of(config)
    config, manifest, sets = on_main(_read_again, folder, config)
    return _rounds_left(folder, config, manifest, sets, stop)


def _read_again(folder: Path, config: RunConfig) -> tuple[RunConfig, Manifest, Sets]:
    config = annotation.with_store_of_start(config)
    manifest, named = Manifest.read(folder, "run"), config
    stored: dict[str, Any] = {name: manifest.settings.get(name) for name in SOURCES if getattr(config, name) is None}
    config = replace(config, **stored)
    manifest.require_same(folder, config, MAY_CHANGE, partial(parts.inputs_of, named))
    parts.require_budget(folder, config)
    annotation.require_store_of_labels(folder, config)
    write_yaml(folder / "config.yaml", config)
    return config, manifest, stored_sets(folder)


def _rounds_left(
    folder: Path, config: RunConfig, manifest: Manifest, sets: Sets, stop: Stopping | None
) -> Iterator[Round]:
    records: list[RoundRecord] = []
    context = on_main(digest, [folder / "run.json"])
    with annotation.annotator_of(folder, config, sets.taxonomy, context) as annotator:
        for last in rounds(folder, sets, config, config.strategy, config.seed, annotator, stop=stop):
            records.append(last.record)
            yield last
    if sentence := sentence_of(last.record.labels, last.record.stopping):
        say(sentence)
    learner = last.learner()
    guard = Guard(learner, sets.taxonomy).settings(sets.dev)
    on_main(_finish, folder, sets, last, records, config, manifest, learner, guard)


def rounds(
    folder: Path,
    sets: Sets,
    config: LoopConfig,
    strategy: str,
    seed: int,
    annotator: Annotator,
    replies: Path | None = None,
    stop: Stopping | None = None,
) -> Iterator[Round]:
    """Algorithm 1 in a run folder or a cell, which has its own `replies` where none are given."""
    encoder, replies = load_encoder(config.encoder), replies or folder / "replies.sqlite"
    with RoundFiles(folder, parts.rounds_of(config.budget, config)) as stages:
        yield from run(
            stages,
            pool=sets.pool,
            bootstrap=sets.bootstrap,
            dev=sets.dev,
            test=sets.test,
            strategy=find_strategy(strategy),
            learner=parts.learner_of(config, sets.taxonomy.names, seed, encoder),
            annotator=annotator,
            # The seed of a request is the grid's, not the cell's: a post is varied once, whoever chose it.
            generator=generator_of(config, sets.taxonomy, replies) if is_main() else NoVariations(),
            encoder=encoder,
            definitions=sets.taxonomy.definitions,
            verifier=verifier_of(config, sets, replies),
            budget=config.budget,
            batch=config.batch,
            clusters=config.clusters,
            variations=config.variations,
            seed=seed,
            stop=stop,
        )


def prepare(config: LoopConfig, sets: Sets, strategies: Sequence[Strategy]) -> dict[str, np.ndarray]:
    """The vectors that a run or a grid begins with, once its models are there and its language model answers."""
    for model in (config.encoder, config.model):
        local_folder(model)
    on_main(_require_generator, config, sets)
    encoder = load_encoder(config.encoder)
    learner = parts.learner_of(config, sets.taxonomy.names, config.seed, encoder, trial=True)
    if not parts.shares_encoder(config):
        learner = _tried(learner, sets)
    say_what_is_cut(learner, sets.tables())
    return vectors_of(sets, encoder) if parts.needs_embedding(config, *strategies) else {}


def _require_generator(config: LoopConfig, sets: Sets) -> None:
    generator_of(config, sets.taxonomy, Path(""), check=True)


def _tried(learner: Learner, sets: Sets) -> Learner:
    """Learns from one text and scores it, so that a model which cannot do that is known before anything is made."""
    one = learner.prepare(rows(sets.bootstrap, [0]))
    learner = learner.fit(one, rows(one, []))
    learner.score(one)
    return learner


def _finish(
    folder: Path,
    sets: Sets,
    last: Round,
    records: Sequence[RoundRecord],
    config: RunConfig,
    manifest: Manifest,
    learner: Learner,
    guard: GuardSettings,
) -> None:
    """The release folder and the last learner, once."""
    names, strategy = sets.taxonomy.names, manifest.strategy
    acquired = conform(rows(last.train, range(len(sets.bootstrap), len(last.train))), names)
    splits = {"validation": conform(sets.dev, names), "test": conform(sets.test, names)}

    def source(train: str) -> Origin:
        return combined(manifest.origins.get(name, {}) for name in (train, "dev", "test"))

    write_release(
        folder / "data",
        {"bootstrap": {"train": conform(sets.bootstrap, names), **splits}, strategy: {"train": acquired, **splits}},
        default=ALL,
        taxonomy=sets.taxonomy,
        known={
            "bootstrap": Config({"by": "start" if config.start else "given"}, **source("bootstrap")),
            strategy: Config(
                parts.acquired_by(config),
                rounds=tuple(record.released() for record in records),
                variations=counted(RoundFiles(folder).tables("variations"), config.policy),
                **source("pool"),
            ),
        },
        replace=True,
    )
    predictions = RoundFiles(folder).stored(last.number, "predictions")
    record = ModelRecord.of(
        learner.describe(),
        configs=["bootstrap", strategy],
        train=last.train,
        dev=sets.dev,
        test=splits["test"],
        measured=measured(predictions, names),
        guard=guard,
    )
    _save(learner, folder / LEARNER, record)


def _save(learner: Learner, folder: Path, record: ModelRecord) -> None:
    """Saves the last learner; what was certified of these very weights before stays."""
    before = Certificate.read(folder)
    learner.save(folder, record)
    if before is None:
        return
    before.write(folder)  # first, so that a kill while the weights are read loses nothing; of others it is void
    if before.model_sha256 != model_sha256(folder, learner.names):
        (folder / CERTIFICATE).unlink()
        say(f"{folder}: its certificate was of the learner before; calibrate this one with `rarecase guard calibrate`")
