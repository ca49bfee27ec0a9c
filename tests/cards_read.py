"""A card with what is counted of its data, to read the one against the other."""

import json
import re
from collections import defaultdict
from statistics import stdev
from typing import Any

import pyarrow.parquet as pq
import yaml
from published_runs import Made

Rows = list[dict[str, Any]]


class Card:
    """A card, and what is counted of its data."""

    def __init__(self, made: Made):
        self.made = made
        head, self.body = (made.card / "README.md").read_text("utf-8").removeprefix("---\n").split("\n---\n", 1)
        self.head = yaml.safe_load(head)
        self.listed = {
            c["config_name"]: {f["split"]: f["path"] for f in c["data_files"]} for c in self.head["configs"]
        }
        self.paths: dict[str, dict[str, str]] = {name: of for name, of in self.listed.items() if name != "all"}
        files = sorted(made.card.rglob("*.parquet"))
        self.rows: dict[str, Rows] = {f.relative_to(made.card).as_posix(): pq.read_table(f).to_pylist() for f in files}
        features = json.loads(pq.read_schema(files[0]).metadata[b"huggingface"])["info"]["features"]
        self.columns, self.names = list(features), features["label"]["names"]
        self.users: dict[tuple[str, str], list[str]] = defaultdict(list)
        for config, splits in self.paths.items():
            for split, path in splits.items():
                self.users[split, path].append(config)

    @property
    def all(self) -> Rows:
        return [row for rows in self.rows.values() for row in rows]

    @property
    def generated(self) -> Rows:
        return [row for row in self.all if row["origin"] == "generated"]

    def of(self, paths: str | list[str]) -> Rows:
        return [row for path in ([paths] if isinstance(paths, str) else paths) for row in self.rows[path]]

    def train(self, config: str) -> Rows:
        return self.rows[self.paths[config]["train"]]

    def file(self, of: str, split: str) -> Rows:
        """The rows of a file by what a table says of it."""
        users = list(self.paths) if of == "all" else re.findall("`(.+?)`", of)
        (path,) = {self.paths[config][split] for config in users}
        assert self.users[split, path] == users
        return self.rows[path]

    def counts(self, rows: Rows) -> list[str]:
        """Of each class, and their standard deviation."""
        counts = [sum(row["label"] == label for row in rows) for label in range(len(self.names))]
        return [*map(str, counts), f"{stdev(counts):.1f}"]
