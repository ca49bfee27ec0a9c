"""
A release folder as the files of a dataset repository, merged with what stands there.

The repository's release.json says all that is to be known of it; whoever comes second reads it, adds their configs,
and writes the whole card anew. A file that another config uses is never overwritten: where two test sets differ, the
later one goes into the folder of its config.
"""

import itertools
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from huggingface_hub import metadata_load

from rarecase.core.errors import ConfigError, DataError
from rarecase.data.arrow import with_column
from rarecase.data.parquet import parquet_bytes, read_parquet
from rarecase.data.read.table import is_release
from rarecase.data.release import FORMAT, UNKNOWN
from rarecase.data.schema import label_names
from rarecase.hub.commit import Files, Snapshot
from rarecase.publish.catalog import (
    ABOUT,
    FACTS,
    content_digest,
    described,
    file_facts,
    filled,
    require_rows,
    stored,
    without,
)
from rarecase.publish.facts import config_facts
from rarecase.runs.folder import Manifest


@dataclass(frozen=True)
class Release:
    """
    A release on this machine.

    Args:
        folder (`Path`): where it lies.
        facts (`dict`): its release.json.
        paths (`dict[str, dict[str, str]]`): the file of each split of each config.
    """

    folder: Path
    facts: dict[str, Any]
    paths: dict[str, dict[str, str]]


def read_release(folder: Path) -> Release:
    """
    The release in a folder, or the one that the run in it made.

    Raises:
        `DataError`: where there is none, or the run has not come to its end.
        `RunFolderError`: where the folder is that of something else than a run.

    Example:
        >>> read_release(Path("run")).paths["cluster"]["train"]
        'cluster/train.parquet'
    """
    if (folder / "run.json").is_file():
        Manifest.read(folder, "run")
        if not (folder / "data").is_dir():
            raise DataError(f"{folder}: the run has not come to its end; go on with rarecase run --resume {folder}")
        folder = folder / "data"
    if not folder.is_dir() or not is_release(folder) or not (folder / FACTS).is_file():
        raise DataError(
            f"{folder}: no run and no release (README.md with configs, {FACTS}); give a folder that `rarecase run` or "
            "`rarecase import-published` wrote"
        )
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    if facts.get("format") != FORMAT:
        raise DataError(f"{folder / FACTS}: format {facts.get('format')!r}, this rarecase reads {FORMAT}")
    configs = (metadata_load(folder / "README.md") or {})["configs"]
    paths = {c["config_name"]: {file["split"]: file["path"] for file in c["data_files"]} for c in configs}
    return Release(folder, facts, paths)


def require_license(release: Release, accepted: bool) -> None:
    """
    Stops where the source of the texts states no licence, and nobody said that they know.

    Raises:
        `ConfigError`: naming the source and the flag.
    """
    silent = {c["source"] for c in release.facts["configs"].values() if c["source_states_no_license"]}
    if silent and not accepted:
        raise ConfigError(
            f"the source states no licence ({', '.join(sorted(silent))}), so nobody was permitted to pass its texts "
            "on; if you may all the same, repeat with --accept-no-license"
        )


def dataset_files(
    release: Release, snapshot: Snapshot, *, license: str, about: Mapping[str, str | None] | None = None
) -> Files:
    """
    The files of the repository once the release is in it.

    Args:
        release (`Release`): what is pushed; its configs take the place of those of the same names.
        snapshot (`Snapshot`): what the repository holds now.
        license (`str`): the id of the licence, as the Hub names it.
        about (`Mapping`, *optional*): what only the publisher can say, see `catalog.ABOUT`; by default as before.

    Returns:
        `Files`: data, release.json, card and picture; None for files that no config uses any more.

    Raises:
        `ConfigError`: where the repository holds something else, has other classes, or configs of others stand there
            under another licence.

    Example:
        >>> sorted(dataset_files(release, Snapshot(target), license="cc-by-4.0"))
        ['README.md', 'class_counts.png', 'cluster/train.parquet', …]
    """
    known = stored(snapshot)
    if known["classes"] and [c["name"] for c in known["classes"]] != [c["name"] for c in release.facts["classes"]]:
        raise ConfigError(
            f"{snapshot.target.repo_id} has other classes than {release.folder} "
            f"({', '.join(c['name'] for c in known['classes'])}); name another --repo"
        )
    others = {name: config for name, config in known["configs"].items() if name not in release.paths}
    if others and known["license"] != license:
        raise ConfigError(
            f"--license {license}: {', '.join(others)} of {snapshot.target.repo_id} came under {known['license']}, "
            f"and one repository has one licence; repeat with --license {known['license']}, or name another --repo"
        )
    taken = {split["path"]: split["sha256"] for config in others.values() for split in config["splits"].values()}
    configs, data = dict(others), {}
    for name in release.paths:
        config, contents = _config(release, name, known["removed"])
        if not contents:
            continue
        for split, content in contents.items():
            path = config["splits"][split]["path"] = _placed(taken, config["splits"][split], f"{name}/{split}")
            data[path] = content
        configs[name] = {**config, "digest": content_digest(config["splits"])}
    require_rows(configs, snapshot)
    _warn_of_replaced(snapshot, known["configs"], configs)
    facts = {
        "format": FORMAT,
        "title": known["title"] if others else release.facts["title"],
        "repo_id": snapshot.target.repo_id,
        "license": license,
        "default": next(n for n in (known["default"], release.facts["default"], *configs) if n in configs),
        "classes": release.facts["classes"],
        "about": {**dict.fromkeys(ABOUT), **known["about"], **(about or {})},
        "configs": dict(sorted(configs.items())),
        "removed": known["removed"],
    }
    return {**data, **described(facts, known, _change(facts, known))}


def _warn_of_replaced(snapshot: Snapshot, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """What two people acquire by one strategy has one name: whoever comes second should know what goes."""
    for name in before.keys() & after.keys():
        old, new = (config["splits"].get("train", {"sha256": "", "rows": 0}) for config in (before[name], after[name]))
        if old["sha256"] != new["sha256"]:
            warnings.warn(
                f"{snapshot.target.repo_id}: {name} exists with other texts to learn from (rows: {old['rows']}), "
                f"which are replaced (rows: {new['rows']})",
                stacklevel=2,
            )


def _config(release: Release, name: str, removed: list[str]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What is said of one config, and the file of each of its splits, without what was taken down earlier."""
    tables: dict[str, Dataset] = {}
    contents: dict[str, bytes] = {}
    aliases = _aliases(release)
    for split, path in release.paths[name].items():
        table = _anonymous(read_parquet(release.folder / path), aliases)
        tables[split], *_ = without(table, removed)
        whole = tables[split] is table and not aliases
        contents[split] = (release.folder / path).read_bytes() if whole else parquet_bytes(tables[split])
    tables = filled(tables)
    contents = {split: contents[split] for split in tables}
    if not tables:
        return {}, {}
    counted = config_facts(tables, label_names(next(iter(tables.values()))))
    for split, content in contents.items():
        counted["splits"][split] |= {"path": release.paths[name][split], **file_facts(content)}
    return {**UNKNOWN, **release.facts["configs"].get(name, {}), **counted}, contents


def _aliases(release: Release) -> dict[str, str]:
    """Annotators leave the project as A1, A2, …: what those are called who have a name yet."""
    files = {path for paths in release.paths.values() for path in paths.values()}
    names: set[str] = set()
    for path in files:
        table = read_parquet(release.folder / path)
        names |= {name for name in table["annotator"][:] if name}
        names |= {vote["annotator"] for votes in table["votes"][:] for vote in votes or [] if vote["annotator"]}
    known = {name for name in names if name == "gold" or re.fullmatch(r"A\d+", name)}
    free = (alias for number in itertools.count(1) if (alias := f"A{number}") not in known)
    return dict(zip(sorted(names - known), free, strict=False))


def _anonymous(table: Dataset, aliases: Mapping[str, str]) -> Dataset:
    if not aliases:
        return table
    votes = [
        cast and [{**vote, "annotator": aliases.get(vote["annotator"], vote["annotator"])} for vote in cast]
        for cast in table["votes"][:]
    ]
    table = with_column(table, "votes", votes, table.features["votes"])
    return with_column(table, "annotator", [aliases.get(name, name) for name in table["annotator"][:]])


def _placed(taken: dict[str, str], facts: Mapping[str, Any], own: str) -> str:
    """
    The path of a split's file: that of an equal one which has its place already, and never that of another one.

    Args:
        taken (`dict[str, str]`): the hash of each file that has a place; the new one is added.
        facts (`Mapping`): `path` in the release, and `sha256`.
        own (`str`): config and split, for where that path is taken.
    """
    sha256 = facts["sha256"]
    equal = [path for path, there in taken.items() if there == sha256]
    free = (facts["path"], f"{own}.parquet", f"{own}-{sha256[:8]}.parquet")
    path: str = equal[0] if equal else next(path for path in free if path not in taken)
    taken[path] = sha256
    return path


def _change(facts: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """The line of the changelog: which configs are new, and which are others than before."""
    new = [name for name in facts["configs"] if name not in known["configs"]]
    other = [n for n, config in facts["configs"].items() if n in known["configs"] and config != known["configs"][n]]
    said = [f"{verb} {', '.join(names)}" for verb, names in (("added", new), ("replaced", other)) if names]
    return "; ".join(said) or "what is said of the data"
