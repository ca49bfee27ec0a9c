"""A release with two acquired splits, and the command that runs an experiment on it, for tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import small
from datasets import Dataset, concatenate_datasets
from small import NAMES

from rarecase.data.arrow import rows, with_column
from rarecase.data.release import Config, write_release
from rarecase.data.schema import conform
from rarecase.generate import Variation, variations_table

# In `cluster`, of ten posts: two variations of each, and the first four have another class in the other reading.
HUMAN, VARIATIONS, CONTRADICTIONS = 10, 2, 4


def splits() -> dict[str, Dataset]:
    """`bootstrap` (60 posts), dev and test; `cluster`; and `entropy`, ten posts without variations."""
    shared = {name: conform(small.table(name), NAMES) for name in ("bootstrap", "dev", "test")}
    return {
        **shared,
        "entropy": rows(conform(small.table("pool"), NAMES), range(20, 20 + HUMAN)),
        "cluster": acquired(0),
    }


def acquired(first: int) -> Dataset:
    """Ten posts of the pool from the first on, and their variations."""
    chosen = rows(conform(small.table("pool"), NAMES), range(first, first + HUMAN))
    other = [
        (label + 1) % len(NAMES) if row < CONTRADICTIONS else None for row, label in enumerate(chosen["label"][:])
    ]
    chosen = with_column(chosen, "reading", pa.array(other, pa.int64()), chosen.features["label"])
    made = [
        [Variation(f"{text} (again, {i})", "words") for i in range(1, VARIATIONS + 1)] for text in chosen["text"][:]
    ]
    return concatenate_datasets([chosen, variations_table(chosen, made)])


def write(folder: Path, tables: Mapping[str, Dataset] | None = None, reading: str = "published") -> Path:
    """Writes the release, its labels marked as those of one reading."""
    found = dict(tables or splits())
    shared = {"validation": found.pop("dev"), "test": found.pop("test")}
    write_release(
        folder,
        {name: {"train": table, **shared} for name, table in found.items()},
        default="cluster",
        title="Posts",
        known={name: Config({"by": "import-published", "reading": reading}) for name in found if name != "bootstrap"},
    )
    return folder


def command_of(data: Path | str, out: Path, **flags: Any) -> list[str]:
    """The command; a flag that is True stands alone."""
    given = {"data": data, "out": out, **flags}
    parts = [[f"--{n.replace('_', '-')}", *([] if value is True else [str(value)])] for n, value in given.items()]
    return ["experiment", *(part for flag in parts for part in flag)]


def cells(out: Path) -> dict[str, bytes]:
    """Every file of every cell."""
    paths = sorted(path for path in (out / "cells").rglob("*") if path.is_file())
    return {str(path.relative_to(out / "cells")): path.read_bytes() for path in paths}
