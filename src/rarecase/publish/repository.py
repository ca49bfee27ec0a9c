"""A dataset repository: its release.json, and the card and picture that are made from that alone."""

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from datasets import Dataset, Value

from rarecase.core.errors import ConfigError, DataError
from rarecase.data.arrow import rows
from rarecase.data.parquet import read_parquet
from rarecase.data.release import RELEASE, Change, Config, Release
from rarecase.data.schema import hash_of
from rarecase.hub.commit import Files, Snapshot, refuse_foreign
from rarecase.publish.dataset_card import dataset_card
from rarecase.publish.picture import class_counts_picture
from rarecase.publish.summary import DataFile, summarize


class Remaining(NamedTuple):
    """A table without removed rows and their variations, and the ids of each that it lost."""

    table: Dataset  # the same object where nothing is lost
    rows: list[str]
    variations: list[str]


def release_in(snapshot: Snapshot) -> Release:
    """The release.json of a repository, checked whole; of version 0, without configs, where that is empty."""
    if RELEASE not in snapshot.files:
        refuse_foreign(snapshot)
        return Release(title="", default="", classes=(), configs={})
    where = f"{snapshot.target.repo_id}: {RELEASE}"
    release = Release.read(snapshot.read(RELEASE), where)
    if not release.paths <= snapshot.files.keys():
        raise DataError(f"{where}: names a data file that is not there; it was changed, or is damaged")
    splits = [config.splits for config in release.configs.values()]
    try:
        counted = all(split.class_counts.keys() == set(release.names) for of in splits for split in of.values())
        whole = all(splits) and counted and bool(dataset_card(release))  # which names whatever else is missing
    except (LookupError, TypeError, ValueError):
        whole = False
    if not whole:
        raise DataError(f"{where}: lacks classes, splits or settings; it was changed, or is damaged")
    return release


def counted_anew(release: Release, snapshot: Snapshot) -> Release:
    """The release, with what an older version did not count: texts, and who labelled and wrote each split."""
    if release.texts:
        return release
    tables = {path: read_parquet(snapshot.read(path)) for path in sorted(release.paths)}

    def counted(config: Config) -> Config:
        files = {name: DataFile(of.path, of.file_bytes, of.sha256) for name, of in config.splits.items()}
        return summarize(config, {name: tables[file.path] for name, file in files.items()}, release.names, files)

    return replace(release, configs={name: counted(config) for name, config in release.configs.items()})


def texts_in(snapshot: Snapshot, paths: Iterable[str]) -> set[str]:
    """The different texts of some data files of a repository."""
    found: set[str] = set()
    for path in paths:
        table = read_parquet(snapshot.read(path), columns=["text"])
        if table.features.get("text") != Value("string"):
            raise DataError(f"{snapshot.target.repo_id}: {path} has no texts; it was changed, or is damaged")
        found.update(table["text"][:])
    return found


def release_files(release: Release, before: Release, change: str) -> Files:
    """
    release.json, card and picture; and None for the data files that no config uses any more.

    Where nothing differs from `before`, version and changelog stay, and so every byte; else `change` is added.
    """
    if not release.configs:
        raise ConfigError(
            f"{release.repo_id}: no row would be left; delete the repository instead (`hf repos delete`)"
        )
    version, changelog = before.version, before.changelog
    if replace(release, version=version, changelog=changelog) != before:
        version += 1
        changelog = (*changelog, Change(version, datetime.now(UTC).date().isoformat(), change))
    release = replace(release, version=version, changelog=changelog)
    return {
        **dict.fromkeys(before.paths - release.paths),
        RELEASE: release.dumps().encode(),
        "README.md": dataset_card(release).encode(),
        "class_counts.png": class_counts_picture(release),
    }


def without_rows(table: Dataset, removed: Collection[str]) -> Remaining:
    """The table without the rows whose ids hash (`hash_of`) to one of `removed`, and without their variations."""
    ids, parents = table["id"][:], table["parent_id"][:]
    named = [hash_of(id_) in removed for id_ in ids]
    varied = [p is not None and hash_of(p) in removed and not n for p, n in zip(parents, named, strict=True)]
    kept = [row for row in range(len(table)) if not named[row] and not varied[row]]
    lost = [list(itertools.compress(ids, which)) for which in (named, varied)]
    return Remaining(table if len(kept) == len(table) else rows(table, kept), *lost)


def loadable(tables: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """The splits that `load_dataset` can load, which are those with rows; none where `train` has no row left."""
    if "train" in tables and not len(tables["train"]):
        return {}
    return {split: table for split, table in tables.items() if len(table)}
