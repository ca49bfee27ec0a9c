"""Ids of the Hub: what they name, and what others may know of them."""

from pathlib import Path


def split_revision(model: str) -> tuple[str, str | None]:
    """
    A Hub id, and the branch, tag or commit that it names.

    Example:
        >>> split_revision("org/guard@v1")
        ('org/guard', 'v1')
    """
    repo_id, _, revision = model.partition("@")
    return repo_id, revision or None


def name_of(model: str) -> str:
    """
    What others may know of a model: its Hub id, or the last name of its folder. Where that stood concerns nobody.

    Example:
        >>> name_of("/home/me/runs/guard")
        'guard'
    """
    return Path(model).resolve().name if Path(model).is_dir() else model
