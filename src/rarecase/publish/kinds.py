"""
A data set, a model, the demo Space, or all of them, to the Hub.

What is published together names each other: the data set goes first, its commit stands in the `model-index` of each
model, and both stand in the Space, which is never more public than the data it shows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rarecase.errors import ConfigError, ModelError
from rarecase.files import read_parquet
from rarecase.learn.record import digest_of, read_record
from rarecase.publish.catalog import stored
from rarecase.publish.dataset import Release, dataset_files, read_release, require_license
from rarecase.publish.demo import space_files
from rarecase.publish.model import DatasetRef, model_files
from rarecase.publish.push import Files, Place, Pushed, Standing, look, push

Build = Callable[[Standing], Files]
# `push`, or what a dry run does instead.
Send = Callable[[Place, Build, str], Pushed]


def publish_dataset(
    folder: Path,
    place: Place,
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
        place (`Place`): where to.
        license (`str`): its id, as the Hub names it, such as `cc-by-4.0`.
        accept_no_license (`bool`): the source of the texts states no licence, and that is known.
        about (`Mapping`, *optional*): what only the publisher can say, see `catalog.ABOUT`.
        send (`Callable`): `push`, or what is done instead.

    Raises:
        `DataError`: where the folder is no release.
        `ConfigError`: where the licence, the repository or its visibility is not as it must be.
        `HubError`: where the Hub refuses or does not answer.

    Example:
        >>> publish_dataset(Path("run"), Place(kind="dataset", repo_id="acme/safety"), "cc-by-4.0").url
        'https://huggingface.co/datasets/acme/safety'
    """
    release = read_release(folder)
    require_license(release, accept_no_license)
    message = f"Add {', '.join(release.paths)}"
    return send(place, lambda standing: dataset_files(release, standing, license=license, about=about), message)


def publish_model(
    folder: Path, place: Place, license: str, *, dataset: DatasetRef | None = None, send: Send = push
) -> Pushed:
    """
    Publishes a trained model, or the last learner of a run.

    Args:
        folder (`Path`): of a model, or a run.
        place (`Place`): where to.
        license (`str`): its id, as the Hub names it.
        dataset (`DatasetRef`, *optional*): what it was trained and measured on, for its `model-index`.
        send (`Callable`): `push`, or what is done instead.

    Raises:
        `ModelError`: where the folder holds no model, or pickled weights.
        `ConfigError`: where the repository's visibility is not as it must be.
        `HubError`: where the Hub refuses or does not answer.

    Example:
        >>> publish_model(Path("guard"), Place(kind="model", repo_id="acme/guard"), "apache-2.0").private
        True
    """
    folder = folder / "learner" if (folder / "run.json").is_file() else folder
    name = folder.resolve().name
    files = model_files(folder, repo_id=place.repo_id, license=license, dataset=dataset)
    # Weights of an earlier push beside the new ones could be loaded in their place.
    return send(place, lambda standing: _without_old(standing, files, ".safetensors", ".index.json"), f"Add {name}")


def publish_demo(
    folder: Path, place: Place, *, dataset: DatasetRef, model: str | None = None, send: Send = push
) -> Pushed:
    """
    Publishes the demo Space of a data set and a model that are on the Hub already.

    Args:
        folder (`Path`): of the run or release that the data set was made from; its map is drawn.
        place (`Place`): where to.
        dataset (`DatasetRef`): the data it shows.
        model (`str`, *optional*): the model that answers, `owner/name@revision`.
        send (`Callable`): `push`, or what is done instead.

    Raises:
        `ConfigError`: where the Space would be more public than its data.
        `HubError`: where the Hub refuses or does not answer.

    Example:
        >>> place = Place(kind="space", repo_id="acme/safety-demo")
        >>> publish_demo(Path("run"), place, dataset=DatasetRef("acme/safety", "cluster", sha)).url
        'https://huggingface.co/spaces/acme/safety-demo'
    """
    if place.public and (shut := _shut(dataset.repo_id)):
        raise ConfigError(
            f"{place.repo_id}: --public, but its data {dataset.repo_id} is {shut}, and a Space is never more public "
            "than the data it shows; leave --public out"
        )
    return _demo(folder, place, dataset, model, send)


def _demo(folder: Path, place: Place, dataset: DatasetRef, model: str | None, send: Send) -> Pushed:
    source = f"{dataset.repo_id}@{dataset.revision}"
    files = space_files(folder, repo_id=place.repo_id, dataset=source, model=model, title=dataset.repo_id)
    return send(place, lambda standing: _without_old(standing, files, ".py"), "Add the demo")


def _without_old(standing: Standing, files: Files, *endings: str) -> Files:
    """The files, and None for those of these kinds that an earlier push left."""
    return {**dict.fromkeys(path for path in standing.files if path.endswith(endings)), **files}


def publish_all(
    folder: Path,
    place: Place,
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
        place (`Place`): of the data set; the others get its visibility, branch and tag. The Space of a gated data set
            stays private: it would show the rows to anybody.
        license (`str`): its id, as the Hub names it.
        models (`Sequence[Path]`): model folders; the first one answers in the Space.
        accept_no_license (`bool`): the source of the texts states no licence, and that is known.
        about (`Mapping`, *optional*): what only the publisher can say, see `catalog.ABOUT`.
        send (`Callable`): `push`, or what is done instead.

    Raises:
        `ConfigError`: where two models have folders of one name; and as the others.
        `ModelError`: where a model was measured on another test set.

    Example:
        >>> [pushed.repo_id for pushed in publish_all(Path("run"), place, "cc-by-4.0", models=[Path("guard")])]
        ['acme/safety', 'acme/safety-guard', 'acme/safety-demo']
    """
    names = [path.resolve().name for path in models]
    if len({*names, "demo"}) < len(names) + 1:
        raise ConfigError(
            f"--model {', --model '.join(map(str, models))}: expected folders of different names other than 'demo', "
            "since each becomes a repository"
        )
    release = read_release(folder)
    measured_on = {path: _measured_on(path, release) for path in models}
    data = publish_dataset(folder, place, license, accept_no_license=accept_no_license, about=about, send=send)
    dataset = DatasetRef(place.repo_id, release.facts["default"], data.revision)
    done = [data]
    for path, name in zip(models, names, strict=True):
        there = replace(place, kind="model", repo_id=f"{place.repo_id}-{name}")
        on = replace(dataset, config=measured_on[path])
        done.append(publish_model(path, there, license, dataset=on, send=send))
    answering = f"{done[1].repo_id}@{done[1].revision}" if models else None
    there = replace(place, kind="space", repo_id=f"{place.repo_id}-demo", gated=None)
    there = replace(there, public=place.public and not place.gated)
    return [*done, _demo(folder, there, dataset, answering, send)]


def _measured_on(folder: Path, release: Release) -> str:
    """
    The config on whose test set a model was measured: its figures are published as that data set's.

    Raises:
        `ModelError`: where it is another test set's.
    """
    record = read_record(folder)
    default: str = release.facts["default"]
    if record is None:
        return default
    for config in (*record["data"]["configs"], default):
        test = release.paths.get(config, {}).get("test")
        if test and digest_of(read_parquet(release.folder / test)) == record["test_digest"]:
            return config
    raise ModelError(
        f"{folder}: was measured on another test set than that of {release.folder}; train it on this data set, or "
        "publish it alone"
    )


def dataset_on_hub(repo_id: str, config: str | None = None) -> DatasetRef:
    """
    A data set as it stands on the Hub.

    Args:
        repo_id (`str`): `owner/name`, or `owner/name@revision`.
        config (`str`, *optional*): by default the repository's own default.

    Raises:
        `ConfigError`: where there is none.

    Example:
        >>> dataset_on_hub("acme/safety").revision
        '9f0c…'
    """
    name, _, revision = repo_id.partition("@")
    standing = look(Place(kind="dataset", repo_id=name, revision=revision or None))
    if standing.sha is None:
        raise ConfigError(f"--dataset {repo_id}: not on the Hub, or not for this token; publish it first")
    return DatasetRef(name, config or stored(standing)["default"] or "default", standing.sha)


def _shut(repo_id: str) -> str:
    """Why not anybody can read a data set; empty where anybody can."""
    standing = look(Place(kind="dataset", repo_id=repo_id))
    return "private" if standing.private else "gated" if standing.gated else ""
