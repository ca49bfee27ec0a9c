"""A data set with something to say under every heading of its card, and what stands on the Hub once it is there."""

import csv
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from datasets import Dataset
from huggingface_hub import HfApi, snapshot_download
from small import NAMES, SAMPLE

from rarecase.data import schema
from rarecase.data.acquired import VariationCounts
from rarecase.data.release import Config, write_release
from rarecase.data.taxonomy import Taxonomy
from rarecase.hub.commit import Target
from rarecase.publish.dataset import publish_dataset
from rarecase.publish.remove import remove

Rows = list[dict[str, Any]]
Configs = dict[str, dict[str, Rows]]

RUN = {
    "by": "run",
    "strategy": "cluster",
    "learner": "frozen",
    "model": "packaged",
    "encoder": "packaged",
    "annotator": "file",
    "generator": "openai",
    "generator_model": "words-7b",
    "budget": 20,
    "batch": 10,
    "clusters": None,
    "variations": 2,
    "policy": "strict",
    "seed": 7,
}
ABOUT = {
    "title": "Posts for rarecase",
    "description": "Posts written to try\na guard with.",
    "language": "en",
    "annotators_trained": "an hour with the definitions",
    "annotators_paid": None,
    "source_terms": "CC BY 4.0",
    "llm_terms": None,
    "contact": "data@example.org",
}


def sample(name: str, start: int, count: int, **known: Any) -> Rows:
    """Rows of the sample that ships, people's."""
    with (SAMPLE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[start : start + count]
    return [{**row, "label": NAMES.index(row["label"]), "origin": "human", **known} for row in rows]


def voted(rows: Rows) -> Rows:
    """Two people label each row but the last; of every four they disagree on one."""
    for i, row in enumerate(rows):
        said = {"A1": row["label"], "A2": (row["label"] + (i % 4 == 3)) % len(NAMES)}
        people = list(said)[: 1 if row is rows[-1] else 2]
        row |= {"annotator": "A1", "round": 1 + i // 10}
        row["votes"] = [{"annotator": who, "label": said[who], "seconds": 1.5 * i} for who in people]
    return rows


def varied(rows: Rows) -> Iterator[dict[str, Any]]:
    """Two variations each, the prompt of the second round another one; every seventh failed its check."""
    for i, row in enumerate(rows):
        yield row
        for k in (1, 2):
            yield {
                "id": f"{row['id']}-{k}",
                "text": f"In other words, {k}: {row['text']}",
                "label": row["label"],
                "origin": "generated",
                "parent_id": row["id"],
                "round": row["round"],
                "strategy": row["strategy"],
                "generator": "words-7b",
                "prompt_hash": "4f1a90c2bd" if row["round"] == 1 else "b00c11d2e3",
                "checks": [{"check": "not-empty", "passed": bool((2 * i + k) % 7), "value": None}],
            }


SOURCE = "forum posts written for rarecase"
REMOVED = sample("pool", 35, 1)[0]["id"]  # of `random`


def rows() -> Configs:
    """What is released: the start set, and what two strategies acquired."""
    others = {"validation": sample("dev", 0, 30), "test": sample("test", 0, 60)}
    people = voted(sample("pool", 0, 20, strategy="cluster"))
    known = sample("pool", 20, 16, strategy="random", annotator="gold", round=1)
    train = {"bootstrap": sample("bootstrap", 0, 60), "cluster": list(varied(people)), "random": known}
    return {name: {"train": split, **others} for name, split in train.items()}


def write(folder: Path, configs: Configs) -> Path:
    """The release folder."""
    columns = schema.features(NAMES)
    made: dict[int, Dataset] = {}

    def table_of(split: Rows) -> Dataset:  # one object for rows that configs share
        filled = [{c: row.get(c) for c in columns} for row in split]
        return made.setdefault(id(split), Dataset.from_list(filled, features=columns))

    write_release(
        folder,
        {name: {split: table_of(found) for split, found in splits.items()} for name, splits in configs.items()},
        default="cluster",
        taxonomy=Taxonomy.default(),
        known={
            "bootstrap": Config({"by": "start"}, SOURCE),
            "cluster": Config(
                RUN,
                SOURCE,
                defects=("labels are one writer's",),
                rounds=tuple(round_(configs["cluster"]["train"], number) for number in range(3)),
                variations={
                    NAMES[1]: VariationCounts(30, 28, {"copy": 1, "learner": 2}),
                    NAMES[5]: VariationCounts(10, 10, {}),
                },
            ),
            "random": Config(
                {**RUN, "strategy": "random", "annotator": "gold", "generator": "none", "batch": 15},
                SOURCE,
                defects=("labels are one writer's", "the budget was not spent"),
            ),
        },
    )
    return folder


def round_(train: Rows, number: int) -> dict[str, Any]:
    """What a run measured after a round."""
    until = [row for row in train if row["round"] <= number]
    counts = {name: sum(NAMES[row["label"]] == name for row in until) for name in NAMES}
    measured = {"accuracy": 60.0, "macro_f1": 55.04 + number, "f1": dict.fromkeys(NAMES, 50.0)}
    return {
        "round": number,
        "labels": sum(row["origin"] == "human" for row in until),
        "class_counts": counts,
        "class_count_std": statistics.stdev(counts.values()),
        "dev": measured,
        "test": {**measured, "macro_f1": 51.96 + number},
    }


def head_of(readme: str) -> dict[str, Any]:
    """The front matter."""
    return yaml.safe_load(readme.split("---\n")[1])


def publish(folder: Path, configs: Configs) -> tuple[Path, list[str]]:
    """
    Publishes the release, takes one of its rows down, and gives what stands on the Hub then, and the days of both.
    """
    place = Target(kind="dataset", repo_id="acme/safety")
    publish_dataset(write(folder / "out", configs), place, "cc-by-4.0", about=ABOUT)
    remove("acme/safety", [REMOVED])
    there = snapshot_download("acme/safety", repo_type="dataset", local_dir=folder / "hub")
    commits = HfApi().list_repo_commits("acme/safety", repo_type="dataset")
    return Path(there), [commit.created_at.date().isoformat() for commit in commits[-2::-1]]
