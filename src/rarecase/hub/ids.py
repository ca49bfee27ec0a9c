"""Ids of the Hub: what they name, and what others may know of them."""

from pathlib import Path


def split_revision(model: str) -> tuple[str, str | None]:
    """A Hub id, and the branch, tag or commit that it names: `org/guard@v1` is `org/guard` and `v1`."""
    repo_id, _, revision = model.partition("@")
    return repo_id, revision or None


def name_of(model: str) -> str:
    """The public name of a model: its Hub id, or the last part of its folder's path, since the rest is private."""
    return Path(model).resolve().name if Path(model).is_dir() else model
