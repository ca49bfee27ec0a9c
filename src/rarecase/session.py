"""
From settings to a run: the folder it begins in, the parts that Algorithm 1 is handed, and how it goes on.

A run folder appears whole: the tables are read and checked, the texts embedded and the models looked for in a folder
beside, which is renamed when all is well. So bad input leaves nothing behind.
"""

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rarecase import run_folder
from rarecase.acquire import strategies
from rarecase.acquire.embed import Encoder, embed, load_encoder
from rarecase.algorithm import Round, Strategy, name_of, run
from rarecase.annotate import Annotator
from rarecase.annotate.file import File
from rarecase.config import MAY_CHANGE, LoopConfig, RunConfig, check, require_out, write_yaml
from rarecase.errors import ConfigError, MissingColumnError, RunFolderError, did_you_mean
from rarecase.files import digest, read_parquet, write_beside, write_folder_beside, write_parquet
from rarecase.generate import Generator, NoVariations
from rarecase.generate.endpoint import Endpoint
from rarecase.generate.local import Local
from rarecase.generate.replay import Replay
from rarecase.generate.replies import Replies
from rarecase.learn import Learner, make_learner
from rarecase.models import local_folder
from rarecase.release import write_release
from rarecase.schema import conform, matrix, rows, with_column
from rarecase.sets import Sets, gold_annotator, read_sets, require_a_batch
from rarecase.tables import read_argument
from rarecase.taxonomy import Taxonomy

STRATEGIES = ("random", "entropy", "coreset", "cluster")
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
    check(config)
    out = require_out(config)
    run_folder.refuse_used(out)
    strategy = find_strategy(config.strategy)
    sets = read_sets(config)
    require_a_batch(sets, config)
    if config.annotator == "gold" and sets.gold is None:
        raise ConfigError("--annotator gold: the pool has no labels; name their column, or say --annotator file")
    with write_folder_beside(out) as folder:
        prepare(folder, config, sets, embedded=needs_embedding(config, strategy))
        mark(folder, "run", config, MAY_CHANGE, strategy=name_of(strategy))
    return out


def go_on(folder: Path, config: RunConfig) -> Iterator[Round]:
    """
    Runs what is left of a run, and then writes `data/` (a release folder) and `learner/`.

    Args:
        folder (`Path`): made by `begin`.
        config (`RunConfig`): that of the folder; budget, address and caps may be others.

    Raises:
        `RunFolderError`: where data, model, strategy or seed are not those the run began with.
        `WaitingForLabels`: where people have to label first.
    """
    facts = marked(folder, "run", config, MAY_CHANGE)
    write_yaml(folder / "config.yaml", config)
    sets = stored_sets(folder)
    annotator = _annotator(folder, sets, config)
    done = []
    for round_ in rounds(folder, sets, config, config.strategy, config.seed, annotator):
        yield round_
        done.append(round_)
    if done:
        _finish(folder, sets, done, config, facts["strategy"])


def rounds(
    folder: Path,
    sets: Sets,
    config: LoopConfig,
    strategy: str,
    seed: int,
    annotator: Annotator,
    replies: Path | None = None,
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
        budget=config.budget,
        batch=config.batch,
        clusters=config.clusters,
        variations=config.variations,
        seed=seed,
    )


def find_strategy(name: str) -> Strategy:
    """
    One of the four, or a function of the user's own.

    Args:
        name (`str`): `random`, `entropy`, `coreset`, `cluster`, or `module:function`, the module found from the
            working folder.

    Raises:
        `ConfigError`: where there is no such function, with the near name.

    Example:
        >>> find_strategy("cluster")
    """
    if name in STRATEGIES:
        return getattr(strategies, name)
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise ConfigError(
            f"--strategy {name}: expected one of {', '.join(STRATEGIES)}, or module:function"
            f"{did_you_mean(name, STRATEGIES)}"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.split(".")[0] and error.name != module_name:
            raise
        raise ConfigError(
            f"--strategy {name}: no module {module_name!r} in {os.getcwd()} or the environment"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        functions = [other for other, value in vars(module).items() if callable(value)]
        raise ConfigError(
            f"--strategy {name}: no such function in {module_name}{did_you_mean(function_name, functions)}"
        )
    return function


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
    learner = make_learner_of(replace(config, epochs=1), sets.taxonomy.names, config.seed)
    one = learner.prepare(rows(sets.bootstrap, [0]))
    learner.fit(one, rows(one, [])).score(one)


def _data(folder: Path) -> str:
    """What a run learns from and asks for, which may not change under way."""
    names = [*(f"{name}.parquet" for name in (*TABLES, "gold")), "taxonomy.yaml"]
    return digest(folder / name for name in names)


def mark(folder: Path, kind: str, config: LoopConfig, may_change: Sequence[str], **facts: Any) -> None:
    """Writes down, last of all, what a run or a grid begins with: its settings, and a digest of its tables."""
    settings = {name: value for name, value in asdict(config).items() if name not in may_change}
    run_folder.mark(folder, kind, **facts, settings=settings, data=_data(folder))


def marked(folder: Path, kind: str, config: LoopConfig, may_change: Sequence[str]) -> dict[str, Any]:
    """
    What `mark` wrote, where a folder is to go on with the settings and tables it began with.

    Raises:
        `RunFolderError`: naming the setting that is another, or saying that the tables are.
    """
    facts = run_folder.facts(folder, kind)
    # Not those of config.yaml, which is for people to read, and perhaps to edit.
    run_folder.same_settings(folder, replace(config, **facts["settings"]), config, may_change)
    if facts["data"] != _data(folder):
        raise RunFolderError(
            f"{folder}: its tables or its taxonomy.yaml are not those it was begun with; begin anew in another --out"
        )
    return facts


def needs_embedding(config: LoopConfig, *chosen: Strategy) -> bool:
    """Whether the encoder's vectors are read at all: by a strategy, or by a learner that has the same encoder."""
    read = {column for strategy in chosen for column in getattr(strategy, "needs", ("embedding",))}
    return bool(read & {"embedding", "cluster"}) or shares_encoder(config)


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


def make_learner_of(config: LoopConfig, names: tuple[str, ...], seed: int, encoder: Encoder | None = None) -> Learner:
    """The learner of the settings, not fitted yet; `frozen` shares the encoder where it is the same one."""
    shared = shares_encoder(config)
    return make_learner(
        config.learner,
        config.model,
        names,
        seed=seed,
        precision=config.precision,
        epochs=config.epochs,
        learning_rate=config.learning_rate,
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
        given = config.generator_data or ""
        try:
            return Replay(read_argument(given, "variations", labeled=False))
        except MissingColumnError as error:
            raise MissingColumnError(f"--generator-data {given}: {error}; expected a table of variations") from None
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


def _annotator(folder: Path, sets: Sets, config: RunConfig) -> Annotator:
    if config.annotator == "file":
        return File(folder / "to_label.csv", sets.taxonomy, f"rarecase run --resume {folder}")
    assert sets.gold is not None  # noqa: S101 - checked when the run began
    return gold_annotator(sets.gold, sets.taxonomy)


def _finish(folder: Path, sets: Sets, done: Sequence[Round], config: RunConfig, strategy: str) -> None:
    """The release folder and the last learner, once."""
    last, names = done[-1], sets.taxonomy.names
    acquired = conform(rows(last.train, range(len(sets.bootstrap), len(last.train))), names)
    splits = {"validation": conform(sets.dev, names), "test": conform(sets.test, names)}
    records = [{k: v for k, v in round_.record.items() if k not in ("chosen", "found")} for round_ in done]
    write_release(
        folder / "data",
        {"bootstrap": {"train": conform(sets.bootstrap, names), **splits}, strategy: {"train": acquired, **splits}},
        default=strategy,
        title=f"Acquired by {strategy}",
        taxonomy=sets.taxonomy,
        known={
            "bootstrap": {"acquired": {"by": "start"}},
            strategy: {"acquired": {"by": "run", **_told(config)}, "rounds": records},
        },
        replace=True,
    )
    last.learner().save(folder / "learner")


def _told(config: RunConfig) -> dict[str, Any]:
    """The settings that others may know: where a model stood on this machine concerns nobody."""
    told = ("strategy", "learner", "model", "encoder", "annotator", "generator", "generator_model", "budget", "batch")
    settings = {name: getattr(config, name) for name in (*told, "clusters", "variations", "seed")}
    for name in ("model", "encoder", "generator_model"):
        if settings[name] and Path(settings[name]).exists():
            settings[name] = Path(settings[name]).name
    return settings
