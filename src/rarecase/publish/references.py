"""Data sets and models that are on the Hub already, at a commit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rarecase.core.errors import ConfigError, ModelError
from rarecase.data.parquet import read_parquet
from rarecase.hub.commit import Kind, Snapshot, Target, read_snapshot
from rarecase.hub.ids import split_revision
from rarecase.learn.record import ModelRecord, digest_of
from rarecase.publish.repository import release_in
from rarecase.runs.folder import model_folder


@dataclass(frozen=True)
class DatasetRef:
    """A data set at a commit, and the config on whose split `test` a model was measured."""

    repo_id: str
    config: str
    revision: str

    def __str__(self) -> str:
        return f"{self.repo_id}@{self.revision}"


def dataset_on_hub(name: str, model: Path | None = None) -> DatasetRef:
    """A data set, `OWNER/NAME[@REVISION]`, with the config that a model was measured on, or else the default."""
    snapshot = on_hub("dataset", name)
    release, repo_id = release_in(snapshot), snapshot.target.repo_id
    config = release.default or "default"
    if model is not None:
        splits = {name: found.splits["test"] for name, found in release.configs.items() if "test" in found.splits}
        tests = {name: snapshot.read(split.path) for name, split in splits.items()}
        config = measured_on(model, config, tests, name)
    return DatasetRef(repo_id, config, str(snapshot.sha))


def model_on_hub(name: str) -> str:
    """A model, `OWNER/NAME[@REVISION]`, as `OWNER/NAME@COMMIT`."""
    snapshot = on_hub("model", name)
    return f"{snapshot.target.repo_id}@{snapshot.sha}"


def measured_on(folder: Path, default: str, tests: Mapping[str, Path], where: str) -> str:
    """The config with the test set that a model was measured on: its figures are published as those of this config."""
    record = ModelRecord.read(model_folder(folder))
    if record is None:
        return default  # there are no figures
    for config in dict.fromkeys((*record.data.configs, default, *tests)):
        if config in tests and digest_of(read_parquet(tests[config])) == record.test_digest:
            return config
    raise ModelError(
        f"{folder}: was measured on another test set than that of {where}; train it on this data set, or publish it "
        "without naming one"
    )


def on_hub(kind: Kind, name: str) -> Snapshot:
    """What is on the Hub of `OWNER/NAME[@REVISION]`."""
    repo_id, revision = split_revision(name)
    snapshot = read_snapshot(Target(kind=kind, repo_id=repo_id, revision=revision))
    if snapshot.sha is None:
        raise ConfigError(f"--{kind} {name}: not on the Hub, or this token may not read it; publish it first")
    return snapshot
