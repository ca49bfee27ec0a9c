"""
Labels from a spreadsheet: `to_label.csv` is written, people fill in the column `label`, and the run goes on.

The file is UTF-8 and RFC 4180 when it is written. It is read as spreadsheet programs give it back: with a byte order
mark, with `;` or tabs between the cells, trailing empty cells left out, its rows in another order. Texts are written
exactly as they are, also where they begin with `=` or `+`; what a program makes of them does not matter, since only
`id` and `label` are read back.
"""

import csv
import io
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from datasets import Dataset

from rarecase.core.errors import DataError, WaitingForLabels, did_you_mean, shown_id, shown_label
from rarecase.core.files import write_beside
from rarecase.data import arrow
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.annotator import Annotator, labelled

ANNOTATOR = "A1"


class File(Annotator):
    """
    Writes the rows to a CSV file, stops, and reads their labels from it the next time.

    Args:
        path (`Path`): the file, `to_label.csv` in the output folder.
        taxonomy (`Taxonomy`): the classes a label may name.
        go_on (`str`): the command to type once the file is filled in.
        columns (`Sequence[str]`): further columns of the dataset that people are shown, such as `set`.

    Example:
        >>> annotator = File(out / "to_label.csv", taxonomy, f"rarecase run --resume {out}")
        >>> labels = annotator.annotate(chosen)  # WaitingForLabels, until people have filled it in
        >>> annotator.stored(labels)  # once the labels are stored
    """

    def __init__(self, path: Path, taxonomy: Taxonomy, go_on: str, columns: Sequence[str] = ()):
        self.path = path
        self.taxonomy = taxonomy
        self.go_on = go_on
        self.columns = columns

    def annotate(self, dataset: Dataset) -> Dataset:
        """
        The rows that people have labelled, in the order given; rows left empty are not among them.

        Where the file holds none of the ids it is a leftover of another round and is written anew; if it has labels,
        it is first moved to a free name, since a file whose ids a program has changed looks the same.

        Args:
            dataset (`Dataset`): columns `id` (each once), `text` and those of `columns`.

        Returns:
            `Dataset`: with `label`, `annotator` (`A1`) and `votes`; texts are those given, not those of the file.

        Raises:
            `WaitingForLabels`: where the file was written just now, or no row of it has a label yet.
            `DataError`: naming the row (the header is row 1) that cannot be read, whose id is not expected, or whose
                label is not in the taxonomy.
        """
        ids, kept = dataset["id"][:], ""
        answers = _read(self.path) if self.path.exists() else []
        if not set(ids) & {answer.id for answer in answers}:
            if any(answer.label for answer in answers):
                kept = f" (what stood there, with labels of other ids, is now {self._move_aside()})"
            self._write(dataset)
            answers = _read(self.path)
        self._check_ids(ids, answers)
        found = self._labels(answers)
        if not found:
            raise WaitingForLabels(
                f"{self.path}: {len(ids)} rows to label{kept}; fill in the column 'label' with one of "
                f"{', '.join(self.taxonomy.names)} (a row left empty is not used), then go on with: {self.go_on}"
            )
        filled = [place for place, id_ in enumerate(ids) if id_ in found]
        labels = [found[ids[place]] for place in filled]
        votes = [[{"annotator": ANNOTATOR, "label": label, "seconds": None}] for label in labels]
        return labelled(arrow.rows(dataset, filled), labels, self.taxonomy.names, annotator=ANNOTATOR, votes=votes)

    def stored(self, labels: Dataset) -> None:
        """Removes the file once its labels are stored; one that holds none of them belongs to a later round and
        stays."""
        if self.path.exists() and set(labels["id"][:]) & {answer.id for answer in _read(self.path)}:
            self.path.unlink()

    def _write(self, dataset: Dataset) -> None:
        head = ["id", "text", "label", *self.columns]
        columns = [[""] * len(dataset) if name == "label" else dataset[name][:] for name in head]
        with write_beside(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(head)
            writer.writerows(zip(*columns, strict=True))

    def _move_aside(self) -> Path:
        names = (self.path.with_name(f"{self.path.stem}-earlier-{n}{self.path.suffix}") for n in itertools.count(1))
        return self.path.rename(next(name for name in names if not name.exists()))

    def _check_ids(self, ids: Sequence[str], answers: Sequence["_Answer"]) -> None:
        expected, seen = set(ids), set()
        for row, id_, _ in answers:
            if id_ not in expected:
                raise DataError(
                    f"{self.path} row {row}: id{shown_id(id_)} is none of those to label; restore the old one"
                )
            if id_ in seen:
                raise DataError(f"{self.path} row {row}: id{shown_id(id_)} stands there twice; delete one of the rows")
            seen.add(id_)
        missing = [id_ for id_ in ids if id_ not in seen]
        if missing:
            raise DataError(
                f"{self.path}: {len(missing)} of the {len(ids)} rows are missing, the first with "
                f"id{shown_id(missing[0])}; put them back, with an empty label where you have none"
            )

    def _labels(self, answers: Sequence["_Answer"]) -> dict[str, int]:
        """The class of each id that has one: a name or alias of the taxonomy, in whatever case."""
        spoken = {word.casefold(): i for i, c in enumerate(self.taxonomy.classes) for word in (c.name, *c.aliases)}
        distinct = {answer.label for answer in answers}
        found = {}
        for row, id_, label in answers:
            if not label:
                continue
            exact = self.taxonomy.index(label)  # first, for classes that differ in case only
            index = spoken.get(label.casefold()) if exact is None else exact
            if index is None:
                hint = did_you_mean(label, spoken)
                value = shown_label(label, distinct) if hint else ""  # a cell of a spreadsheet may hold anything
                classes = f"(classes: {', '.join(self.taxonomy.names)})"
                raise DataError(f"{self.path} row {row}: label{value} is not in the taxonomy{hint} {classes}")
            found[id_] = index
        return found


class _Answer(NamedTuple):
    """A row of the file; the header is row 1, as a spreadsheet counts."""

    row: int
    id: str
    label: str


def _read(path: Path) -> list[_Answer]:
    """The rows that are not empty, their labels stripped."""
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not valid UTF-8; save it as 'CSV UTF-8'") from None
    header = re.split(r"[\r\n]", content, maxsplit=1)[0]
    try:
        table = list(csv.reader(io.StringIO(content, newline=""), delimiter=max(",;\t", key=header.count)))
    except csv.Error:
        raise DataError(f"{path}: no readable CSV; save it as 'CSV UTF-8'") from None
    head = [cell.strip().casefold() for cell in table[0]] if table else []
    for column in ("id", "label"):
        if column not in head:
            hint = did_you_mean(column, head)
            raise DataError(f"{path} row 1: no column {column!r}{hint}; expected the columns id, text and label")
    place_id, place_label = head.index("id"), head.index("label")
    answers = []
    for row, cells in enumerate(table[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if not place_id < len(cells) <= len(head):
            way = "put quotes round a text that holds the separator"
            raise DataError(f"{path} row {row}: {len(cells)} cells, expected {len(head)}; {way}")
        answers.append(_Answer(row, cells[place_id], cells[place_label].strip() if place_label < len(cells) else ""))
    return answers
