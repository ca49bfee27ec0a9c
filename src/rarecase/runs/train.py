"""`rarecase train`: a learner on a released set, outside the loop."""

import secrets
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, concatenate_datasets

from rarecase.core.errors import ConfigError, DataError
from rarecase.core.processes import on_main
from rarecase.core.progress import doing, say
from rarecase.data.read import read_argument, row_of
from rarecase.data.read.hub import load
from rarecase.data.read.origin import release_of
from rarecase.data.read.table import is_release
from rarecase.data.release import ALL
from rarecase.data.sets import taxonomy_of, with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.predictions import measured, predictions_of
from rarecase.guard.guard import Guard
from rarecase.learn.record import ModelRecord
from rarecase.runs.folder import refuse_filled
from rarecase.runs.lengths import say_what_is_cut
from rarecase.runs.parts import learner_of
from rarecase.runs.trackers import epochs_reported, figures_of, reporting
from rarecase.settings.checks import check, require_out
from rarecase.settings.config import TrainConfig, split_list
from rarecase.verify.policy import accepted


def train(data: str, config: TrainConfig) -> dict[str, Any]:
    """
    Trains on the `train` splits of some configs, chooses epochs on `validation` of the first and measures on its
    `test`; writes the model folder, and gives the number of training rows with the figures of dev and test.
    """
    check(config)
    out = require_out(config.out)
    on_main(refuse_filled, out)
    configs = split_list(config.config_name)
    if not configs:
        raise ConfigError("--config-name is empty: expected names separated by commas, such as bootstrap,cluster")
    if ALL in configs and len(configs) > 1:
        raise ConfigError(f"--config-name {config.config_name}: {ALL} has the rows of the others; leave these out")
    if Path(data).exists() and not is_release(Path(data)):
        raise DataError(
            f"{data} is no release (a folder with a README.md that lists configs, such as the data/ of a run); give "
            "one, or a data set of the Hub"
        )
    # Configs and splits may share a name.
    parts = {("train", name): (f"{data}:{name}", "train") for name in configs}
    parts |= {(role, configs[0]): (f"{data}:{configs[0]}", role) for role in ("dev", "test")}
    with doing("reading the data"):
        raw = on_main(lambda: {key: read_argument(*part) for key, part in parts.items()})
    taxonomy = on_main(
        lambda: Taxonomy.load(config.taxonomy) if config.taxonomy else classes_of(data, configs[0], raw.values())
    )
    with doing("loading the model"):
        learner = learner_of(config, taxonomy.names, config.seed)
        say_what_is_cut(learner, raw.values())
    classed = {key: with_classes(table, taxonomy, partial(row_of, *parts[key], "label")) for key, table in raw.items()}
    classed |= {("train", name): on_main(learned_from, data, name, classed["train", name]) for name in configs}
    with doing("preparing the texts"):
        ready = {key: learner.prepare(table) for key, table in classed.items()}
    rows = concatenate_datasets([ready["train", name] for name in configs])
    dev, test = ready["dev", configs[0]], ready["test", configs[0]]
    with reporting(config.report_to, out, secrets.token_hex(16)) as report, epochs_reported(report) as epochs:
        with doing("learning"):
            learner = learner.fit(rows, dev)
        with doing("measuring"):
            scored = {"dev": learner.score(dev), "test": learner.score(test)}
        figures = measured(predictions_of(scored), learner.names)
        report(figures_of(figures), next(epochs))
        guard = Guard(learner, taxonomy).settings(dev)
    made = learner.describe()
    record = ModelRecord.of(made, configs=configs, train=rows, dev=dev, test=test, measured=figures, guard=guard)
    on_main(learner.save, out, record)
    return {"train": len(rows), **figures}


def learned_from(data: str, config: str, table: Dataset) -> Dataset:
    """The rows of a released split without the variations that its policy leaves out; says how many these are."""
    release = release_of(data)
    policy = release.policy_of(config) if release else "strict"
    kept = accepted(table, policy)
    if left_out := len(table) - len(kept):
        say(f"{config}: {left_out} variations are left out by the policy {policy}, after what their checks found")
    return kept


def classes_of(data: str, config: str, tables: Iterable[Dataset]) -> Taxonomy:
    """
    The classes of the released labels, in their order, also those without a row, with what a guard does with each as
    the release says; else the labels in `tables`.
    """
    label = load(data, config, "train").features.get("label")
    if isinstance(label, ClassLabel):
        release = release_of(data)
        if release is not None and release.names == label.names:
            return release.taxonomy
        return Taxonomy.from_names(label.names)
    return taxonomy_of(None, [label for table in tables for label in table["label"][:]])
