"""The two tables that are verified and trusted, with the same classes."""

from functools import partial

from datasets import Dataset

from rarecase.core.errors import listed
from rarecase.core.progress import say
from rarecase.data.counts import class_counts
from rarecase.data.read import Columns, read_argument, row_of
from rarecase.data.read.columns import DEFAULT
from rarecase.data.sets import taxonomy_of, with_classes
from rarecase.data.taxonomy import Taxonomy


def read_both(
    data: str, trusted: str, *, columns: Columns = DEFAULT, encoding: str = "utf-8", taxonomy: str | None = None
) -> tuple[Taxonomy, Dataset, Dataset]:
    """
    The classes, and the labelled rows of two data arguments: those to verify, and those whose labels are right.

    Says on stderr which classes have no trusted row. Raises `DataError` naming file, row or value.
    """
    read = partial(read_argument, columns=columns, encoding=encoding, labeled=True)
    tables = {"trusted": read(trusted, "trusted"), "data": read(data, "data")}
    given = {"trusted": trusted, "data": data}
    classes = taxonomy_of(taxonomy, *(table["label"][:] for table in tables.values()))

    def where(name: str, label: str) -> str:
        return row_of(given[name], name, "label", label, columns=columns, encoding=encoding)

    known, rows = (with_classes(table, classes, partial(where, name)) for name, table in tables.items())
    counts, asked = class_counts(known, classes.names), class_counts(rows, classes.names)
    if missing := [name for name, count in counts.items() if asked[name] and not count]:
        say(f"warning: no trusted row is {listed(missing)}, so these labels are judged by the other rows alone")
    return classes, rows, known
