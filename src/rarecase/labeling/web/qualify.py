"""Texts whose answer is known: for a qualification round, and to see now and then how well people do."""

from pathlib import Path

from rarecase.core.errors import DataError, did_you_mean, shown_label
from rarecase.data.read.argument import read_argument
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.store.desk import Desk


def add_known(desk: Desk, path: Path, *, calibrate: bool, taxonomy: Taxonomy | None = None) -> None:
    """
    Puts them into the store; what is there already stays as it is.

    Args:
        desk (`Desk`): of the store.
        path (`Path`): a table with text and label.
        calibrate (`bool`): whether every second one is kept for calibration.
        taxonomy (`Taxonomy`, *optional*): the classes where the store has none yet, by default those of the labels.

    Raises:
        `DataError`: where a label is none of the classes of the store.

    Example:
        >>> add_known(desk, Path("known.csv"), calibrate=False)
    """
    table = read_argument(str(path), "qualify", labeled=True)
    said = table["label"][:]
    taxonomy = taxonomy or Taxonomy.from_labels(said)
    with desk.state() as state:
        names = state.classes() or list(taxonomy.names)
    rows = []
    for number, row in enumerate(table.select_columns(["id", "text", "label"]), 1):
        place = taxonomy.index(row["label"])
        known = row["label"] if place is None else taxonomy.names[place]
        if known not in names:
            hint = did_you_mean(known, names)
            value = shown_label(known, set(said)) if hint else ""  # else it may be a post of another column
            raise DataError(f"{path}: row {number}: label{value} is no class of the store{hint} ({', '.join(names)})")
        rows.append({"row": row["id"], "text": row["text"], "known": known})
    desk.add("qualify", names, rows[::2] if calibrate else rows, use="qualify")
    if calibrate:
        desk.add("calibrate", names, rows[1::2], use="calibrate")
