"""The address of a label store: a file, a folder, a database URL or a data set repository of the Hub."""

import os
import re
from pathlib import Path

from rarecase.core.errors import ConfigError, holds_password


def file_of(address: str) -> Path:
    """The file of a store whose address is no URL: of a folder, such as that of a run, `labels.sqlite` in it."""
    path = Path(address)
    return path / "labels.sqlite" if os.path.isdir(path) else path  # `Path.is_dir` raises where a name is too long


def address_in(folder: Path, given: str | None) -> str:
    """The address of the label store of a folder: the one given, else `labels.sqlite` in it."""
    return given or str(folder / "labels.sqlite")


def require_inside(folder: Path, given: object, start: object = None) -> None:
    """
    Raises `ConfigError` where the label store that the settings in a folder name is no file in it, and not that of the
    start which they name.
    """
    # With a colon or a question mark it may be read as a URL, or its end as options of one.
    is_file = given is None or not re.search("[:?]", str(given))
    if is_file:
        path = file_of(address_in(folder, None if given is None else str(given)))
        if path.resolve().is_relative_to(folder.resolve()):
            return
        begun = Path(str(start))
        if start and (begun / "run.json").is_file() and is_same_store(str(path), address_in(begun, None)):
            return
        given = given or path
    raise ConfigError(
        f"{folder}: its label store {without_password(str(given))} is outside of that folder, which may be somebody "
        "else's; name it by --store"
    )


def is_same_store(one: str, other: str) -> bool:
    """Whether two addresses mean one label store."""
    return one == other if "://" in one + other else file_of(one).resolve() == file_of(other).resolve()


def database_url(address: str) -> str:
    """The address as SQLAlchemy takes it, such as `postgresql+psycopg://label@db/rarecase`."""
    scheme, found, rest = address.partition("://")
    if not found:
        return f"sqlite:///{file_of(address)}"
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else address


def without_password(address: str) -> str:
    """The address as it may be shown: without a password, in whatever form it has one, and without its options."""
    shown = re.sub(r"(://[^@/:]*):.*@", r"\1:***@", re.split(r"[?#]", address)[0])
    if "://" not in address:
        return "…" if holds_password(address) else address
    parts = r"[\w+.-]+://([^@:/]*(:\*\*\*)?@)?([\w.,-]*|\[[\da-f:.]+\])(:\d+)?(/.*)?"
    return shown if re.fullmatch(parts, shown, re.IGNORECASE) else f"{address.partition('://')[0]}://…"
