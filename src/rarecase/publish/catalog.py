"""
What a dataset repository says of itself: its release.json, and the card and picture that are made from that alone.

It holds names and numbers, never a text of the data. Rows that were taken down are remembered by a hash of their ids,
so that no later push brings them back.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from datasets import Dataset

from rarecase.core.errors import ConfigError
from rarecase.data.arrow import rows
from rarecase.data.release import FORMAT
from rarecase.data.schema import hash_of
from rarecase.hub.commit import Files, Snapshot, refuse_foreign
from rarecase.publish.cards import class_counts_picture, dataset_card

FACTS, CARD, PICTURE = "release.json", "README.md", "class_counts.png"
# What only whoever publishes can say; null is shown as "not stated". `language` is a code such as `en`, or several.
ABOUT = ("language", "annotators_trained", "annotators_paid", "source_terms", "llm_terms", "contact")
EMPTY: dict[str, Any] = {
    "title": None,
    "default": None,
    "about": dict.fromkeys(ABOUT),
    "classes": None,
    "configs": {},
    "removed": [],
    "version": 0,
    "changelog": [],
}


def stored(snapshot: Snapshot) -> dict[str, Any]:
    """
    The release.json that stands in a repository; `EMPTY` where the repository is.

    Raises:
        `ConfigError`: where the repository holds files that rarecase did not write, or of a later format.

    Example:
        >>> stored(read_snapshot(Target(kind="dataset", repo_id="acme/safety")))["version"]
        3
    """
    repo_id = snapshot.target.repo_id
    if FACTS not in snapshot.files:
        refuse_foreign(snapshot)
        return EMPTY
    facts: dict[str, Any] = json.loads(snapshot.read(FACTS).read_text(encoding="utf-8"))
    if facts.get("format") != FORMAT:
        raise ConfigError(f"{repo_id}: its {FACTS} has format {facts.get('format')!r}, this rarecase reads {FORMAT}")
    return facts


def described(facts: Mapping[str, Any], known: Mapping[str, Any], change: str) -> Files:
    """
    release.json, card and picture; and None for the data files that no config uses any more.

    Args:
        facts (`Mapping`): what is to stand there, without version and changelog.
        known (`Mapping`): what stands there. Where it says the same, version and changelog stay, and so every byte.
        change (`str`): the line of the changelog.
    """
    facts = json.loads(json.dumps(facts))  # as it will be read again: only then can it be compared with what was
    version, changelog = known["version"], known["changelog"]
    if any(facts[key] != known.get(key) for key in facts):
        version += 1
        entry = {"version": version, "date": datetime.now(UTC).date().isoformat(), "change": change}
        changelog = [*changelog, entry]
    whole = {**facts, "version": version, "changelog": changelog}
    return {
        **dict.fromkeys(paths(known["configs"]) - paths(facts["configs"])),
        FACTS: (json.dumps(whole, indent=2, ensure_ascii=False) + "\n").encode(),
        CARD: dataset_card(whole).encode(),
        PICTURE: class_counts_picture(whole),
    }


def paths(configs: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The data files that configs use."""
    return {split["path"] for config in configs.values() for split in config["splits"].values()}


def file_facts(content: bytes) -> dict[str, Any]:
    """What is said of a data file beside its rows."""
    return {"file_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def content_digest(splits: Mapping[str, Mapping[str, Any]]) -> str:
    """One hash over the files of a config, for the head of the card (see `rarecase.data.release`)."""
    hashes = [f"{name} {split['sha256']}" for name, split in sorted(splits.items())]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:32]


def without(table: Dataset, removed: Collection[str]) -> tuple[Dataset, int, int]:
    """
    The table without some rows and their variations.

    Args:
        table (`Dataset`): with `id` and `parent_id`.
        removed (`Collection[str]`): the rows, as `hash_of` of their ids.

    Returns:
        `tuple[Dataset, int, int]`: what is left (the same object where all is), how many of the rows were there, and
        how many variations went with them.
    """
    ids, parents = table["id"][:], table["parent_id"][:]
    named = [hash_of(id_) in removed for id_ in ids]
    varied = [p is not None and hash_of(p) in removed and not n for p, n in zip(parents, named, strict=True)]
    kept = [row for row in range(len(table)) if not named[row] and not varied[row]]
    return table if len(kept) == len(table) else rows(table, kept), sum(named), sum(varied)


def filled(tables: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """
    The splits of a config that `load_dataset` can give: it cannot load one without rows.

    Args:
        tables (`Mapping[str, Dataset]`): by split; where nothing is left to learn from, the whole config goes.
    """
    if "train" in tables and not len(tables["train"]):
        return {}
    return {split: table for split, table in tables.items() if len(table)}


def require_rows(configs: Mapping[str, Any], snapshot: Snapshot) -> None:
    """
    Raises:
        `ConfigError`: where no config has a row left.
    """
    if not configs:
        raise ConfigError(
            f"{snapshot.target.repo_id}: no row would be left; delete the repository instead (`hf repos delete`)"
        )
