"""
The published 5.4K safety set: seven TSV files in, a release folder out, and their known defects.

The files stand beside Hassan, Sicilia and Alikhani (2024), "Active Learning for Robust and Representative LLM
Generation in Safety-Critical Scenarios" (repository `sabithsn/active-learning-safety`). They contradict the paper in
one point: it asks that a variation keep the human label of its original (the relation R), and in `topn` 31 and in
`cluster` 22 of the 100 originals carry another label than all of their five variations. So there are two readings of
the labels: `published`, as the files have them, and `consistent`, in which such an original takes the label of its
variations. A training row carries its label in the other reading in the column `reading`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

from datasets import Dataset

from rarecase.core.errors import ConfigError, DataError, did_you_mean, shown_label
from rarecase.data.counts import class_count_std, class_counts
from rarecase.data.release import Config, write_release
from rarecase.data.schema import GENERATED, HUMAN, conform, texts
from rarecase.data.taxonomy import Taxonomy
from rarecase.settings.checks import refuse_working_folder

READINGS = PUBLISHED, CONSISTENT = "published", "consistent"
STRATEGIES = ("random", "topn", "coreset", "cluster")
SETS = ("bootstrap", "dev", "test")
ORIGINALS, VARIATIONS = 100, 5
GENERATOR = "gpt-3.5-turbo"
SOURCE = "Reddit titles, github.com/sabithsn/active-learning-safety"

# Table 3 of the paper, its classes in the order of the shipped taxonomy.
TABLE_3 = {
    "random": (96, 180, 84, 84, 12, 144),
    "topn": (116, 88, 90, 112, 24, 170),
    "coreset": (66, 115, 137, 90, 0, 192),
    "cluster": (115, 121, 87, 94, 30, 153),
    "bootstrap": (22, 24, 36, 25, 5, 38),
    "dev": (26, 26, 32, 29, 6, 31),
    "test": (438, 474, 500, 497, 82, 709),
}
TABLE_3_STD = {"random": 57.6, "topn": 47.6, "coreset": 65.3, "cluster": 41.4}


@dataclass(frozen=True)
class Findings:
    """
    What the published files hold, compared with the paper's Table 3; numbers only, no text.

    `counts` (rows per class) and `class_count_std` (of the strategies) are those of the `reading`. `contradictions`
    counts originals whose variations all agree on another label, `repeats` rows whose text an earlier row of the same
    set has, `overlap` training rows whose text is in test (`rows`) and their distinct texts (`texts`).
    """

    reading: str
    counts: dict[str, dict[str, int]]
    paper: dict[str, dict[str, int]]
    class_count_std: dict[str, float]
    paper_class_count_std: dict[str, float]
    contradictions: dict[str, int]
    repeats: dict[str, int]
    overlap: dict[str, dict[str, int]]
    empty: dict[str, int]

    def defects(self, name: str) -> list[str]:
        """What users of this config should know, a sentence each."""
        numbers = {
            "originals with another label than all of their variations": self.contradictions.get(name, 0),
            "training rows with the text of an earlier one": self.repeats[name],
            "training rows with a text that stands in test too": self.overlap[name]["rows"],
            "training rows without any text": self.empty.get(name, 0),
            "test rows with the text of an earlier one": self.repeats["test"],
        }
        return [f"{what}: {number}" for what, number in numbers.items() if number]

    def __str__(self) -> str:
        """The table for a terminal: each count beside the paper's, then what else was found."""
        columns = [["set: file / paper", "rows", *self.counts["test"], "std"]]
        for name, counts in self.counts.items():
            paper = self.paper[name]
            pairs = zip([sum(counts.values()), *counts.values()], [sum(paper.values()), *paper.values()], strict=True)
            std = ""  # the sets that people labelled have none
            if name in self.class_count_std:
                std = f"{self.class_count_std[name]:.1f} / {self.paper_class_count_std[name]}"
            columns.append([name, *(f"{file} / {table}" for file, table in pairs), std])
        first, *others = columns
        table = [
            cell.ljust(20) + "".join(other.ljust(13) for other in cells).rstrip()
            for cell, *cells in zip(first, *others, strict=True)
        ]
        notes = {
            "labels": self.reading,
            "originals whose variations all say otherwise": _listed(self.contradictions),
            "repeats of a text within its set": _listed(self.repeats),
            "training rows whose text is in test": _listed({k: n["rows"] for k, n in self.overlap.items()}),
            "distinct texts among these": _listed({k: n["texts"] for k, n in self.overlap.items()}),
            "rows without any text": _listed(self.empty),
        }
        return "\n".join([*table, "", *(f"{title}: {found}" for title, found in notes.items())])


def import_published(folder: Path | str, out: Path | str, reading: str = PUBLISHED) -> Findings:
    """
    Reads the seven published files and writes them as a release: `load_dataset(out, NAME)`.

    The configs are `bootstrap`, `random`, `topn`, `coreset` and `cluster` (the default), each with the same
    `validation` and `test`. Rows keep the order of the files. Texts stay as they are, trailing spaces included; one
    variation of `coreset` has none, and is kept. A variation belongs to its original by position, since the ids of the
    files repeat or are wrong; the round of a row is not in the files and stays null.
    """
    if reading not in READINGS:
        hint = did_you_mean(reading, READINGS)
        raise ConfigError(f"--reading {reading!r} is unknown{hint}; expected one of {', '.join(READINGS)}")
    refuse_working_folder(Path(out))
    folder, taxonomy = Path(folder), Taxonomy.default()
    sets = {name: _labelled_set(folder / f"{name}_labeled.tsv", name, taxonomy) for name in SETS}
    groups = {name: _read_groups(folder / f"{name}-all.tsv", taxonomy) for name in STRATEGIES}
    train = {name: _train_set(group, name, reading, taxonomy) for name, group in groups.items()}
    configs = {
        name: {"train": split, "validation": sets["dev"], "test": sets["test"]}
        for name, split in {"bootstrap": sets["bootstrap"], **train}.items()
    }
    findings = _findings(reading, {**train, **sets}, groups)
    write_release(
        out,
        configs,
        default="cluster",
        title=f"The published 5.4K safety set, labels in the {reading} reading",
        taxonomy=taxonomy,
        known={
            name: Config(
                acquired={"by": "import-published", "reading": reading},
                source=SOURCE,
                source_states_no_license=True,
                defects=tuple(findings.defects(name)),
            )
            for name in configs
        },
    )
    return findings


class _Row(NamedTuple):
    id: str
    text: str
    source: str
    label: int


class _Groups(NamedTuple):
    """The rows of an -all file, and for each variation the position of its original."""

    variations: list[_Row]
    originals: list[_Row]
    parents: list[int]

    def consistent(self) -> list[int]:
        """The labels of the originals; where all variations of one agree on another label, theirs."""
        varied: list[set[int]] = [set() for _ in self.originals]
        for parent, variation in zip(self.parents, self.variations, strict=True):
            varied[parent].add(variation.label)
        pairs = zip(self.originals, varied, strict=True)
        return [next(iter(labels)) if len(labels) == 1 else original.label for original, labels in pairs]


def _read(path: Path, text: int, source: int, taxonomy: Taxonomy) -> list[_Row]:
    """
    The rows of one file. Columns go by position (one header holds a leaked reply of a language model), fields are
    never quoted, and lines end at LF or CR LF and nowhere else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; expected the folder with the seven published TSV files") from None
    try:
        lines = content.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path} row {row}: not valid UTF-8; get the file again") from None
    fields = [line.removesuffix("\r").split("\t") for line in lines]
    for row, cells in enumerate(fields, 1):
        if len(cells) != 4:
            raise DataError(
                f"{path} row {row}: {len(cells)} columns, expected 4 separated by tabs; get the file again"
            )
    if fields[0][0] != "id":
        raise DataError(f"{path} row 1: expected the header, which begins with 'id'; get the file again")
    categories = {cells[3] for cells in fields[1:]}
    labels = {category: taxonomy.index(category) for category in categories}
    rows = []
    for row, cells in enumerate(fields[1:], 2):
        label = labels[cells[3]]
        if label is None:
            # The value can be a post, where columns are swapped.
            shown = shown_label(cells[3], categories) if did_you_mean(cells[3], taxonomy.words) else ""
            raise DataError(f"{path} row {row}: category{shown} is unknown; expected {', '.join(taxonomy.words)}")
        rows.append(_Row(cells[0], cells[text], cells[source], label))
    return rows


def _read_groups(path: Path, taxonomy: Taxonomy) -> _Groups:
    """
    The variations, in the order of their originals, then the 100 originals. Each original has five, and in one file
    one of them has six: the one that makes every variation share its id or its subreddit with its original.
    """
    rows = _read(path, 1, 2, taxonomy)
    variations, originals = rows[:-ORIGINALS], rows[-ORIGINALS:]
    spare = len(variations) - VARIATIONS * ORIGINALS
    if spare not in (0, 1):
        raise DataError(f"{path}: {len(rows)} rows below the header, expected 600, or 601 with one group of six")
    layouts = [_layout(longer) for longer in (range(ORIGINALS) if spare else [None])]
    fitting = [parents for parents in layouts if _fits(variations, originals, parents)]
    if len(fitting) != 1:
        raise DataError(
            f"{path}: the variations are not in the order of their originals, the last 100 rows; get it again"
        )
    return _Groups(variations, originals, fitting[0])


def _layout(longer: int | None) -> list[int]:
    """The original of each variation: five in a row for each, and one more for `longer`."""
    return list(chain.from_iterable(repeat(i, VARIATIONS + (i == longer)) for i in range(ORIGINALS)))


def _fits(variations: Sequence[_Row], originals: Sequence[_Row], parents: Sequence[int]) -> bool:
    pairs = ((variation, originals[parent]) for variation, parent in zip(variations, parents, strict=True))
    return all(variation.id == original.id or variation.source == original.source for variation, original in pairs)


def _labelled_set(path: Path, name: str, taxonomy: Taxonomy) -> Dataset:
    rows = _read(path, 2, 1, taxonomy)
    digits = 4 if name == "test" else 3
    named = [{**row._asdict(), "id": f"{name}-{i:0{digits}d}", "origin": HUMAN} for i, row in enumerate(rows)]
    return conform(Dataset.from_list(named), taxonomy.names)


def _train_set(groups: _Groups, name: str, reading: str, taxonomy: Taxonomy) -> Dataset:
    variations, originals, parents = groups
    rows = variations + originals
    published = [row.label for row in rows]
    consistent = published[: len(variations)] + groups.consistent()
    ids = [f"{name}-{i:03d}" for i in range(len(originals))]
    n, k = len(originals), len(variations)
    first = [parents.index(parent) for parent in parents]
    columns = {
        "id": [f"{ids[parent]}-{i - first[i] + 1}" for i, parent in enumerate(parents)] + ids,
        "text": [row.text for row in rows],
        "label": published if reading == PUBLISHED else consistent,
        "source": [row.source for row in rows],
        "origin": [GENERATED] * k + [HUMAN] * n,
        "parent_id": [ids[parent] for parent in parents] + [None] * n,
        "strategy": [name] * len(rows),
        "generator": [GENERATOR] * k + [None] * n,
        "reading": consistent if reading == PUBLISHED else published,
    }
    return conform(Dataset.from_dict(columns), taxonomy.names)


def _findings(reading: str, sets: Mapping[str, Dataset], groups: Mapping[str, _Groups]) -> Findings:
    names = Taxonomy.default().names
    counts = {name: class_counts(dataset, names) for name, dataset in sets.items()}
    words = {name: Counter(texts(dataset)) for name, dataset in sets.items()}
    shared = {name: words[name].keys() & words["test"].keys() for name in ("bootstrap", *STRATEGIES)}
    empty = {name: sum(n for text, n in found.items() if not text.strip()) for name, found in words.items()}
    return Findings(
        reading=reading,
        counts=counts,
        paper={name: dict(zip(names, TABLE_3[name], strict=True)) for name in sets},
        class_count_std={name: class_count_std(counts[name]) for name in STRATEGIES},
        paper_class_count_std=TABLE_3_STD,
        contradictions={
            name: sum(row.label != other for row, other in zip(group.originals, group.consistent(), strict=True))
            for name, group in groups.items()
        },
        repeats={name: sum(found.values()) - len(found) for name, found in words.items()},
        overlap={
            name: {"rows": sum(words[name][text] for text in found), "texts": len(found)}
            for name, found in shared.items()
        },
        empty={name: n for name, n in empty.items() if n},
    )


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in numbers.items() if n) or "none"
