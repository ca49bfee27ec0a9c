"""
A data set, a model, the demo Space, or all of them, to the Hub.

What is published together names each other: the data set goes first, its commit stands in the `model-index` of each
model, and both stand in the Space, which is never more public than the data it shows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from huggingface_hub import metadata_load

from rarecase.core.errors import ConfigError, ModelError
from rarecase.data.parquet import read_parquet
from rarecase.demo_space.data import SETTINGS
from rarecase.hub.commit import Files, Kind, Pushed, Snapshot, Target, push, read_snapshot, refuse_foreign
from rarecase.hub.ids import split_revision
from rarecase.learn.record import RECORD, ModelRecord, digest_of
from rarecase.publish.catalog import stored
from rarecase.publish.dataset import Release, dataset_files, read_release, require_license
from rarecase.publish.demo import space_files
from rarecase.publish.model import TAGS, DatasetRef, belongs, model_files, own_files

Build = Callable[[Snapshot], Files]
# `push`, or what a dry run does instead.
Send = Callable[[Target, Build, str], Pushed]


def publish_dataset(
    folder: Path,
    target: Target,
    license: str,
    *,
    accept_no_license: bool = False,
    about: Mapping[str, str | None] | None = None,
    send: Send = push,
) -> Pushed:
    """
    Publishes a release, or the one that a run made, beside the configs that stand there already.

    Args:
        folder (`Path`): of a run, or a release.
        target (`Target`): where to.
        license (`str`): its id, as the Hub names it, such as `cc-by-4.0`.
        accept_no_license (`bool`): the source of the texts states no licence, and that is known.
        about (`Mapping`, *optional*): what only the publisher can say, see `catalog.ABOUT`.
        send (`Callable`): `push`, or what is done instead.

    Raises:
        `DataError`: where the folder is no release.
        `ConfigError`: where the licence, the repository or its visibility is not as it must be.
        `HubError`: where the Hub refuses or does not answer.

    Example:
        >>> publish_dataset(Path("run"), Target(kind="dataset", repo_id="acme/safety"), "cc-by-4.0").url
        'https://huggingface.co/datasets/acme/safety'
    """
    release = read_release(folder)
    require_license(release, accept_no_license)
    message = f"Add {', '.join(release.paths)}"
    return send(target, lambda snapshot: dataset_files(release, snapshot, license=license, about=about), message)


def publish_model(
    folder: Path, target: Target, license: str, *, dataset: DatasetRef | None = None, send: Send = push
) -> Pushed:
    """
    Publishes a trained model, or the last learner of a run.

    Args:
        folder (`Path`): of a model, or a run.
        target (`Target`): where to.
        license (`str`): its id, as the Hub names it.
        dataset (`DatasetRef`, *optional*): what it was trained and measured on, for its `model-index`.
        send (`Callable`): `push`, or what is done instead.

    Raises:
        `ModelError`: where the folder holds no model, or pickled weights.
        `ConfigError`: where the repository holds something else, or its visibility is not as it must be.
        `HubError`: where the Hub refuses or does not answer.

    Example:
        >>> publish_model(Path("guard"), Target(kind="model", repo_id="acme/guard"), "apache-2.0").private
        True
    """
    folder = _learner(folder)
    files = model_files(folder, repo_id=target.repo_id, license=license, dataset=dataset)

    def build(snapshot: Snapshot) -> Files:
        if RECORD not in snapshot.files and TAGS[0] not in _tags(snapshot):
            refuse_foreign(snapshot)
        # What an earlier push left: other weights, or the head of another kind of model, could be loaded instead.
        return {**dict.fromkeys(path for path in snapshot.files if belongs(path)), **files}

    return send(target, build, f"Add {folder.resolve().name}")


def _learner(folder: Path) -> Path:
    """The model folder: the one given, or that of a run."""
    return folder / "learner" if (folder / "run.json").is_file() else folder


def _tags(snapshot: Snapshot) -> list[str]:
    """Those of the card that stands there."""
    head = metadata_load(snapshot.read("README.md")) if "README.md" in snapshot.files else None
    return (head or {}).get("tags") or []


def publish_demo(
    folder: Path, target: Target, *, dataset: DatasetRef, model: str | None = None, send: Send = push
) -> Pushed:
    """
    Publishes the demo Space of a data set and a model that are on the Hub already.

    Args:
        folder (`Path`): of the run or release that the data set was made from; its map is drawn.
        target (`Target`): where to.
        dataset (`DatasetRef`): the data it shows.
        model (`str`, *optional*): the model that answers, `owner/name@revision`.
        send (`Callable`): `push`, or what is done instead.

    Raises:
        `ConfigError`: where the Space would be more public than its data.
        `HubError`: where the Hub refuses or does not answer.

    Example:
        >>> target = Target(kind="space", repo_id="acme/safety-demo")
        >>> publish_demo(Path("run"), target, dataset=DatasetRef("acme/safety", "cluster", sha)).url
        'https://huggingface.co/spaces/acme/safety-demo'
    """
    shut = _shut(Target(kind="dataset", repo_id=dataset.repo_id))
    _require_not_shown(target, dataset.repo_id, shut)
    if target.public and shut:
        raise ConfigError(
            f"{target.repo_id}: --public, but its data {dataset.repo_id} is {shut}, and a Space is never more public "
            "than the data it shows; leave --public out"
        )
    return _demo(folder, target, dataset, model, send)


def _demo(folder: Path, target: Target, dataset: DatasetRef, model: str | None, send: Send) -> Pushed:
    source = f"{dataset.repo_id}@{dataset.revision}"
    snapshot = read_snapshot(Target(kind="dataset", repo_id=dataset.repo_id, revision=dataset.revision))
    removed = stored(snapshot)["removed"]
    files = space_files(
        folder, repo_id=target.repo_id, dataset=source, model=model, title=dataset.repo_id, removed=removed
    )

    def build(snapshot: Snapshot) -> Files:
        if SETTINGS not in snapshot.files:
            refuse_foreign(snapshot)
        return {**dict.fromkeys(path for path in snapshot.files if path.startswith("rarecase/")), **files}

    return send(target, build, "Add the demo")


def _require_not_shown(space: Target, data: str, shut: str) -> None:
    """
    Raises:
        `ConfigError`: where the Space stands open to everybody, and its data does not, or will not.
    """
    if shut and not read_snapshot(space).private:
        raise ConfigError(
            f"{space.repo_id} is public, but its data {data} is {shut}, and a Space is never more public than what it "
            f"shows; make it private first (`hf repos settings {space.repo_id} --type space --private`)"
        )


def publish_all(
    folder: Path,
    target: Target,
    license: str,
    *,
    models: Sequence[Path] = (),
    accept_no_license: bool = False,
    about: Mapping[str, str | None] | None = None,
    send: Send = push,
) -> list[Pushed]:
    """
    Publishes a data set as `owner/name`, models as `owner/name-<folder>`, and the Space `owner/name-demo`.

    Args:
        folder (`Path`): of a run, or a release.
        target (`Target`): of the data set; the others get its visibility, branch and tag. The Space of a data set that
            not everybody may read stays private: it would show the rows to anybody.
        license (`str`): its id, as the Hub names it.
        models (`Sequence[Path]`): model folders; the first one answers in the Space.
        accept_no_license (`bool`): the source of the texts states no licence, and that is known.
        about (`Mapping`, *optional*): what only the publisher can say, see `catalog.ABOUT`.
        send (`Callable`): `push`, or what is done instead.

    Raises:
        `ConfigError`: where two models have folders of one name; where the Space is public already and the data is
            not; and as the others.
        `ModelError`: where a folder holds no model, or one that was measured on another test set. Nothing is published
            then.

    Example:
        >>> [pushed.repo_id for pushed in publish_all(Path("run"), target, "cc-by-4.0", models=[Path("guard")])]
        ['acme/safety', 'acme/safety-guard', 'acme/safety-demo']
    """
    names = [path.resolve().name for path in models]
    if len({*names, "demo"}) < len(names) + 1:
        raise ConfigError(
            f"--model {', --model '.join(map(str, models))}: expected folders of different names other than 'demo', "
            "since each becomes a repository"
        )
    if target.create_pr and target.public:
        raise ConfigError("--public with --create-pr: some of these may be private; publish them one by one")
    release = read_release(folder)
    for path in models:
        own_files(_learner(path))  # what cannot be published is known before anything is
    measured_on = [
        _measured_on(path, str(release.folder), release.facts["default"], _tests(release)) for path in models
    ]
    space = replace(target, kind="space", repo_id=f"{target.repo_id}-demo", gated=None)
    _require_not_shown(space, target.repo_id, _shut(target))
    data = publish_dataset(folder, target, license, accept_no_license=accept_no_license, about=about, send=send)
    done = [data]
    for path, name, config in zip(models, names, measured_on, strict=True):
        there = replace(target, kind="model", repo_id=f"{target.repo_id}-{name}")
        on = DatasetRef(target.repo_id, config, data.revision)
        done.append(publish_model(path, there, license, dataset=on, send=send))
    answering = f"{done[1].repo_id}@{done[1].revision}" if models else None
    space = replace(space, public=target.public and not _shut(target))
    shown = DatasetRef(target.repo_id, release.facts["default"], data.revision)
    return [*done, _demo(folder, space, shown, answering, send)]


def _tests(release: Release) -> dict[str, Path]:
    """The test set of each config that has one."""
    return {name: release.folder / paths["test"] for name, paths in release.paths.items() if "test" in paths}


def _measured_on(folder: Path, where: str, default: str, tests: Mapping[str, Path]) -> str:
    """
    The config on whose test set a model was measured: its figures are published as that data set's.

    Raises:
        `ModelError`: where it is another test set's.
    """
    record = ModelRecord.read(_learner(folder))
    if record is None:
        return default  # there are no figures
    for config in dict.fromkeys((*record.data.configs, default, *tests)):
        if config in tests and digest_of(read_parquet(tests[config])) == record.test_digest:
            return config
    raise ModelError(
        f"{folder}: was measured on another test set than that of {where}; train it on this data set, or publish it "
        "without naming one"
    )


def dataset_on_hub(name: str, model: Path | None = None) -> DatasetRef:
    """
    A data set as it stands on the Hub.

    Args:
        name (`str`): `owner/name`, or `owner/name@revision`.
        model (`Path`, *optional*): of a model or a run; the config is then the one that it was measured on, otherwise
            the default.

    Raises:
        `ConfigError`: where there is no such data set or revision, or it is none of ours.
        `ModelError`: where the model was measured on none of its test sets.

    Example:
        >>> dataset_on_hub("acme/safety").revision
        '9f0c…'
    """
    snapshot = _on_hub("dataset", name)
    known, repo_id = stored(snapshot), snapshot.target.repo_id
    config = known["default"] or "default"
    if model is not None:
        tests = {
            name: found["splits"]["test"]["path"]
            for name, found in known["configs"].items()
            if "test" in found["splits"]
        }
        config = _measured_on(model, name, config, {name: snapshot.read(path) for name, path in tests.items()})
    return DatasetRef(repo_id, config, str(snapshot.sha))


def model_on_hub(name: str) -> str:
    """
    A model as it stands on the Hub, `owner/name@commit`.

    Raises:
        `ConfigError`: where there is no such model or revision.

    Example:
        >>> model_on_hub("acme/guard")
        'acme/guard@9f0c…'
    """
    snapshot = _on_hub("model", name)
    return f"{snapshot.target.repo_id}@{snapshot.sha}"


def _on_hub(kind: Kind, name: str) -> Snapshot:
    repo_id, revision = split_revision(name)
    snapshot = read_snapshot(Target(kind=kind, repo_id=repo_id, revision=revision))
    if snapshot.sha is None:
        raise ConfigError(f"--{kind} {name}: not on the Hub, or not for this token; publish it first")
    return snapshot


def _shut(target: Target) -> str:
    """Why not anybody can read a data set once it is pushed there; empty where anybody can."""
    snapshot = read_snapshot(Target(kind="dataset", repo_id=target.repo_id))
    private = snapshot.private and not target.public
    return "private" if private else "gated" if target.gated or snapshot.gated else ""
