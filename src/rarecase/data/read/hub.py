"""A data set of the Hub, or a release in a folder, through `datasets.load_dataset`; errors as one line."""

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from datasets import Dataset, config, get_dataset_config_names, get_dataset_split_names, load_dataset
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HFValidationError, HTTPError

from rarecase.core.errors import DataError, RarecaseError, did_you_mean, listed
from rarecase.data.read.card import NAMES, configs_in, require_inside
from rarecase.data.read.formats import FORMATS
from rarecase.data.read.lines import COMPRESSED
from rarecase.hub.errors import by_this_machine
from rarecase.hub.ids import split_revision

_HUB_ID = re.compile(r"([\w.-]{1,96}/)?[\w.-]{1,96}(@[\w./-]+)?")


def load(source: str, name: str | None, split: str) -> Dataset:
    """
    One split of a folder that is a release, or of `owner/name` on the Hub, also `owner/name@revision`.

    The `name` of the config may be left out where there is one, or a default.
    """
    place, revision = locate(source)
    cache = _cache_of(Path(source)) if os.path.exists(source) else None
    with _readable(source):
        try:
            return load_dataset(place, name, split=split, revision=revision, cache_dir=cache)
        except ValueError:
            raise _mistaken(source, place, revision, name, split) from None


def configs_of(source: str) -> list[str]:
    """The configs of a data set, in order; `source` as for `load`."""
    place, revision = locate(source)
    with _readable(source):
        return get_dataset_config_names(place, revision=revision)


def locate(source: str) -> tuple[str, str | None]:
    """A folder, or an id on the Hub and its revision; a `DataError` where its card names files of others."""
    path = Path(source)
    if os.path.exists(path):
        require_inside(path)
        return source, None
    if not _HUB_ID.fullmatch(source) or path.suffix.lower() in (*FORMATS, *COMPRESSED):
        siblings = [entry.name for entry in path.parent.iterdir()] if os.path.isdir(path.parent) else []
        hint = did_you_mean(path.name, siblings)
        raise DataError(f"{source}: no such file or folder, and not an id on the Hub (owner/name){hint}")
    repo_id, revision = split_revision(source)
    for name in NAMES:
        # What is wrong with the repository itself, `load_dataset` says.
        with _readable(source), contextlib.suppress(HTTPError, HFValidationError, EntryNotFoundError):
            path = Path(hf_hub_download(repo_id, name, repo_type="dataset", revision=revision))
            configs_in(path, f"{source}: {name}")
    return repo_id, revision


@contextlib.contextmanager
def _readable(source: str) -> Iterator[None]:
    """Reads without a log; errors of a library become one line."""
    try:
        with unlogged():
            yield
    except (ConnectionError, TimeoutError):
        raise DataError(
            f"{source}: no such file or folder, and the Hub does not answer (HF_ENDPOINT, HF_HUB_OFFLINE?)"
        ) from None
    except (DatasetNotFoundError, FileNotFoundError):
        raise DataError(
            f"{source}: no such file or folder, and no data set on the Hub that can be read "
            "(a private or gated one needs HF_TOKEN)"
        ) from None
    except RarecaseError:
        raise
    except Exception as error:  # whatever: a stranger's files and card went in
        if (refused := by_this_machine(source, error, DataError)) is not None:
            raise refused from None
        # Its message could contain a row of the data.
        raise DataError(f"{source}: cannot be read ({type(error).__name__}); are its files damaged?") from None


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """Keeps `datasets` from logging: it logs a value that is not of its column's type, which may be a post."""
    logger = logging.getLogger("datasets")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _cache_of(folder: Path) -> Path:
    """
    The cache folder of `load_dataset` for a local folder, by its files.

    By default the key is the folder's last name and the settings in its README, so that of two runs' `data` with the
    same configs the second would get the rows of the first (datasets 5.1).
    """
    files = [(path, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.resolve().rglob("*"))]
    return Path(config.HF_DATASETS_CACHE) / "rarecase" / hashlib.sha256(repr(files).encode()).hexdigest()[:16]


def _mistaken(source: str, place: str, revision: str | None, name: str | None, split: str) -> DataError:
    """What was wrong, after `load_dataset` has refused name or split."""
    configs = get_dataset_config_names(place, revision=revision)
    if name is None and len(configs) > 1:
        return DataError(f"{source}: choose a config, as {source}:CONFIG; there are {listed(configs)}")
    if name is not None and name not in configs:
        return DataError(f"{source}: no config {name!r}; there are {listed(configs)}{did_you_mean(name, configs)}")
    splits = get_dataset_split_names(place, name, revision=revision)
    if split not in splits:
        shown = f"{source}:{name or configs[0]}"
        return DataError(f"{shown}: no split {split!r}; there are {listed(splits)}, such as {shown}/{splits[0]}")
    return DataError(f"{source}: config {name!r}, split {split!r} cannot be read; are its files damaged?")
