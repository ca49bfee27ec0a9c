"""
The labeling Space of a run: a private page where people sign in with Hugging Face, and the private data set that their
votes go to.

The Space is made first and gets its secrets before its files, so that it never runs without knowing who may do what.
Texts reach it through the data set alone, also those whose answers are known.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import HfApi, SpaceCardData, get_token

from rarecase.core.errors import ConfigError, DataError, HubError
from rarecase.core.shipped import shipped
from rarecase.data.taxonomy import Taxonomy
from rarecase.hub.commit import Files, Pushed, Snapshot, Target, push, read_snapshot, without_debug_logs
from rarecase.hub.errors import retried
from rarecase.labeling.store.exchange import CARD, contents, require_private
from rarecase.labeling.store.roles import read_roles
from rarecase.publish.cards import render
from rarecase.publish.demo import gradio_version, package
from rarecase.publish.kinds import Send

Visibility = Literal["private", "protected"]
SETTINGS = "labeling.json"


def publish_labeling(
    folder: Path,
    target: Target,
    *,
    roles: Path,
    token: str,
    visibility: Visibility | None = None,
    settings: Mapping[str, Any] | None = None,
    qualify: Path | None = None,
    send: Send = push,
) -> list[Pushed]:
    """
    Publishes the labeling Space, and makes the data set `OWNER/NAME-labels` where there is none.

    Args:
        folder (`Path`): of a run or a start; its taxonomy.yaml is what people are shown.
        target (`Target`): of the Space.
        roles (`Path`): the YAML file that says who may do what; it becomes a secret of the Space.
        token (`str`): what the Space reads and writes the data set with; a secret of the Space as well.
        visibility (`str`, *optional*): `private`, for members of the organisation, or `protected`: anybody reaches the
            page, and those whom the roles name get in. A new Space is private, and one that is there stays as it is.
        settings (`Mapping`, *optional*): fields of `rarecase.labeling.store.state.Settings`; those not given stay as
            they are.
        qualify (`Path`, *optional*): a table with the labels of texts that only tell how well people do. They go into
            the data set, where they are not there yet.
        send (`Callable`): `push`, or what is done instead.

    Returns:
        `list[Pushed]`: of the data set and of the Space.

    Raises:
        `DataError`: where the folder has no taxonomy, or a label of `qualify` is none of its classes.
        `ConfigError`: where the roles are not as they must be, or a repository is public.
        `HubError`: where the Hub refuses or does not answer.

    Example:
        >>> target = Target(kind="space", repo_id="acme/labeling")
        >>> [done.repo_id for done in publish_labeling(Path("run"), target, roles=Path("roles.yaml"), token=token)]
        ['acme/labeling-labels', 'acme/labeling']
    """
    taxonomy, told = _taxonomy(folder), settings or {}
    secrets = {"HF_TOKEN": token, "RARECASE_ROLES": _roles(roles)}
    store = Target(kind="dataset", repo_id=f"{target.repo_id}-labels")
    labels, space = read_snapshot(store), read_snapshot(target)
    for there in (labels, space):
        require_private(there)
    known = _known(qualify, taxonomy, labels, _settings(space, told)) if qualify else {}
    message = "Add texts with known answers" if known else "Add the card"
    data = send(store, lambda snapshot: _with_card(snapshot, known), message)
    if send is push:  # a dry run only shows files
        _prepare(target, secrets, visibility)
    return [data, send(target, lambda snapshot: _with_old(snapshot, folder, told), "Add the labeling page")]


def space_files(folder: Path, repo_id: str, settings: Mapping[str, Any]) -> Files:
    """
    Everything that stands in the Space; no text of the data.

    Args:
        folder (`Path`): of a run or a start.
        repo_id (`str`): of the Space, `owner/name`.
        settings (`Mapping`): fields of `rarecase.labeling.store.state.Settings`.
    """
    template, store = shipped("spaces") / "labeling", f"{repo_id}-labels"
    front_matter = SpaceCardData(
        title=repo_id.split("/")[-1],
        sdk="gradio",
        sdk_version=gradio_version(),
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        app_file="app.py",
        hf_oauth=True,
        license="apache-2.0",  # that of the code: no text of the data is in it
        tags=["rarecase", "not-for-all-audiences"],
    )
    return {
        "README.md": render(template / "README.md", front_matter, repo_id=repo_id, store=store).encode(),
        "app.py": template / "app.py",
        "requirements.txt": template / "requirements.txt",
        SETTINGS: (json.dumps({**settings, "store": f"hf://datasets/{store}"}, indent=2) + "\n").encode(),
        "taxonomy.yaml": folder / "taxonomy.yaml",
        **package(),
    }


def space_token(variable: str) -> str:
    """
    The token that the Space gets.

    Args:
        variable (`str`): the environment variable that holds it.

    Raises:
        `ConfigError`: where it holds none, or the caller's own.
    """
    token = os.environ.get(variable, "").strip()
    if not token:
        raise ConfigError(
            f"--space-token-env {variable}: no such variable is set; expected the name of one that holds a "
            "fine-grained token, which may write to the data set of the labels and nothing else"
        )
    if token == get_token():
        raise ConfigError(
            f"--space-token-env {variable}: holds your own token, and whoever gets hold of the Space could do all "
            "that you can; make a fine-grained one, which may write to the data set of the labels alone"
        )
    return token


def _taxonomy(folder: Path) -> Taxonomy:
    classes = folder / "taxonomy.yaml"
    if not classes.is_file():
        raise DataError(f"{folder}: no folder of a run or a start, there is no taxonomy.yaml in it")
    return Taxonomy.load(classes)


def _roles(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise ConfigError(f"--roles {path}: {reason}; expected a YAML file of who may do what") from None
    read_roles(text, f"--roles {path}")
    return text


def _prepare(target: Target, secrets: dict[str, str], visibility: Visibility | None) -> None:
    """The Space, as visible as asked, with its secrets and still without files."""
    api = HfApi()
    repo: dict[str, Any] = {"repo_id": target.repo_id, "repo_type": "space"}
    try:
        with without_debug_logs():
            known = read_snapshot(target).sha is not None
            seen = visibility or "private"
            if not known:
                retried(
                    target.repo_id, lambda: api.create_repo(**repo, visibility=seen, exist_ok=True, space_sdk="gradio")
                )
            elif visibility:
                retried(target.repo_id, lambda: api.update_repo_settings(**repo, visibility=seen))
            for key, value in secrets.items():
                retried(target.repo_id, partial(api.add_space_secret, target.repo_id, key, value))
    except HubError as error:  # a Hub that refuses a value may quote it
        raise HubError(re.sub(r"(refuses it \(status \d+\)).*", r"\1", str(error), flags=re.DOTALL)) from None


def _known(path: Path, taxonomy: Taxonomy, labels: Snapshot, settings: Mapping[str, Any]) -> dict[str, bytes]:
    """
    The files that bring texts with known answers into the data set, and nothing that stands there: what a store would
    write that has read what does.
    """
    try:
        from rarecase.labeling.store.desk import Desk
        from rarecase.labeling.store.hub import Ledger
        from rarecase.labeling.store.log import Log
        from rarecase.labeling.web.qualify import add_known
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--qualify needs {error.name}, which is not installed; pip install 'rarecase[app]'"
        ) from None
    desk = Desk(Log("sqlite://"))  # in memory
    ledger = Ledger(desk)
    ledger.read(contents(labels, [path for path in ledger.unread(labels.files) if path.startswith("queue/")]))
    add_known(desk, path, calibrate=settings.get("calibrate_every", 0) > 0, taxonomy=taxonomy)
    return ledger.outgoing()


def _settings(space: Snapshot, told: Mapping[str, Any]) -> dict[str, Any]:
    """What the Space is to say of how texts are labelled: what it says already, where nothing else is told."""
    if SETTINGS not in space.files:
        return dict(told)
    try:
        return {**json.loads(contents(space, [SETTINGS])[SETTINGS]), **told}
    except (ValueError, TypeError):
        raise ConfigError(
            f"{space.target.repo_id}: its {SETTINGS} cannot be read; delete it there, and publish with all settings"
        ) from None


def _with_card(snapshot: Snapshot, known: Mapping[str, bytes]) -> Files:
    """The card, and files that are never written again once they stand there."""
    return {"README.md": CARD.encode(), **{p: content for p, content in known.items() if p not in snapshot.files}}


def _with_old(snapshot: Snapshot, folder: Path, told: Mapping[str, Any]) -> Files:
    """The files, with what the Space says already, and None for modules that an earlier push left."""
    gone = dict.fromkeys(path for path in snapshot.files if path.endswith(".py"))
    return {**gone, **space_files(folder, snapshot.target.repo_id, _settings(snapshot, told))}
