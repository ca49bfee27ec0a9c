"""A learner in memory to the Hub, as `rarecase publish model` publishes a folder."""

import tempfile
from pathlib import Path

from datasets import Dataset

from rarecase.core.errors import ConfigError
from rarecase.data.arrow import rows
from rarecase.data.sets import with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.evaluate.predictions import measured, predictions_of
from rarecase.guard.guard import Guard
from rarecase.hub.commit import Pushed, Target
from rarecase.learn import Learner
from rarecase.learn.record import ModelRecord
from rarecase.publish.model import publish_model
from rarecase.runs.loop import read_labeled


def push(
    learner: Learner,
    repo_id: str,
    *,
    private: bool = True,
    license: str | None = None,
    train: Dataset | None = None,
    dev: Dataset | None = None,
    test: Dataset | None = None,
) -> Pushed:
    """
    Publishes a fitted learner on the Hub, with its card; `load_learner(repo_id)` loads it. The token is that of
    `huggingface_hub`: `HF_TOKEN`, or `hf auth login`.

    With `train` and `test` it is measured, and the card says how it was trained and how well it does; of the tables
    only counts and figures are published, and no text.

    Args:
        learner (`Learner`): one that `fit`, `load_learner` or `loop` returned.
        repo_id (`str`): `OWNER/NAME`; made where there is none, and replaced where it is a model of rarecase.
        private (`bool`, *optional*, defaults to `True`): whether only the owner may see it.
        license (`str`, *optional*): the id of the licence, as the Hub names it, such as `apache-2.0`; a public one
            needs it.
        train (`Dataset`, *optional*): what it learned from: `text` and `label`, a `ClassLabel` or names of classes.
        dev (`Dataset`, *optional*): likewise: what its epochs were chosen on.
        test (`Dataset`, *optional*): likewise: what it is measured on.

    Returns:
        `Pushed`: with `url`, `revision` (the commit) and `files`.

    Raises:
        `ConfigError`: where one of `train` and `test` is given alone, or a public one has no licence.
        `ModelError`: if the learner has not been fitted.
        `HubError`: if the Hub refuses it, or does not answer.

    Example:
        >>> push(learner, "alice/guard", license="mit", train=train, test=test).private
        True
        >>> load_learner("alice/guard").names == learner.names
        True
    """
    if not callable(getattr(learner, "save", None)):
        raise ConfigError(
            f"learner is {type(learner).__name__}, expected a fitted learner; a folder is published by "
            "`rarecase publish model`"
        )
    if not private and not license:
        raise ConfigError("license is missing: a public model needs the id of a licence, such as apache-2.0")
    if (train is None) != (test is None) or (dev is not None and test is None):
        raise ConfigError("train, dev, test: expected train and test together, and dev only beside them, or none")
    record = None if train is None or test is None else _record_of(learner, train, dev, test)
    with tempfile.TemporaryDirectory() as folder:
        learner.save(Path(folder) / "model", record)
        target = Target(kind="model", repo_id=repo_id, public=not private)
        return publish_model(Path(folder) / "model", target, license)


def _record_of(learner: Learner, train: Dataset, dev: Dataset | None, test: Dataset) -> ModelRecord:
    """How it was made, and its figures; those on dev are of no rows where there is none."""
    taxonomy = Taxonomy.from_names(learner.names)

    def read(name: str, table: Dataset) -> Dataset:
        named = read_labeled(name, table)
        return with_classes(named, taxonomy, lambda label: f"{name} row {named['label'][:].index(label)}")

    learned, tested = read("train", train), read("test", test)
    chosen_on = rows(tested, []) if dev is None or not len(dev) else read("dev", dev)
    figures = measured(predictions_of({"dev": learner.score(chosen_on), "test": learner.score(tested)}), learner.names)
    settings = Guard(learner, taxonomy).settings(chosen_on)
    return ModelRecord.of(
        learner.describe(), (), train=learned, dev=chosen_on, test=tested, measured=figures, guard=settings
    )
