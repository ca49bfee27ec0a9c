"""Texts whose answer is known: for a qualification round, and to see now and then how well people do."""

from pathlib import Path

from rarecase.core.errors import DataError, did_you_mean, listed, shown_label
from rarecase.data.read.argument import read_argument
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.state import Row


def add_known_answers(service: LabelService, path: Path, *, calibrate: bool, taxonomy: Taxonomy | None = None) -> None:
    """
    Puts the texts of a table with labels into the store, to `calibrate` every second one; what is there already stays.
    The taxonomy has the classes where the store has none yet, by default those of the labels.
    """
    table = read_argument(str(path), "qualify", labeled=True)
    labels = table["label"][:]
    taxonomy = taxonomy or Taxonomy.from_labels(labels)
    with service.state() as state:
        names = state.classes() or list(taxonomy.names)
    rows = []
    for number, row in enumerate(table.select_columns(["id", "text", "label"]), 1):
        index = taxonomy.index(row["label"])
        known = row["label"] if index is None else taxonomy.names[index]
        if known not in names:
            hint = did_you_mean(known, names)
            value = shown_label(known, set(labels)) if hint else ""  # else it may be a post of another column
            raise DataError(f"{path}: row {number}: label{value} is no class of the store{hint} ({listed(names)})")
        rows.append(Row(row["id"], row["text"], known=known))
    service.add("qualify", names, rows[::2] if calibrate else rows, use="qualify")
    if calibrate:
        service.add("calibrate", names, rows[1::2], use="calibrate")
