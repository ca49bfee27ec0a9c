"""
Labels from a spreadsheet: `to_label.csv` is written, people fill in the column `label`, and the run goes on.

The file is UTF-8 and RFC 4180 when it is written, and may come back as `csv_file.py` reads it. A cell that a
spreadsheet program would take for a formula has one `'` in front (`core/csv_cells.py`); `id` and `label`, which alone
are read back, lose it then.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from rarecase.core.csv_cells import write_csv
from rarecase.core.errors import DataError, WaitingForLabels, did_you_mean, listed, shown_id, shown_label
from rarecase.data import arrow
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.annotator import Annotator, labelled
from rarecase.labeling.csv_file import read_csv

ANNOTATOR = "A1"


@dataclass
class File(Annotator):
    """Writes the rows to a CSV file, stops the run, and reads their labels from the file the next time."""

    path: Path
    taxonomy: Taxonomy
    go_on: str  # the command to type once the file is filled in
    columns: Sequence[str] = ()  # further columns of the dataset that people are shown, such as `set`
    other_classes: str = ""  # how to have other classes, for whoever typed a label that is none

    def annotate(self, dataset: Dataset) -> Dataset:
        """
        The rows that people have labelled. A file with none of the ids is a leftover of another round and is written
        anew; if it has labels, it is first renamed, since a file whose ids a program has changed looks the same.
        """
        ids, kept = dataset["id"][:], ""
        rows = self._read() if self.path.exists() else []
        if not set(ids) & {row["id"] for _, row in rows}:
            if any(row["label"].strip() for _, row in rows):
                kept = f" (the earlier file, with labels of other ids, is now {self._move_aside()})"
            self._write(dataset)
            rows = self._read()
        self._check_ids(ids, rows)
        found = self._labels(rows)
        if not found:
            raise WaitingForLabels(
                f"{self.path}: {len(ids)} rows to label{kept}; fill in the column 'label' with one of "
                f"{listed(self.taxonomy.names)} (a row left empty is not used), then go on with: {self.go_on}"
            )
        filled = [place for place, id_ in enumerate(ids) if id_ in found]
        labels = [found[ids[place]] for place in filled]
        votes = [[{"annotator": ANNOTATOR, "label": label, "seconds": None}] for label in labels]
        return labelled(arrow.rows(dataset, filled), labels, self.taxonomy.names, annotator=ANNOTATOR, votes=votes)

    def stored(self, labels: Dataset) -> None:
        """Removes the file once its labels are stored; one without any of them is of a later round and stays."""
        if self.path.exists() and set(labels["id"][:]) & {row["id"] for _, row in self._read()}:
            self.path.unlink()

    def _write(self, dataset: Dataset) -> None:
        head = ["id", "text", "label", *self.columns]
        columns = [[""] * len(dataset) if name == "label" else dataset[name][:] for name in head]
        write_csv(self.path, [head, *zip(*columns, strict=True)])

    def _move_aside(self) -> Path:
        names = (self.path.with_name(f"{self.path.stem}-earlier-{n}{self.path.suffix}") for n in itertools.count(1))
        return self.path.rename(next(name for name in names if not name.exists()))

    def _read(self) -> list[tuple[int, dict[str, str]]]:
        return read_csv(self.path, ("id", "label"))

    def _check_ids(self, ids: Sequence[str], rows: Sequence[tuple[int, dict[str, str]]]) -> None:
        missing, seen = dict.fromkeys(ids), set()
        for number, row in rows:
            where, id_ = f"{self.path} row {number}: id{shown_id(row['id'])}", row["id"]
            if id_ in seen:
                raise DataError(f"{where} occurs twice; delete one of the rows")
            if id_ not in missing:
                raise DataError(f"{where} is not one of those to label; restore the old one")
            seen.add(id_)
            del missing[id_]
        if missing:
            raise DataError(
                f"{self.path}: {len(missing)} of the {len(ids)} rows are missing, the first with "
                f"id{shown_id(next(iter(missing)))}; put them back, with an empty label where you have none"
            )

    def _labels(self, rows: Sequence[tuple[int, dict[str, str]]]) -> dict[str, int]:
        """The class of each id that has one: a name or alias of the taxonomy, in upper or lower case."""
        folded = {word.casefold(): i for i, c in enumerate(self.taxonomy.classes) for word in (c.name, *c.aliases)}
        given = {number: row["label"].strip() for number, row in rows}
        found = {}
        for number, row in rows:
            if not (label := given[number]):
                continue
            exact = self.taxonomy.index(label)  # first, for classes that differ in case only
            index = folded.get(label.casefold()) if exact is None else exact
            if index is None:
                hint = did_you_mean(label, folded)
                value = shown_label(label, {*given.values()}) if hint else ""  # a cell may contain anything
                classes = f"(classes: {listed(self.taxonomy.names)}{self.other_classes})"
                raise DataError(f"{self.path} row {number}: label{value} is not in the taxonomy{hint} {classes}")
            found[row["id"]] = index
        return found
