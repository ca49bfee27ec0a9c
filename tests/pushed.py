"""Releases of the sample, and the repository that they are pushed to."""

import json
from pathlib import Path

import small
from datasets import Dataset
from huggingface_hub import HfApi, hf_hub_download
from small import NAMES

from rarecase.data.arrow import rows, with_column
from rarecase.data.release import Config, write_release
from rarecase.data.schema import conform
from rarecase.data.taxonomy import Taxonomy
from rarecase.hub.commit import Pushed, Target
from rarecase.publish.dataset import publish_dataset

PLACE = Target(kind="dataset", repo_id="acme/safety")


def split(name: str, *indices: int) -> Dataset:
    """Rows of the sample; two of them vary the first one."""
    table = rows(conform(small.table(name), NAMES), indices)
    varied = [None, *[table["id"][0]] * (len(indices) - 1)] if name == "pool" else [None] * len(indices)
    columns = {column: table[column][:] for column in table.column_names} | {"parent_id": varied}
    return conform(Dataset.from_dict(columns, features=table.features), NAMES)


def release(folder: Path, *configs: str, test: int = 9, source: str | None = None, default: str | None = None) -> Path:
    """A release of these configs, which share validation and test."""
    shared = {"validation": split("dev", *range(4)), "test": split("test", *range(test))}
    place = {"bootstrap": 0, "cluster": 3, "coreset": 6, "random": 9, "entropy": 12}
    tables = {name: {"train": split("pool", *range(place[name], place[name] + 3)), **shared} for name in configs}
    known = {name: Config(source=source, source_states_no_license=source is not None) for name in configs}
    write_release(
        folder,
        tables,
        default=default or configs[-1],
        title="Posts",
        taxonomy=Taxonomy.default(),
        known=known,
        replace=True,
    )
    return folder


def labelled_twice(folder: Path) -> Path:
    """A release with a text that two people have labelled."""
    table = split("pool", 0, 1, 2)
    vote = [{"annotator": name, "label": 0, "seconds": 2.0} for name in ("maria", "A1")]
    table = with_column(table, "annotator", ["maria", "gold", None])
    table = with_column(table, "votes", [vote, None, None], table.features["votes"])
    write_release(folder, {"cluster": {"train": table}}, default="cluster", title="Posts", taxonomy=Taxonomy.default())
    return folder


def publish(folder: Path, place: Target = PLACE, **more) -> Pushed:
    return publish_dataset(folder, place, "cc-by-4.0", **more)


def facts(revision: str | None = None) -> dict:
    path = hf_hub_download("acme/safety", "release.json", repo_type="dataset", revision=revision)
    return json.loads(Path(path).read_text())


def files() -> set[str]:
    return set(HfApi().list_repo_files("acme/safety", repo_type="dataset")) - {".gitattributes"}
