"""Texts whose answer is known: for a qualification round, and to see now and then how well people do."""

from pathlib import Path

from rarecase.app.labeling.live import class_names
from rarecase.errors import DataError, shown_label
from rarecase.label.desk import Desk
from rarecase.tables.argument import read_argument
from rarecase.taxonomy import Taxonomy


def add_known(desk: Desk, path: Path, *, calibrate: bool) -> None:
    """
    Puts them into the store; what is there already stays as it is.

    Args:
        desk (`Desk`): of the store.
        path (`Path`): a table with text and label.
        calibrate (`bool`): whether every second one is kept for calibration.

    Raises:
        `DataError`: where a label is none of the classes of the store.

    Example:
        >>> add_known(desk, Path("known.csv"), calibrate=False)
    """
    table = read_argument(str(path), "qualify", labeled=True)
    said = table["label"][:]
    taxonomy = Taxonomy.from_labels(said)
    with desk.state() as state:
        names = class_names(state) or list(taxonomy.names)
    rows = []
    for number, row in enumerate(table.select_columns(["id", "text", "label"]), 1):
        place = taxonomy.index(row["label"])
        known = row["label"] if place is None else taxonomy.names[place]
        if known not in names:
            raise DataError(
                f"{path}: row {number}: label{shown_label(known, set(said))} is no class of the store "
                f"({', '.join(names)})"
            )
        rows.append({"row": row["id"], "text": row["text"], "known": known})
    desk.add("qualify", names, rows[::2] if calibrate else rows, use="qualify")
    if calibrate:
        desk.add("calibrate", names, rows[1::2], use="calibrate")
