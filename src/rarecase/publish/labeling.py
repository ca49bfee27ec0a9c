"""
The labeling Space of a run, where people sign in with Hugging Face, and the private data set that votes go to.

The Space gets its secrets before its files, so that it never runs without knowing who may do what. Texts, also those
whose answers are known, reach it through the data set alone.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from rarecase.core.errors import ConfigError, DataError
from rarecase.core.installed import needs
from rarecase.data.taxonomy import Taxonomy
from rarecase.hub.commit import Files, Push, Pushed, Snapshot, Target, push, read_snapshot, refuse_foreign, taken_back
from rarecase.labeling.store.repository import CARD, contents, missing, require_private
from rarecase.labeling.store.roles import read_roles, roles_text
from rarecase.labeling.store.settings import FILE, SpaceFile
from rarecase.publish.space import gradio_files, require_ours
from rarecase.publish.space_access import Visibility, prepared

_MARKERS = {"taxonomy.yaml", "rarecase/__init__.py"}  # not `FILE`: one that is broken is to be deleted by hand
GivenSettings = Mapping[str, str | float]  # fields of `Settings`; those that are left out keep their stored value


def publish_labeling(
    folder: Path,
    target: Target,
    *,
    roles: Path,
    token: str,
    visibility: Visibility | None = None,
    settings: GivenSettings | None = None,
    qualify: Path | None = None,
    send: Push = push,
) -> list[Pushed]:
    """
    Publishes the labeling Space of a run or a start, and makes the data set `OWNER/NAME-labels` where there is none.

    Roles and token become secrets of the Space. A new one is private, and one that is there stays as visible as it is,
    and keeps settings that are not given; at one that is `protected` anybody reaches the page, and those named get in.
    `qualify` is a table with labels of texts that only tell how well people do; they go into the data set.
    """
    if not (classes := folder / "taxonomy.yaml").is_file():
        raise DataError(f"{folder}: no folder of a run or a start: it has no taxonomy.yaml")
    taxonomy, given = Taxonomy.load(classes), settings or {}
    secrets = {"HF_TOKEN": token, "RARECASE_ROLES": roles_text(roles)}
    read_roles(secrets["RARECASE_ROLES"], f"--roles {roles}")
    store = Target(kind="dataset", repo_id=f"{target.repo_id}-labels", dry_run=target.dry_run)
    labels, space = read_snapshot(store), read_snapshot(target)
    for snapshot in (labels, space):
        require_private(snapshot)
    require_ours(space, _MARKERS)
    if not any(path.startswith(("queue/", "events/")) for path in labels.files):
        refuse_foreign(labels)
    known = {}
    if qualify:
        calibrate = _space_file(space, given).settings.calibrate_every > 0
        known = _known_answers(qualify, taxonomy, labels, calibrate)
    message = "Add texts with known answers" if known else "Add the card"
    data = send(store, lambda now: {"README.md": CARD.encode(), **missing(now, known)}, message)
    with ExitStack() as made:  # what is new is taken back where the rest fails
        if not target.dry_run:  # which only shows files
            if labels.sha is None:
                made.enter_context(taken_back(store, data.revision))
            made.enter_context(prepared(target, space, secrets, visibility))
        return [data, send(target, lambda now: _updated(now, folder, given), "Add the labeling page")]


def space_files(folder: Path, repo_id: str, file: SpaceFile) -> Files:
    """Everything that is in the Space; no text of the data."""
    tags = ["rarecase", "not-for-all-audiences"]
    front_matter = {"title": repo_id.split("/")[-1], "hf_oauth": True, "tags": tags}
    return {
        **gradio_files("labeling", front_matter, repo_id=repo_id, store=f"{repo_id}-labels"),
        FILE: file.content(),
        "taxonomy.yaml": folder / "taxonomy.yaml",
    }


def _known_answers(path: Path, taxonomy: Taxonomy, labels: Snapshot, calibrate: bool) -> dict[str, bytes]:
    """The files that add texts with known answers to the data set: those of a store that has read what is there."""
    with needs("app", "--qualify"):
        from rarecase.labeling.store.events import EventLog
        from rarecase.labeling.store.known_answers import add_known_answers
        from rarecase.labeling.store.service import LabelService
        from rarecase.labeling.store.sync import EventFiles
    service = LabelService(EventLog("sqlite://"))  # in memory
    files = EventFiles(service)
    files.read(contents(labels, [path for path in files.unread(labels.files) if path.startswith("queue/")]))
    add_known_answers(service, path, calibrate=calibrate, taxonomy=taxonomy)
    return files.to_upload()


def _space_file(space: Snapshot, given: GivenSettings) -> SpaceFile:
    """`labeling.json` as it is to be: with the stored settings where no others are given."""
    stored = SpaceFile({})
    if FILE in space.files:
        try:
            stored = SpaceFile.parse(contents(space, [FILE])[FILE])
        except ConfigError:
            raise ConfigError(
                f"{space.target.repo_id}: its {FILE} cannot be read; delete it there, and publish with all settings"
            ) from None
    return stored.updated(f"hf://datasets/{space.target.repo_id}-labels", given)


def _updated(space: Snapshot, folder: Path, given: GivenSettings) -> Files:
    """The files of the Space, and None for modules that an earlier push left."""
    gone = dict.fromkeys(path for path in space.files if path.endswith(".py"))
    return {**gone, **space_files(folder, space.target.repo_id, _space_file(space, given))}
