"""The sample that ships with rarecase, cut down, for tests that run the loop; its texts are encoded once."""

import csv
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset

import rarecase
from rarecase.data import arrow, schema
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.gold import Gold
from rarecase.models.encoder import embed, load_encoder

SAMPLE = Path(rarecase.__file__).parent / "sample"
NAMES = Taxonomy.default().names
ROWS = {"pool": 90, "bootstrap": 60, "dev": 30, "test": 60}


def write(folder: Path, **rows: int) -> list[str]:
    """Writes the first rows of each set as CSV, and gives the flags that name them."""
    flags = []
    for name, count in {**ROWS, **rows}.items():
        lines = _lines(name, count)
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, lines[0].keys())
            writer.writeheader()
            writer.writerows(lines)
        flags += [f"--{name}", str(folder / f"{name}.csv")]
    return flags


def model(folder: Path) -> Path:
    """A model folder: `frozen`, fitted on the start set of the sample."""
    from rarecase.learn.frozen import Frozen  # heavy, and few tests need it

    learner = Frozen("packaged", NAMES, seed=0, encoder=encoder(), shared=True)
    learner.fit(table("bootstrap"), table("dev")).save(folder)
    return folder


def relabel(path: Path | str, label: Callable[[int, dict[str, str]], str]) -> list[dict[str, str]]:
    """Types into the column `label` of a CSV file what `label` says of the number of a row and the row; gives all."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        lines = [{**line, "label": label(number, line)} for number, line in enumerate(csv.DictReader(file))]
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0].keys())
        writer.writeheader()
        writer.writerows(lines)
    return lines


def without_label(path: Path, row: int) -> str:
    """Empties the label of one row of a CSV file, and gives its id."""
    return relabel(path, lambda number, line: "" if number == row else line["label"])[row]["id"]


@functools.cache
def encoder():
    """The packaged encoder."""
    return load_encoder()


@functools.cache
def table(name: str, rows: int | None = None) -> Dataset:
    """A set with the released columns and `embedding`, labelled."""
    lines = _lines(name, rows or ROWS[name])
    columns = {
        "id": [line["id"] for line in lines],
        "text": [line["text"] for line in lines],
        "label": pa.array([NAMES.index(line["label"]) for line in lines], pa.int64()),
        "origin": [schema.HUMAN] * len(lines),
    }
    return embed(schema.conform(Dataset(pa.table(columns)), NAMES), encoder())


def tables() -> dict[str, Dataset]:
    """The four sets as `rarecase.algorithm.run` takes them, the pool without its labels."""
    hidden = arrow.with_column(
        table("pool"), "label", pa.nulls(ROWS["pool"], pa.int64()), table("pool").features["label"]
    )
    return {"pool": hidden, **{name: table(name) for name in ("bootstrap", "dev", "test")}}


def gold(pool: Dataset | None = None) -> Gold:
    """Who knows the labels of the pool."""
    pool = pool or table("pool")
    return Gold(dict(zip(pool["id"][:], pool["label"][:], strict=True)), NAMES)


def files(folder: Path) -> dict[str, bytes]:
    """The data files of a folder, by name: everything but the settings, which name the folder, and the picture."""
    left_out = ("config.yaml", "report.png", "details.png", "replies.sqlite")
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in left_out)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _lines(name: str, count: int) -> list[dict[str, str]]:
    with (SAMPLE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))[:count]


def probs_by_text(dataset: Dataset) -> dict[str, bytes]:
    """The probabilities of each text, to the last bit."""
    return dict(zip(dataset["text"][:], map(np.ndarray.tobytes, arrow.matrix(dataset, "probs")), strict=True))
