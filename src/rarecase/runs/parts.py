"""From settings to the objects that a run, a grid or a start is made of; nothing below `runs/` knows a setting."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from rarecase.acquire.find import code_of
from rarecase.acquire.stopping import Stopping
from rarecase.acquire.strategy import Strategy, needs_encoder
from rarecase.core.errors import ConfigError, DataError, command_line, flag
from rarecase.core.files import digest
from rarecase.data.acquired import Acquired
from rarecase.data.read import Columns, parse_argument
from rarecase.data.read.argument import digest_of_rows
from rarecase.data.read.origin import Origin, origin
from rarecase.data.schema import hash_of
from rarecase.data.sets import LABELED, Sets, Sources, read_sets, require_people, warn_of_missing_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.generate.prompt import SHIPPED, Prompt
from rarecase.guard.certificate import CERTIFICATE
from rarecase.hub.ids import name_of
from rarecase.labeling.llm import SURE
from rarecase.learn import Learner, make_learner
from rarecase.learn.hyperparameters import FitOptions
from rarecase.models.encoder import Encoder
from rarecase.runs.folder import EMBEDDINGS, TABLES, Input, Manifest, RoundFiles, digest_of_tables, stored_sets
from rarecase.runs.generation import generating_name, replay_of, template_of
from rarecase.settings.config import (
    SOURCES,
    DataConfig,
    LearnerConfig,
    LoopConfig,
    RunConfig,
    SimulateConfig,
    StartConfig,
    split_list,
)

_MODEL_FILES = (".json", ".safetensors", ".txt")  # those that say what a model does
# What a release tells of its run; where a model stands on this machine concerns nobody.
_RELEASED = ("strategy", "learner", "model", "encoder", "annotator", "generator", "generator_model", "budget", "batch")


def rounds_of(labels: int, config: LoopConfig) -> int:
    """How many rounds so many labels last, where each batch is labelled whole."""
    return -(-labels // config.batch)


def require_budget(folder: Path, config: LoopConfig) -> None:
    """Raises `ConfigError` where a run has spent more than its budget already."""
    spent = RoundFiles(folder).spent()
    if config.budget < spent:
        raise ConfigError(f"--budget {config.budget}: {folder} has spent {spent} labels; expected at least as many")


def require_a_batch(sets: Sets, config: LoopConfig) -> None:
    """Raises `ConfigError` where the pool is smaller than one batch, or than the number of clusters."""
    size = len(sets.pool)
    for name, value in {"batch": config.batch, "clusters": config.clusters}.items():
        if value is not None and size < value:
            raise ConfigError(
                f"{flag(name)} {value}: expected at most the {size} posts that the pool has left; lower it, or give a "
                "larger pool"
            )


def sets_of(config: DataConfig, *, draws_test: bool = False) -> Sets:
    """The tables that the settings name; with `draws_test` without a test set, see `rarecase.data.sets.draw_test`."""
    sets = _read_sets(config, draws_test=draws_test)
    require_people(sets)
    return sets


def _read_sets(config: DataConfig, *, draws_test: bool) -> Sets:
    if config.start is not None:
        return _sets_of_start(Path(config.start))
    wanted = [name for name in ("pool", *LABELED) if not (draws_test and name == "test")]
    for name in wanted:
        if getattr(config, name) is None:
            also = ", or --start FOLDER for all four sets" if name != "pool" else ""
            raise ConfigError(f"{flag(name)} is missing: a file, a folder or a data set of the Hub{also}")
    addresses = {name: getattr(config, name) for name in wanted}
    return read_sets(
        Sources(**addresses, columns=columns_of(config), encoding=config.encoding, taxonomy=config.taxonomy)
    )


def columns_of(config: DataConfig | StartConfig) -> Columns:
    """What the columns are called in the tables."""
    return Columns(id=config.id_column, text=config.text_column, label=config.label_column)


def _sets_of_start(folder: Path) -> Sets:
    """The folder that `rarecase start` made; its tables are clean already."""
    Manifest.read(folder, "start")
    missing = [name for name in ("pool", *LABELED) if not (folder / f"{name}.parquet").exists()]
    if missing:
        raise ConfigError(
            f"{folder}: no {missing[0]}.parquet yet; go on with: {command_line('start', '--resume', folder)}"
        )
    sets = stored_sets(folder)
    warn_of_missing_classes(sets)
    return sets


def stopping_of(config: RunConfig) -> Stopping | None:
    """What ends the run before its budget is spent."""
    return None if config.stop_when is None else Stopping.parse(config.stop_when)


def needs_embedding(config: LoopConfig, *chosen: Strategy) -> bool:
    """Whether the encoder's vectors are read at all: by a strategy, or by a learner that has the same encoder."""
    return any(map(needs_encoder, chosen)) or shares_encoder(config)


def shares_encoder(config: LearnerConfig) -> bool:
    """Whether there is a column `embedding`, which is what the learner's own encoder would make."""
    is_same = isinstance(config, LoopConfig) and config.learner == "frozen" and config.model == config.encoder
    return is_same and config.max_length is None  # the strategies' reads as much as it says


def learner_of(
    config: LearnerConfig, names: tuple[str, ...], seed: int, encoder: Encoder | None = None, *, trial: bool = False
) -> Learner:
    """The learner of the settings, not fitted yet; a `trial` has the shortest training, to see whether it works."""
    shared, options = shares_encoder(config), FitOptions.of(config)
    options = options.shortest(config.learner) if trial else options
    own = encoder if shared else None
    return make_learner(config.learner, config.model, names, options, seed=seed, encoder=own, shared=shared)


def manifest_of(folder: Path, kind: str, config: LoopConfig, may_change: Sequence[str]) -> Manifest:
    """What `run.json` says of the settings of a run or a grid, and of the tables and models that it begins with."""
    settings = {name: value for name, value in asdict(config).items() if name not in may_change}
    inputs = digests(inputs_of(config))
    data, vectors = digest_of_tables(folder), folder / EMBEDDINGS
    embeddings = digest([vectors]) if vectors.exists() else ""
    return Manifest(kind, inputs=inputs, settings=settings, data=data, embeddings=embeddings)


def origins_of(config: RunConfig) -> Mapping[str, Origin]:
    """Of each table, what is known of the source of its texts, which is published with them."""
    if config.start is not None:
        return Manifest.read(Path(config.start), "start").origins
    return {name: origin(given) for name in TABLES if (given := getattr(config, name))}


def inputs_of(config: LoopConfig) -> dict[str, Input]:
    """What stays outside the folder and every round reads again, by the name of its setting."""
    models = {"model": config.model, "encoder": config.encoder}
    if config.generator == "local":
        models["generator_model"] = config.generator_model or ""
    if isinstance(config, RunConfig) and config.annotator_model and not (config.annotator_url or config.generator_url):
        models["annotator_model"] = config.annotator_model
    found = {name: Input(f"{flag(name)} {model}", digest_of_model(model)) for name, model in models.items()}
    found |= _sources_of(config)
    if config.template is not None and config.template not in SHIPPED:
        path = Path(config.template)
        found["template"] = Input(f"--template {path}", digest([path]) if path.is_file() else None)
    if config.generator == "replay" and config.variations:
        given = f"--generator-data {config.generator_data}"
        found["generator_data"] = Input(given, replay_of(config).digest)
    return found | own_code_of(config) if isinstance(config, SimulateConfig) else found


def own_code_of(config: SimulateConfig) -> dict[str, Input]:
    """The files of the user's own strategies, by their names: cells that are done are of what they held then."""
    files = {name: code_of(name) for name in split_list(config.strategies)}
    return {name: Input(f"--strategies {name}", digest([file])) for name, file in files.items() if file}


def digests(inputs: Mapping[str, Input]) -> dict[str, str]:
    """What `run.json` says of inputs: of those that are on this machine."""
    return {name: found.digest for name, found in inputs.items() if found.digest is not None}


def _sources_of(config: LoopConfig) -> dict[str, Input]:
    """The tables and the classes; those that are gone are left out, for the folder has its own copy of them."""
    found = {}
    for name in SOURCES:
        if (given := getattr(config, name)) is None:
            continue
        shown = f"{flag(name)} {given}"
        try:
            found[name] = Input(shown, _digest_of_source(name, given, config))
        except DataError:
            if Path(parse_argument(given).source).exists():
                raise
            print(f"warning: {shown} cannot be read any more; going on with the stored copy", file=sys.stderr)
    return found


def _digest_of_source(name: str, given: str, config: LoopConfig) -> str:
    if name == "start":
        if not Path(given).exists():
            raise DataError(f"{given}: no such folder")
        return digest_of_tables(Path(given))
    if name == "taxonomy":
        return hash_of(json.dumps(asdict(Taxonomy.load(given))))
    return digest_of_rows(given, name, columns=columns_of(config), encoding=config.encoding)


def digest_of_model(model: str) -> str | None:
    """
    One hash over the files of a model folder that say what it does, without what is measured of it later; None where
    it is a Hub id or `packaged`.
    """
    folder = Path(model)
    files = (file for file in folder.rglob("*") if file.suffix in _MODEL_FILES and file.name != CERTIFICATE)
    return digest(sorted(files)) if folder.is_dir() else None


def acquired_by(config: RunConfig) -> Acquired:
    """What a release says of the run that acquired it; a model folder by its name alone."""
    settings = {"by": "run"} | {name: getattr(config, name) for name in (*_RELEASED, "clusters", "variations", "seed")}
    if config.generator != "none" and config.variations:
        settings["policy"] = config.policy
    if config.asks_a_model and "target" in Prompt.load(template_of(config)).uses:
        settings["contrasts"] = True
    if config.stop_when is not None:
        settings["stop_when"] = config.stop_when
    for name in ("model", "encoder"):
        if settings[name] and Path(settings[name]).exists():
            settings[name] = Path(settings[name]).name
    if config.generator == "local":  # as its rows name it
        settings["generator_model"] = generating_name(config)
    if config.annotator == "llm":
        settings["annotator_model"] = name_of(config.annotator_model or config.generator_model or "")
        if config.doubtful_to is not None:
            settings |= {"doubtful_to": config.doubtful_to, "sure": SURE if config.sure is None else config.sure}
    return cast(Acquired, settings)
