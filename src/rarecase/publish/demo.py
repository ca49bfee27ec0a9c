"""
The demo Space of a data set, which runs as it is: Spaces install `requirements.txt` before they copy the repository,
so the package is copied beside `app.py`. No text of the data is: the page reads it from the data set.
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from rarecase.core.errors import ConfigError
from rarecase.data.parquet import parquet_bytes
from rarecase.demo_space.data import MAP, SETTINGS, DemoSources
from rarecase.hub.commit import Files, Push, Pushed, Target, push, read_snapshot
from rarecase.hub.ids import split_revision
from rarecase.publish.demo_map import map_table
from rarecase.publish.markdown import TAGS
from rarecase.publish.references import DatasetRef
from rarecase.publish.repository import release_in
from rarecase.publish.space import gradio_files, in_place_of


def publish_demo(
    folder: Path, target: Target, *, dataset: DatasetRef, model: str | None = None, send: Push = push
) -> Pushed:
    """
    Publishes the demo of a data set and a model (`OWNER/NAME@REVISION`) that are on the Hub already, with the map of
    the run or release in `folder`. A Space is never more public than the data it shows.
    """
    closed = why_closed(Target(kind="dataset", repo_id=dataset.repo_id))
    require_not_shown(target, dataset.repo_id, closed)
    if target.public and closed:
        raise ConfigError(
            f"{target.repo_id}: --public, but its data {dataset.repo_id} is {closed}, and a Space is never more "
            "public than the data it shows; leave --public out"
        )
    return push_demo(folder, target, dataset, model, send)


def push_demo(folder: Path, target: Target, dataset: DatasetRef, model: str | None, send: Push) -> Pushed:
    """Publishes a demo whose visibility is checked already."""
    data = read_snapshot(replace(target, kind="dataset", repo_id=dataset.repo_id, revision=dataset.revision))
    release = release_in(data)
    files = space_files(
        folder,
        repo_id=target.repo_id,
        dataset=str(dataset),
        model=model,
        title=dataset.repo_id,
        removed=release.removed,
        rounds=any(config.rounds for config in release.configs.values()),
    )

    return send(target, lambda now: in_place_of(now, {SETTINGS}, files), "Add the demo")


def why_closed(target: Target) -> str:
    """Why not everybody can read a data set once it is pushed: `private` or `gated`; empty where everybody can."""
    snapshot = read_snapshot(replace(target, revision=None))
    if snapshot.private and not target.public:
        return "private"
    return "gated" if target.gated or snapshot.gated else ""


def require_not_shown(space: Target, data: str, closed: str) -> None:
    """Stops where the Space is public already, and its data is not, or will not be."""
    if closed and not read_snapshot(replace(space, revision=None)).private:  # its branch may be yet to be made
        raise ConfigError(
            f"{space.repo_id} is public, but its data {data} is {closed}, and a Space is never more public than what "
            f"it shows; make it private first (`hf repos settings {space.repo_id} --type space --private`)"
        )


def space_files(
    folder: Path,
    *,
    repo_id: str,
    dataset: str,
    model: str | None,
    title: str,
    removed: Collection[str] = (),
    rounds: bool = True,
) -> Files:
    """
    The files of the Space; `removed` are hashes (`hash_of`) of the ids of rows that were taken down, `rounds` says
    whether the data set has figures of any.
    """
    sources = DemoSources(dataset, model)
    front_matter = {
        "title": title,
        "models": [split_revision(model)[0]] if model else None,
        "datasets": [split_revision(dataset)[0]],
        "tags": [*TAGS, "not-for-all-audiences"],
    }
    return {
        **gradio_files("demo", front_matter, title=title, repo_id=repo_id, rounds=rounds, **vars(sources)),
        SETTINGS: sources.dumps().encode(),
        MAP: parquet_bytes(map_table(folder, removed)),
    }
