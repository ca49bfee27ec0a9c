"""
The four tables that the loop begins with, read from whatever the user has, and made fit for each other.

The taxonomy follows from the labels; the pool loses what is in the other sets; and gold labels of the pool are set
aside, so that nothing which chooses can see them.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Dataset

from rarecase.core import randomness
from rarecase.core.errors import ConfigError, DataError, did_you_mean, flag, listed, shown_id, shown_label
from rarecase.core.progress import say
from rarecase.data.arrow import rows, to_table, with_column
from rarecase.data.counts import class_counts
from rarecase.data.pool import make_pool
from rarecase.data.read import Columns, DuplicateCounts, drop_duplicates, read_argument, row_of
from rarecase.data.read.columns import DEFAULT, relabeled
from rarecase.data.schema import canonical_order, conform, is_language_model
from rarecase.data.taxonomy import Taxonomy

LABELED = ("bootstrap", "dev", "test")

_ONE_LABEL = (
    "keep one for each text, in a column of its own (--label-column); or, where it is the name of one class, name the "
    "classes (--taxonomy FILE)"
)


@dataclass(frozen=True)
class Sets:
    """What the loop begins with; every table has the columns of `schema.features`, the pool without labels."""

    taxonomy: Taxonomy
    pool: Dataset
    bootstrap: Dataset
    dev: Dataset
    test: Dataset | None = None  # None where it has yet to be drawn from the pool
    gold: Dataset | None = None  # `id` and `label` of posts of the pool

    def tables(self) -> list[Dataset]:
        """Those with texts."""
        return [table for table in (self.pool, self.bootstrap, self.dev, self.test) if table is not None]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the four tables are: each `PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`, and a YAML file of classes."""

    pool: str
    bootstrap: str
    dev: str
    test: str | None = None  # None where it has yet to be drawn from the pool, see `draw_test`
    columns: Columns = DEFAULT
    encoding: str = "utf-8"
    taxonomy: str | None = None

    def row_of(self, name: str, column: str, value: str) -> str:
        """Where a person finds the first row of a table that holds a value, with the flag of the table."""
        given = getattr(self, name)
        return f"{flag(name)} {row_of(given, name, column, value, columns=self.columns, encoding=self.encoding)}"


def read_sets(sources: Sources) -> Sets:
    """Reads and checks the tables, and says on stderr what it found; a pool to draw test from keeps its repeats."""
    read = partial(read_argument, columns=sources.columns, encoding=sources.encoding, labeled=True)
    given = {name: getattr(sources, name) for name in LABELED}
    tables = {name: read(address, name) for name, address in given.items() if address is not None}
    pool, counts = make_pool(
        [sources.pool],
        against=list(tables.values()),
        columns=sources.columns,
        encoding=sources.encoding,
        repeats=sources.test is not None,
    )
    say(f"pool: {counts}")
    taxonomy = taxonomy_of(sources.taxonomy, *(table["label"][:] for table in tables.values()))
    classed = {
        name: with_classes(table, taxonomy, partial(sources.row_of, name, "label"))
        for name, table in {**tables, "pool": pool}.items()
    }
    hidden, gold = set_aside(classed.pop("pool"))
    sets = Sets(taxonomy, pool=hidden, gold=gold, **classed)
    warn_of_missing_classes(sets)
    require_own_ids(sets, sources.row_of)
    return sets


def require_own_ids(sets: Sets, where: Callable[[str, str, str], str]) -> None:
    """Raises `DataError` where one id stands for different texts in two of the sets; `where` says where its row is."""
    text_of: dict[str, tuple[str, str]] = {}
    for name in ("pool", *LABELED):
        table = getattr(sets, name)
        if table is None:
            continue
        for id_, text in zip(table["id"][:], table["text"][:], strict=True):
            other, seen = text_of.setdefault(id_, (name, text))
            if seen != text:
                raise DataError(
                    f"{where(name, 'id', id_)}: its id belongs to another text in {where(other, 'id', id_)}; "
                    "name a column of ids that are unique over all sets (--id-column), or leave the ids out"
                )


def require_people(sets: Sets) -> None:
    """Raises `DataError` where a language model labelled rows of dev or test: figures on these would be about it."""
    for name, table in {"dev": sets.dev, "test": sets.test}.items():
        if table is None:
            continue
        wrong = sum(map(is_language_model, table["annotator"][:]))
        if wrong:
            raise DataError(
                f"{flag(name)}: {wrong} of {len(table)} rows were labelled by a language model; leave them out, for "
                "what is measured on has labels by people"
            )


def draw_test(sets: Sets, size: int, seed: int) -> tuple[Sets, DuplicateCounts]:
    """Draws the test set from a pool with gold labels; the rest is the pool, without duplicates in it or in test."""
    assert sets.gold is not None  # noqa: S101 - `require_gold` comes first
    if size >= len(sets.pool):
        raise ConfigError(f"--test-size {size}: expected fewer than the {len(sets.pool)} rows of the pool")
    order = canonical_order(sets.pool)
    drawn = randomness.generator(seed, "test").permutation(len(order))
    test = rows(sets.pool, np.sort(order[drawn[:size]]))
    label = dict(zip(sets.gold["id"][:], sets.gold["label"][:], strict=True))
    feature = sets.pool.features["label"]
    test = with_column(test, "label", pa.array([label[id_] for id_ in test["id"][:]], pa.int64()), feature)
    rest = rows(sets.pool, np.sort(order[drawn[size:]]))
    pool, dropped = drop_duplicates(rest, against=[test])
    return dataclasses.replace(sets, pool=pool, test=test), dropped


def require_gold(pool: Dataset, gold: Dataset | None, who: str, otherwise: str) -> None:
    """Raises `ConfigError` where not every post has a label; `who` asks for them, `otherwise` does without."""
    if gold is None:
        raise ConfigError(f"{who}: the pool has no labels; name their --label-column, or {otherwise}")
    known = set(gold["id"][:])
    without = [id_ for id_ in pool["id"][:] if id_ not in known]
    if without:
        first = f", the first has the id{shown}" if (shown := shown_id(without[0])) else ""
        raise ConfigError(
            f"{who}: {len(without)} of the {len(pool)} posts of the pool have no label{first}; label them, take them "
            f"out, or {otherwise}"
        )


def with_classes(table: Dataset, taxonomy: Taxonomy, where: Callable[[str], str]) -> Dataset:
    """
    The table with the released columns, its labels (names, from `read_table`) as classes of the taxonomy.

    Raises `DataError` naming what `where` says of the first row with a label that is no class, and the nearest class.
    """
    labels = table["label"][:] if "label" in table.column_names else [None] * len(table)
    index = {label: taxonomy.index(label) for label in set(labels) if label is not None}
    unknown = {label for label, place in index.items() if place is None}
    if unknown:
        label = str(next(label for label in labels if label in unknown))
        # A value of a column in which none is a class and hardly any comes twice may be a post, too.
        alike = len(unknown) < len(index) or 2 * len(index) <= len(table)
        shown = shown_label(label, index) if alike else ""
        if _is_list(label, set(taxonomy.words)):
            raise DataError(f"{where(label)}: label{shown} is a list of labels, expected one; {_ONE_LABEL}")
        hint = did_you_mean(label, taxonomy.names) if shown else ""
        raise DataError(
            f"{where(label)}: label{shown} is not in the taxonomy{hint} "
            f"(classes: {listed(taxonomy.names)}); name others (--taxonomy FILE), or another column (--label-column)"
        )
    classes = pa.array([index.get(label) for label in labels], pa.int64())
    classed = with_column(table, "label", classes, ClassLabel(names=list(taxonomy.names)))
    return conform(_renumbered(classed, taxonomy), taxonomy.names)


def _renumbered(table: Dataset, taxonomy: Taxonomy) -> Dataset:
    """With the classes of `reading` and `votes` by number, too; null where one is no class of this taxonomy."""
    if "reading" in table.column_names:
        table = with_column(table, "reading", [name and taxonomy.index(name) for name in table["reading"][:]])
    if "votes" in table.column_names:
        table = with_column(table, "votes", relabeled(to_table(table)["votes"], taxonomy.index))
    return table


def warn_of_missing_classes(sets: Sets) -> None:
    """Says which classes have no example yet; everything works without, but what has none in test counts as missed."""
    asked = {
        "in the start set yet": sets.bootstrap,
        "in the test set: its F1 is 0, and macro-F1 counts it": sets.test,
    }
    for where, table in asked.items():
        counts = class_counts(table, sets.taxonomy.names) if table is not None else {}
        if missing := [name for name, count in counts.items() if not count]:
            say(f"warning: no example of {listed(missing)} {where}")


def set_aside(pool: Dataset) -> tuple[Dataset, Dataset | None]:
    """A pool without its labels, and the labels as `gold` (`id`, `label`); None where it had none."""
    classes = pool["label"][:]
    hidden = with_column(pool, "label", pa.nulls(len(classes), pa.int64()), pool.features["label"])
    known = [row for row, label in enumerate(classes) if label is not None]
    return hidden, rows(pool.select_columns(["id", "label"]), known) if known else None


def taxonomy_of(path: str | None, start: Sequence[str], *others: Sequence[str]) -> Taxonomy:
    """
    The classes: those of a file; else the shipped six, where the labels of the start set are those or there are none;
    else all labels found. Raises `DataError` where these are no classes, but probably a column of posts.
    """
    if path is not None:
        return Taxonomy.load(path)
    shipped = Taxonomy.default()
    strange = {label for label in start if shipped.index(label) is None}
    # One that is nearly a shipped name, beside others that are, is misspelt: no class, but an error with its row.
    nearly = (get_close_matches(label.casefold(), shipped.names, n=1, cutoff=0.8) for label in strange)
    if not strange or (strange < set(start) and all(nearly)):
        return shipped
    labels = [label for table in (start, *others) for label in table]
    classes = set(labels)
    are_none = len(classes) >= 100 or 2 * len(classes) > len(labels) or max(map(len, classes)) > 40
    names = classes.union(shipped.words)
    lists = {label for label in classes if _is_list(label, names)}
    if lists and (not are_none or 10 * len(lists) > len(classes)):  # a few posts in a hundred may look so, too
        example = "" if are_none else shown_label(min(lists), classes)
        such = f", such as{example}" if example else ""
        found = f"{sum(label in lists for label in labels)} of {len(labels)} rows"
        raise DataError(f"the column of labels has lists of labels in {found}{such}; {_ONE_LABEL}")
    if are_none:
        raise DataError(
            f"the column of labels holds {len(classes)} different values in {len(labels)} rows, which are no classes; "
            "name the right one (--label-column), or the classes (--taxonomy FILE)"
        )
    return Taxonomy.from_labels(classes)


def _is_list(label: str, names: set[str]) -> bool:
    """
    Whether a label is a list: of JSON or Python, however short, names with `|` between them, or with `,` or `;` where
    each of them is one of `names`, too; so `Lost, stolen` can be a class.
    """
    if re.fullmatch(r"\[\s*([\"'].*|[\d\s,]*)\]", label.strip(), re.DOTALL) or len(_parts(label, "|")) > 1:
        return True
    return any(len(parts := _parts(label, mark)) > 1 and names.issuperset(parts) for mark in ",;")


def _parts(label: str, mark: str) -> list[str]:
    return [part.strip() for part in label.split(mark) if part.strip()]
