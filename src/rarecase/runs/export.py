"""`rarecase export`: everything that is labelled in the folder of a run or a start, or in a release, as one table."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Value

from rarecase.core.errors import DataError, RunFolderError, command_line
from rarecase.data.acquired import Policy
from rarecase.data.arrow import from_columns
from rarecase.data.parquet import read_parquet
from rarecase.data.read.card import paths_in, require_inside
from rarecase.data.read.origin import release_of
from rarecase.data.read.table import is_release
from rarecase.data.schema import conform, label_names
from rarecase.data.write import require_new_table, write_table
from rarecase.runs.folder import Manifest, RoundFiles, is_begun
from rarecase.verify.policy import accepted

COLUMNS = Features(
    {
        **{name: Value("string") for name in ("id", "text", "label", "split", "origin", "parent_id")},
        "round": Value("int32"),
        "strategy": Value("string"),
    }
)
SPLITS = {"bootstrap": "train", "dev": "validation", "test": "test", "certify": "certify"}


def export(folder: Path, out: Path) -> dict[str, int]:
    """Writes the table to a new file, and gives the rows of each split."""
    require_new_table(out)
    table = labelled(folder)
    write_table(out, table)
    return dict(Counter(table["split"][:]))


def labelled(folder: Path) -> Dataset:
    """
    Every labelled row once, with its class by name: the start set, what was acquired, dev and test.

    Of a run that is not finished, as far as it is; variations that its policy does not accept are left out, as in its
    `data/`.
    """
    if is_begun(folder):
        parts = _parts_of_run(folder)
    elif is_release(folder):
        parts = _parts_of_release(folder)
    else:
        raise DataError(f"{folder}: no run, no start and no release; give a folder of one of these")
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    seen: set[tuple[str, str, str]] = set()
    for split, table in parts:
        try:
            every = _rows(split, table)
        except (ValueError, TypeError, LookupError, NotImplementedError):  # of Arrow, of what a stranger wrote
            raise DataError(f"{folder}: a table of the split {split!r} is none of a release; put it back") from None
        new = [row for row in every if (split, row["id"], row["text"]) not in seen]
        seen |= {(split, row["id"], row["text"]) for row in new}  # after: a test set may repeat a text
        for name, values in columns.items():
            values += [row[name] for row in new]
    return from_columns(columns, COLUMNS)


def _rows(split: str, table: Dataset) -> list[dict[str, Any]]:
    """The rows with the columns of the output."""
    names = label_names(table)
    table = conform(table, names)
    found = table.select_columns([name for name in COLUMNS if name != "split"]).to_list()
    named = [None if row["label"] is None else names[row["label"]] for row in found]
    return [{**row, "split": split, "label": name} for row, name in zip(found, named, strict=True)]


def _parts_of_run(folder: Path) -> Iterator[tuple[str, Dataset]]:
    """The tables of a run or a start, each with its split."""
    manifest = Manifest.read(folder, "run", "start")
    sets = {name: path for name in SPLITS if (path := folder / f"{name}.parquet").is_file()}
    if not sets:
        resume = command_line("start", "--resume", folder)
        raise RunFolderError(f"{folder}: nothing in it is labelled yet; go on with: {resume}")
    if "bootstrap" in sets:
        yield SPLITS["bootstrap"], read_parquet(sets.pop("bootstrap"))
    if manifest.kind == "run":
        policy = manifest.config.policy
        rounds = RoundFiles(folder)
        for number in rounds.numbers("labels.parquet"):
            yield "train", rounds.stored(number, "labels")
            if number in rounds.numbers("variations.parquet"):
                yield "train", accepted(rounds.stored(number, "variations"), policy)
    for name, path in sets.items():
        yield SPLITS[name], read_parquet(path)


def _parts_of_release(folder: Path) -> Iterator[tuple[str, Dataset]]:
    """The tables of a release, each file once, in the order of its splits, without what its policy leaves out."""
    require_inside(folder)
    release = release_of(str(folder))
    policies: dict[tuple[str, str], Policy] = {}
    for config, splits in paths_in(folder / "README.md").items():
        policies |= {file: release.policy_of(config) if release else "strict" for file in splits.items()}
    order = list(dict.fromkeys(split for split, _ in policies))
    for split, path in sorted(policies, key=lambda file: order.index(file[0])):
        yield split, accepted(read_parquet(folder / path), policies[split, path])
