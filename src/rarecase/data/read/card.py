"""
What the README of a release or of a data set on the Hub says of its files, checked before `datasets` reads it.

`datasets` follows each of these paths, to other folders and other hosts, and parses the YAML without a bound.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from huggingface_hub.repocard import REGEX_YAML_BLOCK

from rarecase.core.documents import parse_yaml, read_document
from rarecase.core.errors import DataError
from rarecase.core.files import leads_out
from rarecase.data.release import ALL

NAMES = ("README.md", ".huggingface.yaml")  # `datasets` lets the second replace what the first says


def front_matter(path: Path) -> dict[str, Any]:
    """The YAML at the head of a card, or all of a YAML file; empty where there is none."""
    try:
        content = read_document(path)
        if path.suffix == ".md":
            found = REGEX_YAML_BLOCK.search(content)
            content = found[2] if found else ""
        head = parse_yaml(content)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path}: the front matter is {error}; correct it or remove the file") from None
    return head if isinstance(head, dict) else {}


def configs_in(path: Path, where: str | None = None) -> list[dict[str, Any]]:
    """The configs of a card, none of whose paths leads out of its folder; a `DataError` names `where`."""
    where, head = where or str(path), front_matter(path)
    configs = head.get("configs") or []
    if not isinstance(configs, list) or not all(
        isinstance(config, dict) and isinstance(config.get("config_name"), str) for config in configs
    ):
        raise DataError(f"{where}: expected `configs` to be a list, each with a `config_name`; correct it")
    for config in configs:
        for name in _texts([config.get("data_files"), config.get("data_dir")]):
            if leads_out(name):
                raise DataError(
                    f"{where}: config {config['config_name'][:60]!r} names files outside of its folder; that may not "
                    "be, put them into it and name them by a relative path"
                )
    return configs


def paths_in(path: Path) -> dict[str, dict[str, str]]:
    """The file of each split of each config of a release's card, without `all`, which lists those of the others."""
    try:
        return {
            config["config_name"]: {file["split"]: str(file["path"]) for file in config["data_files"]}
            for config in configs_in(path)
            if config["config_name"] != ALL
        }
    except (LookupError, TypeError):
        raise DataError(f"{path}: expected `data_files` with a `split` and a `path` each; it was changed") from None


def require_inside(folder: Path) -> None:
    """Raises `DataError` where a card of a local data set, or a link in its folder, leads out of it."""
    for name in NAMES:
        if (folder / name).is_file():
            configs_in(folder / name)
    refuse_links_out(folder)


def refuse_links_out(folder: Path, entries: Iterable[Path] | None = None) -> None:
    """Raises `DataError` where one of the entries of a folder, or any below it, is a link that leads out of it."""
    root = os.path.realpath(folder)
    walked = os.walk(folder)  # which passes over what another process removes meanwhile
    every = (Path(place, name) for place, folders, files in walked for name in (*folders, *files))
    for entry in every if entries is None else entries:
        if entry.is_symlink() and not Path(os.path.realpath(entry)).is_relative_to(root):
            raise DataError(f"{entry}: a link that leads out of {folder}; copy the file into it")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)
