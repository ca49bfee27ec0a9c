"""
A release: a folder of Parquet files and a README that `datasets.load_dataset` reads as it stands.

    load_dataset("OUT", "cluster")                # or "org/name", once it is on the Hub

The YAML at the head of README.md names the configs and the files of each split; a split that all configs share is
stored once. The features, `ClassLabel` among them, come from the Parquet schema. Beside it stands release.json: what
the rows do not say of themselves (how a config was acquired, where its texts come from, what is known to be wrong),
for the card that is published with them.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from datasets import Dataset

from rarecase.core.errors import ConfigError
from rarecase.core.files import digest, write_folder_beside, write_json, write_text
from rarecase.data.counts import class_counts
from rarecase.data.parquet import write_parquet
from rarecase.data.schema import label_names
from rarecase.data.taxonomy import Category, Taxonomy

Configs = Mapping[str, Mapping[str, Dataset]]

FORMAT = 1
# What release.json says of a config that nothing is known of.
UNKNOWN: dict[str, Any] = {
    "acquired": None,
    "source": None,
    "source_states_no_license": False,
    "defects": [],
    "rounds": [],
}


def write_release(
    folder: Path | str,
    configs: Configs,
    *,
    default: str,
    title: str,
    taxonomy: Taxonomy | None = None,
    known: Mapping[str, Mapping[str, Any]] | None = None,
    replace: bool = False,
) -> None:
    """
    Writes a release folder, whole or not at all: built beside as `.NAME.tmp`, then renamed.

    The same rows give the same bytes, however the tables were put together.

    Args:
        folder (`Path | str`): the folder to make; it may exist if it is empty.
        configs (`Mapping[str, Mapping[str, Dataset]]`): the splits of every config, each with the columns of
            `schema.features`. A split that is the same `Dataset` object in all configs is written once and shared.
        default (`str`): the config that `load_dataset(folder)` takes.
        title (`str`): the heading of the README.
        taxonomy (`Taxonomy`, *optional*): the classes, for their definitions; by default the names alone.
        known (`Mapping[str, Mapping]`, *optional*): of each config, any of `acquired` (who acquired it, and with which
            settings), `source`, `source_states_no_license`, `defects` (sentences) and `rounds` (of a run). Names and
            numbers; no text of the data, no path.
        replace (`bool`): take the place of an earlier release. That one is moved to `.NAME.old` and deleted once the
            new one stands, so a kill at any moment leaves one of the two whole, and the next call clears up.

    Raises:
        `ConfigError`: where the folder holds something, or with `replace` something that is no release; or where a
            config or split has a name that `load_dataset` cannot take.
        `DiskFullError`: where the disk has no space left; the earlier release stays.

    Example:
        >>> write_release("out", {"cluster": {"train": train, "test": test}}, default="cluster", title="Posts")
        >>> load_dataset("out", "cluster")["train"].features["label"].names
    """
    folder = Path(folder).resolve()
    check_names(configs, default)
    _check_place(folder, replace)
    paths = _paths(configs)
    with write_folder_beside(folder) as beside:
        for path, dataset in {paths[config, split]: configs[config][split] for config, split in paths}.items():
            write_parquet(beside / path, dataset)
        write_json(beside / "release.json", _facts(configs, default, title, taxonomy, known or {}))
        write_text(beside / "README.md", _readme(configs, paths, _digests(beside, configs, paths), default, title))


def check_names(configs: Configs, default: str) -> None:
    """
    Raises:
        `ConfigError`: where a config or split has a name that `load_dataset` cannot take.
    """
    for config, splits in configs.items():
        if config == "data" or not re.fullmatch(r"\w[\w.-]*", config):
            raise ConfigError(f"{config!r} cannot name a config; take letters, digits, '_' and '-', and not 'data'")
        for split in splits:
            if not re.fullmatch(r"\w+", split):
                raise ConfigError(f"{split!r} cannot name a split of {config!r}; take letters, digits and '_'")
    if default not in configs:
        raise ConfigError(f"the default config {default!r} is none of {', '.join(configs)}")


def _check_place(folder: Path, replace: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; name a folder that does not exist yet")
    if not replace and any(folder.iterdir()):
        raise ConfigError(f"{folder}: exists and is not empty; name another folder, or delete this one first")
    files = sorted(path for path in folder.rglob("*") if not path.is_dir())
    ours = ("README.md", "release.json")
    foreign = next((path for path in files if path.name not in ours and path.suffix != ".parquet"), None)
    if foreign:
        raise ConfigError(f"{folder}: holds {foreign.name}, which no release has; move it away first")


def _paths(configs: Configs) -> dict[tuple[str, str], str]:
    """Where each split of each config lies: in the root where all configs share it, else in the config's folder."""
    places = {}
    for config, splits in configs.items():
        for split, dataset in splits.items():
            shared = len(configs) > 1 and all(other.get(split) is dataset for other in configs.values())
            places[config, split] = f"{split}.parquet" if shared else f"{config}/{split}.parquet"
    return places


def _facts(
    configs: Configs, default: str, title: str, taxonomy: Taxonomy | None, known: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    if taxonomy is None:
        taxonomy = Taxonomy(tuple(Category(name) for name in label_names(next(iter(configs[default].values())))))
    return {
        "format": FORMAT,
        "title": title,
        "default": default,
        "classes": [{"name": c.name, "definition": c.definition, "source": c.source} for c in taxonomy.classes],
        "configs": {name: {**UNKNOWN, **known.get(name, {})} for name in configs},
    }


def _digests(folder: Path, configs: Configs, paths: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """One hash over the files of each config."""
    return {config: digest(folder / paths[config, split] for split in configs[config]) for config in configs}


def _readme(
    configs: Configs, paths: Mapping[tuple[str, str], str], digests: Mapping[str, str], default: str, title: str
) -> str:
    entries = [
        {
            "config_name": config,
            # `load_dataset` caches a local folder by its last name and this head alone (datasets 5.1): without
            # something of the content, the `data` of one run would be answered with the rows of another's.
            "description": f"content {digests[config]}",
            "data_files": [{"split": split, "path": paths[config, split]} for split in splits],
            # A bare `load_dataset(folder)` fails where several configs stand and none is the default.
            **({"default": True} if config == default else {}),
        }
        for config, splits in configs.items()
    ]
    head = yaml.safe_dump({"configs": entries}, sort_keys=False, allow_unicode=True)
    tables = {
        (config, split): class_counts(dataset, label_names(dataset))
        for config in configs
        for split, dataset in configs[config].items()
    }
    names = list(dict.fromkeys(name for counts in tables.values() for name in counts))
    lines = [
        _table_line("config", "split", "rows", *names),
        _table_line("---", "---", *["---:"] * (1 + len(names))),
        *(
            _table_line(config, split, len(configs[config][split]), *(counts.get(name, 0) for name in names))
            for (config, split), counts in tables.items()
        ),
    ]
    return "\n".join(["---", head + "---", f"# {title}", "", *lines, ""])


def _table_line(*cells: str | int) -> str:
    return f"| {' | '.join(map(str, cells))} |"
