"""Votes as a table, out of a store and into one, and what `rarecase label status` reports."""

import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rarecase.core.csv_cells import write_csv
from rarecase.core.errors import DataError, did_you_mean, is_plain, listed, shown_id, shown_label
from rarecase.data.schema import public_id
from rarecase.labeling.csv_file import read_csv
from rarecase.labeling.store.kinds import LATEST
from rarecase.labeling.store.names import alike, is_name
from rarecase.labeling.store.service import IMPORTED, LabelService
from rarecase.labeling.store.state import Item, State
from rarecase.labeling.store.transaction import Transaction

_NAMESPACE = uuid.UUID("5c2f1c52-6a0e-5d0c-9a52-3b1f0d3c8f11")  # of the ids of imported votes
# Of the table of votes, which has no names and no texts: the id in the table that a text came from, A1, A2, …, the
# label, how long it took, when (UTC), whether it was overruled (empty while the item is open), and the batch.
COLUMNS = ("item", "annotator", "label", "seconds", "at", "overruled", "batch")


@dataclass(frozen=True)
class AnnotatorStatus:
    """What somebody has labelled."""

    annotator: str
    votes: int
    known: int  # votes on items whose answer is known
    known_right: int
    seconds: float


@dataclass(frozen=True)
class Status:
    """How far a store is; `rarecase label status --format json` prints it."""

    total: int  # items to label
    decided: int
    open: int
    leased: int  # reserved for somebody now
    kappa: float | None
    alpha: float | None
    per_class: dict[str, float | None]
    compared: int  # items with two votes or more
    annotators: list[AnnotatorStatus]
    cleaned: dict[str, int]  # characters that were no text

    def as_lines(self) -> str:
        """The status for people to read."""
        from tabulate import tabulate

        kappa, alpha = ("-" if value is None else f"{value:.3f}" for value in (self.kappa, self.alpha))
        lines = [
            f"{self.decided} of {self.total} decided, {self.open} open, {self.leased} reserved",
            f"kappa {kappa}, alpha {alpha}, of {self.compared} texts with two votes or more",
        ]
        if self.annotators:
            lines += ["", tabulate([asdict(annotator) for annotator in self.annotators], headers="keys")]
        return "\n".join(lines)


def status(service: LabelService) -> Status:
    """How far a store is."""
    agreed = service.agreement()
    with service.transaction() as transaction:
        state = transaction.state
        work = [i for i in state.items.values() if i.use == "work" and not state.is_withdrawn(i.batch)]
        decided = sum(item.id in transaction.decisions.of(item.batch) for item in work)
        people = sorted((p for p in state.people.values() if p.alias), key=lambda person: int(person.alias[1:]))
        return Status(
            total=len(work),
            decided=decided,
            open=len(work) - decided,
            leased=sum(item.reserved(transaction.writer.now) > 0 for item in work),
            kappa=agreed.kappa,
            alpha=agreed.alpha,
            per_class=agreed.per_class,
            compared=agreed.items,
            annotators=[_annotator(state, person.name, person.alias) for person in people],
            cleaned=dict(state.cleaned),
        )


def _annotator(state: State, name: str, alias: str) -> AnnotatorStatus:
    votes = [(item, item.votes[name]) for item in state.items.values() if name in item.votes]
    right = [item.known == vote.label for item, vote in votes if item.known is not None]
    seconds = round(sum(vote.seconds for _, vote in votes), 2)
    return AnnotatorStatus(alias, len(votes) - len(right), len(right), sum(right), seconds)


def export_votes(service: LabelService, out: Path) -> int:
    """Writes every vote of the store to a CSV file, also those that were overruled; the number of votes."""
    with service.transaction() as transaction:
        rows = list(_rows(transaction))
    write_csv(out, [COLUMNS, *rows])
    return len(rows)


def _rows(transaction: Transaction) -> Iterator[tuple[object, ...]]:
    for item in transaction.state.items.values():
        if item.use != "work":
            continue
        decision = transaction.decisions.of(item.batch).get(item.id)
        for vote in sorted(item.votes.values(), key=lambda vote: vote.at):
            overruled = "" if decision is None else str(decision.label != vote.label).lower()
            at = datetime.fromtimestamp(vote.at, UTC).isoformat(timespec="milliseconds")
            alias = transaction.state.person(vote.person).alias
            yield public_id(item.row), alias, vote.label, vote.seconds, at, overruled, item.batch


def import_votes(service: LabelService, path: Path) -> int:
    """
    Reads votes that were given elsewhere from a CSV file (`item`, the id in the table, `annotator`, `label`, perhaps
    `seconds`, and `batch` where an id is in several): all of it, or nothing where a row is wrong; how many are new.
    """
    rows = read_csv(path, ("item", "annotator", "label"), optional=("seconds", "batch"))
    with service.transaction() as transaction:
        open_: dict[str, list[Item]] = {}
        for item in transaction.state.work():
            open_.setdefault(public_id(item.row), []).append(item)
        people = transaction.state.people
        new = [name for _, row in rows if is_name(name := row["annotator"]) and name not in people]
        if found := alike(new, people):
            raise DataError(f"{path}: annotator {found[0]} looks like {found[1]}; use one name for one person")
        return sum(_import(transaction, open_, f"{path} row {number}", row) for number, row in rows)


def _import(transaction: Transaction, open_: Mapping[str, list[Item]], where: str, row: Mapping[str, str]) -> bool:
    """Whether the vote is new."""
    shown, person, label = shown_id(row["item"]), row["annotator"], row["label"]
    items = [item for item in open_.get(row["item"], []) if row.get("batch", "") in ("", item.batch)]
    if not items:
        raise DataError(f"{where}: item{shown} is not one of those to label here; remove the row")
    if len(items) > 1:
        raise DataError(f"{where}: item{shown} is in {len(items)} batches; add the column batch")
    item = items[0]
    names = transaction.state.names[item.batch]
    if label not in names:
        value = shown_label(label, names) if is_plain(label) else ""
        raise DataError(f"{where}: label{value} is no class{did_you_mean(label, names)} (classes: {listed(names)})")
    if not is_name(person):
        raise DataError(f"{where}: annotator: expected a name of 1 to 64 letters, digits, dots and dashes")
    id_ = str(uuid.uuid5(_NAMESPACE, f"{item.id}/{person}"))
    if earlier := transaction.writer.find(id_):
        if (earlier.kind, earlier.item, earlier.person) != ("vote", item.id, person):
            raise DataError(f"{where}: something else in the store has the id of this vote; rename the annotator")
        if earlier.data["label"] == label:
            return False
    if earlier or person in item.votes:
        raise DataError(f"{where}: annotator {person} has labelled item{shown} before; remove the row")
    if item.verdict or len(item.votes) >= transaction.state.settings.votes:
        raise DataError(f"{where}: item{shown} has all its {len(item.votes)} votes; remove the row")
    seconds = _seconds(where, row.get("seconds") or "0")
    if person not in transaction.state.people:  # or whoever signs in by this name first could undo the vote
        transaction.append("bind", None, person, browser=IMPORTED)
    transaction.append("vote", item.id, person, id_, label=label, seconds=seconds, seen=False)
    return True


def _seconds(where: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LATEST:
        raise DataError(f"{where}: seconds: expected a number of at least 0")
    return seconds
