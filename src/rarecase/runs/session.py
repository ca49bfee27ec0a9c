"""
From settings to a run: the folder it begins in, the parts that Algorithm 1 is handed, and how it goes on.

A run folder appears whole: the tables are read and checked, the texts embedded and the models looked for in a folder
beside, which is renamed when all is well. So bad input leaves nothing behind.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rarecase.acquire.find import find_strategy
from rarecase.acquire.stopping import Stopping, sentence_of
from rarecase.acquire.strategy import Strategy, name_of, needs_encoder
from rarecase.algorithm import Round, run
from rarecase.core.errors import ConfigError, MissingColumnError, RunFolderError
from rarecase.core.files import digest, write_beside, write_folder_beside
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.read import Columns, read_argument
from rarecase.data.read.origin import origin, together
from rarecase.data.release import write_release
from rarecase.data.schema import conform
from rarecase.data.sets import Sets, read_sets, require_a_batch, require_gold
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.metrics import AllMetrics, all_metrics
from rarecase.generate import Generator, NoVariations
from rarecase.generate.cheap import Cheap
from rarecase.generate.endpoint import Endpoint
from rarecase.generate.local import Local
from rarecase.generate.replay import Replay
from rarecase.generate.replies import Replies
from rarecase.labeling.annotator import Annotator
from rarecase.labeling.people import with_store
from rarecase.labeling.store import opened
from rarecase.learn import Learner, make_learner
from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.record import ModelRecord
from rarecase.models.checkpoint import local_folder
from rarecase.models.encoder import Encoder, embed, load_encoder
from rarecase.runs import folder as run_folder
from rarecase.runs.annotators import annotator_of
from rarecase.settings import checks
from rarecase.settings.config import MAY_CHANGE, LoopConfig, RunConfig, flag, write_yaml

READ = (".json", ".safetensors", ".txt")  # the files of a model that say what it does
TABLES = ("pool", "bootstrap", "dev", "test")


def begin(config: RunConfig) -> Path:
    """
    Makes the run folder, or nothing where something is wrong with the settings or the data.

    Raises:
        `RarecaseError`: naming what is wrong, and the way out.

    Example:
        >>> folder = begin(RunConfig(pool="posts.csv", bootstrap="start.csv", dev="dev.csv", test="test.csv",
        ...                          annotator="file", generator="none", out=Path("out")))
    """
    out = checks.require_out(config)
    run_folder.refuse_used(out)
    strategy, sets = checked(config)
    if config.store is not None:
        opened(config.store).close()
    with write_folder_beside(out) as folder:
        prepare(folder, config, sets, embedded=needs_embedding(config, strategy))
        mark(folder, "run", config, MAY_CHANGE, strategy=name_of(strategy), origins=_origins(config))
    return out


def checked(config: RunConfig) -> tuple[Strategy, Sets]:
    """
    The strategy and the tables of a run that is to begin.

    Raises:
        `RarecaseError`: naming what is wrong with the settings or the tables, and the way out.
    """
    checks.check(config)
    strategy = find_strategy(config.strategy)
    sets = read_sets(config)
    if config.annotator == "gold":
        require_gold(sets.pool, sets.gold, "--annotator gold", "say --annotator file")
    require_a_batch(sets, config)
    return strategy, sets


def go_on(folder: Path, config: RunConfig) -> Iterator[Round]:
    """
    Runs what is left of a run, and then writes `data/` (a release folder) and `learner/`.

    Args:
        folder (`Path`): made by `begin`.
        config (`RunConfig`): that of the folder; budget, address and caps may be others.

    Raises:
        `RunFolderError`: where data, model, strategy or seed are not those the run began with.
        `ConfigError`: where the budget is less than the labels that were given or asked for already.
        `WaitingForLabels`: where people have to label first.
    """
    checks.check(config)
    facts = marked(folder, "run", config, MAY_CHANGE)
    asked = run_folder.asked(folder)
    if config.budget < asked:
        raise ConfigError(f"--budget {config.budget}: {folder} has spent {asked} labels; expected at least as many")
    config = with_store(folder, config)
    write_yaml(folder / "config.yaml", config)
    sets = stored_sets(folder)
    stop = Stopping.parse(config.stop_when) if config.stop_when is not None else None
    done = []
    with annotator_of(folder, config, sets.taxonomy, digest([folder / "run.json"])) as annotator:
        for round_ in rounds(folder, sets, config, config.strategy, config.seed, annotator, stop=stop):
            yield round_
            done.append(round_)
    if done:
        if said := sentence_of(done[-1].record):
            print(said, file=sys.stderr)
        _finish(folder, sets, done, config, facts)


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
    """
    Algorithm 1 in a folder, over tables that are read and embedded already.

    Args:
        folder (`Path`): a run folder, or the cell of a grid.
        sets (`Sets`): the four tables and the taxonomy.
        config (`LoopConfig`): learner, generator, budget, batch and the rest.
        strategy (`str`): as on the command line.
        seed (`int`): of the clustering, the strategy and the model.
        annotator (`Annotator`): who labels.
        replies (`Path`, *optional*): the store of the language model's replies, by default the folder's own.
        stop (`Stopping`, *optional*): what ends it before the budget is spent.
    """
    names = sets.taxonomy.names
    encoder = load_encoder(config.encoder)
    yield from run(
        folder,
        pool=sets.pool,
        bootstrap=sets.bootstrap,
        dev=sets.dev,
        test=sets.test,
        strategy=find_strategy(strategy),
        learner=make_learner_of(config, names, seed, encoder),
        annotator=annotator,
        # The seed of a request is the grid's, not the cell's: a post is varied once, whoever chose it.
        generator=make_generator(config, sets.taxonomy, replies or folder / "replies.sqlite"),
        encoder=encoder,
        definitions=[c.definition or c.name for c in sets.taxonomy.classes],
        budget=config.budget,
        batch=config.batch,
        clusters=config.clusters,
        variations=config.variations,
        seed=seed,
        stop=stop,
    )


def prepare(folder: Path, config: LoopConfig, sets: Sets, embedded: bool) -> None:
    """
    Writes what a run or a grid begins with: settings, taxonomy, tables, and the embeddings of all their texts.

    Raises:
        `ModelError`: where a model cannot be loaded.
        `GeneratorError`: where the language model does not answer.
    """
    for model in (config.encoder, config.model):
        local_folder(model)
    make_generator(config, sets.taxonomy, folder / "replies.sqlite", check=True)
    if not shares_encoder(config):
        _try_model(config, sets)
    write_yaml(folder / "config.yaml", config)
    sets.taxonomy.save(folder / "taxonomy.yaml")
    tables = {name: table for name in TABLES if (table := getattr(sets, name)) is not None}
    for name, table in tables.items():
        write_parquet(folder / f"{name}.parquet", table)
    if sets.gold is not None:
        write_parquet(folder / "gold.parquet", sets.gold)
    if embedded:
        encoder = load_encoder(config.encoder)
        vectors = {name: matrix(embed(table, encoder), "embedding") for name, table in tables.items()}
        with write_beside(folder / "embeddings.safetensors") as temporary:
            save_file(vectors, temporary)


def _try_model(config: LoopConfig, sets: Sets) -> None:
    """Learns from one text and scores it, so that a model which cannot do that is known before anything is made."""
    options = FitOptions.of(config).shortest(config.learner)
    learner = make_learner_of(config, sets.taxonomy.names, config.seed, None, options)
    one = learner.prepare(rows(sets.bootstrap, [0]))
    learner.fit(one, rows(one, [])).score(one)


def _data(folder: Path) -> str:
    """What a run learns from and asks for, which may not change under way."""
    names = [*(f"{name}.parquet" for name in (*TABLES, "gold")), "taxonomy.yaml"]
    return digest(folder / name for name in names)


def _inputs(config: LoopConfig) -> dict[str, str]:
    """A digest of what stays outside the folder and every round reads again, by the name of its setting."""
    models = {"model": config.model, "encoder": config.encoder}
    if config.generator == "local":
        models["generator_model"] = config.generator_model or ""
    paths = {name: Path(model) for name, model in models.items() if Path(model).is_dir()}
    found = {name: digest(sorted(f for f in path.rglob("*") if f.suffix in READ)) for name, path in paths.items()}
    if config.generator == "replay" and config.variations:
        found["generator_data"] = _replay(config).digest
    return found


def mark(folder: Path, kind: str, config: LoopConfig, may_change: Sequence[str], **facts: Any) -> None:
    """Writes down, last of all, what a run or a grid begins with: its settings, and digests of what it reads."""
    settings = {name: value for name, value in asdict(config).items() if name not in may_change}
    if inputs := _inputs(config):
        facts["inputs"] = inputs
    run_folder.mark(folder, kind, **facts, settings=settings, data=_data(folder))


def marked(folder: Path, kind: str, config: LoopConfig, may_change: Sequence[str]) -> dict[str, Any]:
    """
    What `mark` wrote, where a folder is to go on with the settings and tables it began with.

    Raises:
        `RunFolderError`: naming the setting that is another or stands for other content, or saying that tables are.
    """
    facts = run_folder.facts(folder, kind)
    # Not those of config.yaml, which is for people to read, and perhaps to edit.
    run_folder.same_settings(folder, facts["settings"], config, may_change)
    if facts["data"] != _data(folder):
        raise RunFolderError(
            f"{folder}: its tables or its taxonomy.yaml are not those it was begun with; begin anew in another --out"
        )
    now = _inputs(config)
    for name, begun in facts.get("inputs", {}).items():
        if now.get(name) != begun:
            raise RunFolderError(
                f"{folder}: what {flag(name)} {getattr(config, name)} holds is not what it was begun with; put that "
                "back, or begin anew in another --out"
            )
    return facts


def needs_embedding(config: LoopConfig, *chosen: Strategy) -> bool:
    """Whether the encoder's vectors are read at all: by a strategy, or by a learner that has the same encoder."""
    return any(map(needs_encoder, chosen)) or shares_encoder(config)


def shares_encoder(config: LoopConfig) -> bool:
    """Whether the column `embedding` is what the learner's own encoder would make."""
    return config.learner == "frozen" and config.model == config.encoder


def stored_sets(folder: Path) -> Sets:
    """The tables of a run folder or grid, with their embeddings where they were made."""
    tables = {name: read_parquet(path) for name in (*TABLES, "gold") if (path := folder / f"{name}.parquet").exists()}
    vectors = folder / "embeddings.safetensors"
    try:
        stored = load_file(vectors) if vectors.exists() else {}
    except SafetensorError as error:
        raise RunFolderError(f"{vectors}: damaged; begin anew in another --out") from error
    for name, values in stored.items():
        tables[name] = with_column(tables[name], "embedding", values)
    return Sets(taxonomy=Taxonomy.load(folder / "taxonomy.yaml"), **tables)


def make_learner_of(
    config: LoopConfig,
    names: tuple[str, ...],
    seed: int,
    encoder: Encoder | None = None,
    options: FitOptions | None = None,
) -> Learner:
    """The learner of the settings, not fitted yet; `frozen` shares the encoder where it is the same one."""
    shared = shares_encoder(config)
    return make_learner(
        config.learner,
        config.model,
        names,
        options or FitOptions.of(config),
        seed=seed,
        encoder=encoder if shared else None,
        shared=shared,
    )


def make_generator(config: LoopConfig, taxonomy: Taxonomy, replies: Path, *, check: bool = False) -> Generator:
    """
    Who writes variations.

    Args:
        config (`LoopConfig`): the settings.
        taxonomy (`Taxonomy`): the classes.
        replies (`Path`): the store of the language model's replies.
        check (`bool`): whether to see first that the model is there and answers.

    Raises:
        `GeneratorError`: where the endpoint does not answer.
        `ModelError`: where the local model cannot be loaded.
    """
    if config.generator == "none" or config.variations == 0:
        return NoVariations()
    if config.generator == "replay":
        return _replay(config)
    if config.generator == "cheap":
        return Cheap(seed=config.seed)
    store, model = Replies(replies), config.generator_model or ""
    generator: Local | Endpoint
    if config.generator == "local":
        generator = Local(model, taxonomy, replies=store, seed=config.seed, temperature=config.temperature)
    else:
        generator = Endpoint(
            config.generator_url or "",
            model,
            taxonomy,
            replies=store,
            seed=config.seed,
            concurrency=config.concurrency,
            temperature=config.temperature,
            send_to=config.send_to,
        )
    if check:
        generator.check()
    return generator


def _replay(config: LoopConfig) -> Replay:
    """The table may have the columns of the pool, or be a release, which has its own."""
    given = config.generator_data or ""
    named = Columns(id=config.id_column, text=config.text_column)
    try:
        try:
            table = read_argument(given, "variations", columns=named, encoding=config.encoding, labeled=False)
        except MissingColumnError:
            table = read_argument(given, "variations", encoding=config.encoding, labeled=False)
        return Replay(table)
    except MissingColumnError as error:
        raise MissingColumnError(f"--generator-data {given}: {error}; expected a table of variations") from None


def _origins(config: RunConfig) -> dict[str, Any]:
    """Of each table, what is known of where its texts come from: it goes along to what is published."""
    if config.start is not None:
        return dict(run_folder.facts(Path(config.start), "start").get("origins", {}))
    return {name: origin(given) for name in TABLES if (given := getattr(config, name))}


def _finish(folder: Path, sets: Sets, done: Sequence[Round], config: RunConfig, facts: dict[str, Any]) -> None:
    """The release folder and the last learner, once."""
    last, names, strategy = done[-1], sets.taxonomy.names, facts["strategy"]
    acquired = conform(rows(last.train, range(len(sets.bootstrap), len(last.train))), names)
    splits = {"validation": conform(sets.dev, names), "test": conform(sets.test, names)}
    records = [{k: v for k, v in round_.record.items() if k not in ("chosen", "found")} for round_ in done]

    def come(train: str) -> dict[str, Any]:
        return together(facts.get("origins", {}).get(name, {}) for name in (train, "dev", "test"))

    write_release(
        folder / "data",
        {"bootstrap": {"train": conform(sets.bootstrap, names), **splits}, strategy: {"train": acquired, **splits}},
        default=strategy,
        title=f"Acquired by {strategy}",
        taxonomy=sets.taxonomy,
        known={
            "bootstrap": {"acquired": {"by": "start" if config.start else "given"}, **come("bootstrap")},
            strategy: {"acquired": {"by": "run", **_told(config)}, "rounds": records, **come("pool")},
        },
        replace=True,
    )
    learner = last.learner()
    measured = _measured(folder, last.number, names)
    record = ModelRecord.of(
        learner.describe(), configs=["bootstrap", strategy], train=last.train, test=splits["test"], measured=measured
    )
    learner.save(folder / "learner", record)


def _measured(folder: Path, number: int, names: Sequence[str]) -> dict[str, AllMetrics]:
    """All figures of a round's learner on dev and test, out of the predictions that the round stored."""
    predictions = read_parquet(folder / "rounds" / f"{number:02d}" / "predictions.parquet")
    split = np.array(predictions["split"][:])
    labels, guesses = matrix(predictions, "label"), matrix(predictions, "probs").argmax(axis=1)
    return {name: all_metrics(labels[split == name], guesses[split == name], names) for name in ("dev", "test")}


def _told(config: RunConfig) -> dict[str, Any]:
    """The settings that others may know: where a model stood on this machine concerns nobody."""
    told = ("strategy", "learner", "model", "encoder", "annotator", "generator", "generator_model", "budget", "batch")
    settings = {name: getattr(config, name) for name in (*told, "clusters", "variations", "seed")}
    if config.stop_when is not None:
        settings["stop_when"] = config.stop_when
    for name in ("model", "encoder", "generator_model"):
        if settings[name] and Path(settings[name]).exists():
            settings[name] = Path(settings[name]).name
    return settings
