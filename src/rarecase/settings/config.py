"""
The settings of the commands: frozen dataclasses, each field a flag of the command line and a key of the YAML file,
with its rules (`rarecase.settings.checks`). This module imports nothing heavy: the command line reads it to print its
help.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import yaml

from rarecase.core.documents import parse_yaml, read_document, reason
from rarecase.core.errors import ConfigError, DataError, did_you_mean, shown_id
from rarecase.core.files import write_text
from rarecase.core.typed import from_json
from rarecase.settings.annotation import OF_PEOPLE, AnnotationConfig
from rarecase.settings.checks import above, at_least, between, installed, no_effect_beside, setting
from rarecase.settings.generation import ENDPOINT_MAY_CHANGE, GENERATORS, GenerationConfig

# What of a run is read when it begins, and stored.
SOURCES = ("start", "pool", "bootstrap", "dev", "test", "taxonomy")
# What may change when a run goes on: none of these has a part in what the stored files say.
MAY_CHANGE = ("budget", *ENDPOINT_MAY_CHANGE, "annotator_url", "store", "report_to", "out")
# What may change when a start goes on; the classes only until a label is stored, see `rarecase.runs.start`.
START_MAY_CHANGE = ("classes", "taxonomy", "store", "out")
MOST_SEEDS = 1000  # every cell of a grid is known from its begin; an interval from a tenth as many is narrow already

PAPERS_LENGTH = 50  # tokens of a text that its models read

_NOT_WITH_START = no_effect_beside("start")
# Those of the tables of `--start` are known; a table of variations may still need them.
_OF_TABLES = no_effect_beside("start", unless={"generator": "replay"})
# Each tracker's packages, one of which it needs.
_TRACKERS = {"none": (), "trackio": ("trackio",), "tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",)}


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """
    The tables that go in: each `PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`, a file, a folder or a data set of the Hub.

    Args:
        start (`str`, *optional*): a folder that `rarecase start` made; stands for all four sets.
        pool (`str`, *optional*): the unlabelled posts.
        bootstrap (`str`, *optional*): the labelled posts to begin with.
        dev (`str`, *optional*): labelled; chooses epochs.
        test (`str`, *optional*): labelled; measured on.
        id_column (`str`, *optional*): by default `id`; without one, ids come from a hash of the text.
        text_column (`str`, *optional*): by default `text`.
        label_column (`str`, *optional*): by default `label`.
        encoding (`str`): of text files.
        taxonomy (`str`, *optional*): a YAML file of classes; by default the shipped six where the labels are those,
            else the labels found.
    """

    start: str | None = None
    pool: str | None = setting(None, _NOT_WITH_START)
    bootstrap: str | None = setting(None, _NOT_WITH_START)
    dev: str | None = setting(None, _NOT_WITH_START)
    test: str | None = setting(None, _NOT_WITH_START)
    id_column: str | None = setting(None, _OF_TABLES)
    text_column: str | None = setting(None, _OF_TABLES)
    label_column: str | None = setting(None, _NOT_WITH_START)
    encoding: str = setting("utf-8", _OF_TABLES)
    taxonomy: str | None = setting(None, _NOT_WITH_START)


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """
    How a learner is fitted, whatever its model.

    Args:
        learner (`str`): `frozen` (embeddings and a logistic head), `setfit` (the same, once the embeddings are
            fine-tuned by contrast) or `finetune` (a transformer).
        seed (`int`): decides everything that is drawn.
        precision (`str`, *optional*): of `finetune` and `setfit`: `fp32` or `bf16`; by default bf16 on a GPU that has
            it, else fp32.
        epochs (`int`, *optional*): of `finetune`; by default the model's, see `rarecase.learn.hyperparameters`.
        updates (`int`, *optional*): of `finetune` and `setfit`: optimiser steps in all; by default `finetune` runs
            epochs that may stop early, and `setfit` takes at most 100 steps.
        learning_rate (`float`, *optional*): of `finetune` and `setfit`; by default the model's, and 2e-5 for `setfit`.
        class_weights (`str`, *optional*): `none`, `sqrt` or `balanced`, by the inverse of a class's count; by default
            the model's, and `balanced` for `frozen` and `setfit`.
        tune (`bool`): choose C of `frozen`, or the learning rate of the others, on dev.
        max_length (`int`, *optional*): tokens of a text that are read, at most as many as the model has positions for;
            by default as many as the model says, of `finetune` at most 512, and in an experiment with `finetune` the
            paper's 50.
    """

    learner: Literal["frozen", "setfit", "finetune"] = "frozen"
    seed: int = setting(0, at_least(0))
    precision: Literal["fp32", "bf16"] | None = setting(None, no_effect_beside(learner=("frozen",)))
    epochs: int | None = setting(None, at_least(1), no_effect_beside("updates", learner=("frozen", "setfit")))
    updates: int | None = setting(None, at_least(1), no_effect_beside(learner=("frozen",)))
    learning_rate: float | None = setting(None, above(0), no_effect_beside(learner=("frozen",)))
    class_weights: Literal["none", "sqrt", "balanced"] | None = None
    tune: bool = False
    max_length: int | None = setting(None, at_least(1))


@dataclass(frozen=True, kw_only=True)
class LearnerConfig(FitConfig):
    """
    What learns.

    Args:
        model (`str`): the learner's model, a Hub id or a folder; `packaged` is all-MiniLM-L6-v2, which a package
            carries.
    """

    model: str = "packaged"


@dataclass(frozen=True, kw_only=True)
class LoopConfig(GenerationConfig, LearnerConfig, DataConfig):
    """
    What the loop of Algorithm 1 is made of.

    Args:
        encoder (`str`): makes the embeddings that strategies look at, whatever the learner; a Hub id, folder or
            `packaged`.
        budget (`int`): labels in all.
        batch (`int`): labels a round.
        clusters (`int`, *optional*): regions of the pool, for the strategies `cluster` and `disagreement`; by default
            as many as the batch.
        out (`Path`, *optional*): the folder to write.
    """

    encoder: str = "packaged"
    budget: int = setting(100, at_least(1))
    batch: int = setting(20, at_least(1))
    clusters: int | None = setting(None, at_least(1))
    out: Path | None = None


@dataclass(frozen=True, kw_only=True)
class TrackedConfig:
    """
    Where figures go as soon as they are there.

    Args:
        report_to (`str`): an experiment tracker, whose package is installed: `trackio`, `tensorboard` (files in the
            folder `logs` beside `--out`), `wandb` or `none`. It gets numbers and the names of classes, and no text.
    """

    report_to: Literal["none", "trackio", "tensorboard", "wandb"] = setting("none", installed(_TRACKERS))


@dataclass(frozen=True, kw_only=True)
class RunConfig(AnnotationConfig, LoopConfig, TrackedConfig):
    """
    One run of the loop.

    Args:
        strategy (`str`): one that ships with rarecase, or a function of your own as `module:function`.
        stop_when (`str`, *optional*): what ends the run before its budget is spent: `gain=0.3` (ten more labels would
            change at most 0.3 % of predictions), `stability=0.99` (the kappa of successive learners) or
            `uncertainty=0.2` (mean entropy, in nats); several are separated by commas, and the first that holds stops.
            See `rarecase.acquire.stopping`. A simulation has none: its curves are compared at equal labels.

    Example:
        >>> RunConfig(strategy="rare", budget=200).batch
        20
    """

    strategy: str = "rare_first"
    stop_when: str | None = None


@dataclass(frozen=True, kw_only=True)
class SimulateConfig(LoopConfig):
    """
    A grid of runs with hidden gold labels.

    Args:
        strategies (`str`): names, separated by commas.
        seeds (`int`): how many, at most 1,000; they are `seed`, `seed` + 1, …
        test_size (`int`, *optional*): rows drawn from the pool anew for each seed, where there is no `test`.
    """

    strategies: str = "random,entropy,coreset,cluster"
    seeds: int = setting(1, between(1, MOST_SEEDS))
    test_size: int | None = setting(None, at_least(1), no_effect_beside("start", "test"))


@dataclass(frozen=True, kw_only=True)
class TrainConfig(LearnerConfig, TrackedConfig):
    """
    A learner on a released set, outside the loop.

    Args:
        config_name (`str`): whose training rows to put together, separated by commas, such as `bootstrap,cluster`;
            `all` of a run.
        taxonomy (`str`, *optional*): a YAML file of classes, by default those of the data.
        out (`Path`, *optional*): the model folder to write.
    """

    config_name: str
    taxonomy: str | None = None
    out: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig(FitConfig):
    """
    A grid of models over released splits: the paper's Tables 4 to 6, with seeds.

    Args:
        data (`str`, *optional*): a release folder or a data set of the Hub, with a config `bootstrap` and one for each
            strategy; or folders of `rarecase simulate`, separated by commas: then the strategies are what their cells
            acquired, STRATEGY@LEARNER-MODEL, and each seed has its own.
        models (`str`): Hub ids, folders or `packaged`, separated by commas; by default the paper's five.
        strategies (`str`, *optional*): configs of the data, separated by commas; by default all but `bootstrap`.
        settings (`str`): what is learned from, separated by commas: `bootstrap` (the start set alone), `human` (with
            what people labelled of a strategy), `human+llm` (with the variations too), `human+weights` (with balanced
            class weights, so give the others `--class-weights none`), `human+cheap` (with five variations of each text
            that people labelled, made by swapping and deleting words).
        seeds (`int`): how many, at most 1,000; they are `seed`, `seed` + 1, …
        reading (`str`, *optional*): of the labels, where the data has two: `published` or `consistent`; by default as
            the data has them.
        leave_out_overlap (`bool`): measures without the test texts that are in a training split too.
        shard (`str`, *optional*): `I/N`: only every N-th cell, from the I-th, for N machines that share the folder or
            put their `cells` together afterwards.
        out (`Path`, *optional*): the folder to write; the same command again goes on.
    """

    learner: Literal["frozen", "setfit", "finetune"] = "finetune"
    data: str | None = None
    models: str = (
        "google-bert/bert-base-cased,google-bert/bert-base-uncased,FacebookAI/roberta-base,"
        "distilbert/distilbert-base-cased,distilbert/distilbert-base-uncased"
    )
    strategies: str | None = None
    settings: str = "bootstrap,human,human+llm"
    seeds: int = setting(1, between(1, MOST_SEEDS))
    reading: Literal["published", "consistent"] | None = None
    leave_out_overlap: bool = False
    shard: str | None = None
    out: Path | None = None


@dataclass(frozen=True, kw_only=True)
class StartConfig:
    """
    Random sets out of a pool of posts, to begin with.

    Args:
        pool (`str`, *optional*): the posts, `PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`.
        bootstrap (`int`): posts drawn to begin with; the sets share none.
        dev (`int`): posts drawn to choose epochs on.
        test (`int`): posts drawn to measure on.
        certify (`int`): posts drawn to calibrate a guard on.
        annotator (`str`): `file` (people fill in `to_label.csv`), `people` (on the page of `rarecase label serve`) or
            `gold` (labels that are in the pool already); a language model labels none of these sets, which measure it.
        store (`str`, *optional*): of `--annotator people`: the label store, a file, `postgresql://…` or
            `hf://datasets/OWNER/NAME`; by default `labels.sqlite` in the output folder. One outside of that is named
            again by whoever goes on.
        seed (`int`): decides the draw.
        id_column (`str`, *optional*): by default `id`; without one, ids come from a hash of the text.
        text_column (`str`, *optional*): by default `text`.
        label_column (`str`, *optional*): by default `label`.
        encoding (`str`): of text files.
        classes (`str`, *optional*): the names of the classes to label by, separated by commas.
        taxonomy (`str`, *optional*): instead, a YAML file of classes, which `rarecase taxonomy` begins; by default the
            shipped six, or the gold labels. Others may be named when the start goes on, until a label is stored.
        out (`Path`, *optional*): the folder to write; `rarecase run --start` takes it.
    """

    pool: str | None = None
    bootstrap: int = setting(150, at_least(1))
    dev: int = setting(150, at_least(1))
    test: int = setting(500, at_least(1))
    certify: int = setting(0, at_least(0))
    annotator: Literal["file", "people", "gold"] = "file"
    store: str | None = setting(None, *OF_PEOPLE)
    seed: int = setting(0, at_least(0))
    id_column: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    encoding: str = "utf-8"
    classes: str | None = setting(None, no_effect_beside("taxonomy"))
    taxonomy: str | None = None
    out: Path | None = None


def as_begun(settings: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """
    The settings of a folder as they would be today, whenever it was begun: before `max_length` was a setting,
    `finetune` read the paper's 50 tokens; before there were templates, a language model was asked what `small` asks;
    before `policy` was one, whatever failed a check was left out; and what its generator has no use for was stored all
    the same.
    """
    if not issubclass(kind, LoopConfig):
        return dict(settings)
    older: dict[str, Any] = {"max_length": PAPERS_LENGTH} if settings.get("learner") == "finetune" else {}
    generator = settings.get("generator", kind.generator)
    if generator in GENERATORS["generator_model"]:
        older["template"] = "small"
    older |= {} if generator == "none" else {"policy": "strict"}
    unused = {name for name, kinds in GENERATORS.items() if generator not in kinds}
    return older | {name: None if name in unused else value for name, value in settings.items()}


def read_config(folder: Path, kind: type, begun: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The `config.yaml` of a folder; a `ConfigError` where it is damaged, or has less than it was `begun` with."""
    path = folder / "config.yaml"
    way = "the file is damaged: put it back, or begin anew in another --out"
    if begun:
        way = "the file is damaged: put it back, or write in it what run.json has under `settings`"
    settings, types = as_begun(read_yaml(path, kind, way), kind), get_type_hints(kind)
    try:
        for name, value in settings.items():
            if Path not in get_args(types[name]):  # paths are written as texts
                from_json(types[name], value, f"{path}: {name}")
    except DataError as error:
        raise ConfigError(f"{str(error).partition(';')[0]}; {way}") from None
    if missing := next((name for name in begun or () if name not in settings), None):
        raise ConfigError(f"{path}: {missing} is missing; {way}")
    return settings


def read_yaml(path: Path, kind: type, way: str = "--config takes a YAML file of settings") -> dict[str, Any]:
    """The settings of a YAML file, by field name; raises `ConfigError` where it has other keys than `kind`."""
    try:
        content = parse_yaml(read_document(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {reason(error)}; {way}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, such as `budget: 100`")
    known = [field.name for field in fields(kind)]
    settings = {}
    for key, value in content.items():
        name = str(key).replace("-", "_")
        if name not in known:
            raise ConfigError(f"{path}: unknown setting{shown_id(str(key))}{did_you_mean(name, known)}")
        settings[name] = value
    return settings


def write_yaml(path: Path, config: FitConfig | StartConfig) -> None:
    """Writes every setting, so that a run says all it was begun with."""
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(config).items()}
    write_text(path, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


def split_list(value: str) -> list[str]:
    """Names separated by commas, each once."""
    return list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))


def class_names(value: str) -> list[str]:
    """The names that `--classes` has; a `ConfigError` where there are fewer than two."""
    if len(names := split_list(value)) < 2:
        raise ConfigError("--classes: expected the names of two classes or more, separated by commas")
    folded = [name.casefold() for name in names]
    if (twice := next((i for i, name in enumerate(folded) if name in folded[:i]), None)) is not None:
        first = names[folded.index(folded[twice])]
        raise ConfigError(
            f"--classes: {first!r:.40} and {names[twice]!r:.40} differ in case alone; rename one of them"
        )
    return names
