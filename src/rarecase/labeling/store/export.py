"""Votes as a table: out of a store, into one, and what `rarecase label status` says of it."""

import csv
import math
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rarecase.core.errors import DataError, did_you_mean, is_plain, shown_id, shown_label
from rarecase.core.files import write_beside
from rarecase.data.schema import public_id
from rarecase.labeling.store.desk import Desk
from rarecase.labeling.store.hand import Hand
from rarecase.labeling.store.state import Item, State

COLUMNS = ("item", "annotator", "label", "seconds", "at", "overruled", "batch")
_NAMESPACE = uuid.UUID("5c2f1c52-6a0e-5d0c-9a52-3b1f0d3c8f11")  # of the ids of imported votes


def status(desk: Desk) -> dict[str, Any]:
    """
    How far a store is.

    Returns:
        `dict`: `total`, `decided`, `open` and `leased` (items to label), `kappa`, `alpha`, `per_class` and `compared`
            (items with two votes or more), `annotators` (of each alias its `votes`, `seconds`, and of the items whose
            answer is known how many it labelled and had right), `cleaned` (characters that were no text).
    """
    agreed = desk.agreement()
    with desk.turn() as hand:
        state = hand.state
        work = [item for item in state.items.values() if item.use == "work"]
        decided = sum(item.id in hand.decided.of(item.batch) for item in work)
        leased = sum(item.held(hand.turn.now) > 0 for item in work)
        people = sorted((p for p in state.people.values() if p.alias), key=lambda person: int(person.alias[1:]))
        annotators = [{"annotator": person.alias, **_given(state, person.name)} for person in people]
        cleaned = dict(state.cleaned)
    return {
        "total": len(work),
        "decided": decided,
        "open": len(work) - decided,
        "leased": leased,
        "kappa": agreed.kappa,
        "alpha": agreed.alpha,
        "per_class": agreed.per_class,
        "compared": agreed.items,
        "annotators": annotators,
        "cleaned": cleaned,
    }


def _given(state: State, name: str) -> dict[str, Any]:
    votes = [(item, item.votes[name]) for item in state.items.values() if name in item.votes]
    known = [item.known == vote.label for item, vote in votes if item.known is not None]
    return {
        "votes": len(votes) - len(known),
        "known": len(known),
        "known_right": sum(known),
        "seconds": round(sum(vote.seconds for _, vote in votes), 2),
    }


def export_votes(desk: Desk, out: Path) -> int:
    """
    Writes every vote of the store, also those that were overruled, without names and texts.

    Args:
        desk (`Desk`): of the store.
        out (`Path`): the CSV file: `item` (its id in the table it came from), `annotator` (A1, A2, …), `label`,
            `seconds`, `at` (UTC), `overruled` (`true`, `false`, empty while the item is open) and `batch`.

    Returns:
        `int`: how many votes there are.
    """
    with desk.turn() as hand:
        rows = list(_rows(hand))
    with write_beside(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)


def _rows(hand: Hand) -> Iterator[tuple[Any, ...]]:
    for item in hand.state.items.values():
        if item.use != "work":
            continue
        decision = hand.decided.of(item.batch).get(item.id)
        for vote in sorted(item.votes.values(), key=lambda vote: vote.at):
            overruled = "" if decision is None else str(decision.label != vote.label).lower()
            at = datetime.fromtimestamp(vote.at, UTC).isoformat(timespec="milliseconds")
            alias = hand.state.person(vote.person).alias
            yield public_id(item.row), alias, vote.label, vote.seconds, at, overruled, item.batch


def import_votes(desk: Desk, path: Path) -> int:
    """
    Reads votes that were given elsewhere into the store: all of the file, or nothing where a row is wrong.

    Args:
        desk (`Desk`): of the store.
        path (`Path`): a CSV file with the columns `item` (the id in the table), `annotator` (a name), `label`, and
            perhaps `seconds`, and `batch` where an id is in several.

    Returns:
        `int`: how many votes are new; a file that was read before has none.

    Raises:
        `DataError`: naming the row.
    """
    read = _read(path)
    with desk.turn() as hand:
        open_: dict[str, list[Item]] = {}
        for item in hand.state.work():
            open_.setdefault(public_id(item.row), []).append(item)
        new = 0
        for number, row in read:
            where = f"{path} row {number}"
            new += _import(hand, where, row, _item(open_, where, row))
        return new


def _read(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows with their numbers; the header is row 1, as a spreadsheet counts."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, restval="")
            rows = [(number, row) for number, row in enumerate(table, 2)]
            head = table.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "no CSV file in UTF-8"
        raise DataError(f"{path}: {reason}; expected a CSV file as `rarecase label export` writes it") from None
    for column in COLUMNS[:3]:
        if column not in head:
            raise DataError(f"{path} row 1: no column {column!r}{did_you_mean(column, head)}")
    return rows


def _item(open_: Mapping[str, list[Item]], where: str, row: Mapping[str, str]) -> Item:
    found = [item for item in open_.get(row["item"], []) if row.get("batch", "") in ("", item.batch)]
    if not found:
        raise DataError(f"{where}: item{shown_id(row['item'])} is none that is to be labelled here; take the row out")
    if len(found) > 1:
        raise DataError(f"{where}: item{shown_id(row['item'])} is in {len(found)} batches; add the column batch")
    return found[0]


def _import(hand: Hand, where: str, row: Mapping[str, str], item: Item) -> bool:
    """Whether the vote is new."""
    names, person, label = hand.state.names[item.batch], row["annotator"], row["label"]
    shown = shown_id(row["item"])
    if label not in names:
        value = shown_label(label, names) if is_plain(label) else ""
        raise DataError(f"{where}: label{value} is no class{did_you_mean(label, names)} (classes: {', '.join(names)})")
    if not re.fullmatch(r"[\w.-]{1,64}", person):
        raise DataError(f"{where}: annotator: expected a name of 1 to 64 letters, digits, dots and dashes")
    id_ = str(uuid.uuid5(_NAMESPACE, f"{item.id}/{person}"))
    if (earlier := hand.turn.find(id_)) and earlier.data["label"] == label:
        return False
    if person in item.votes:
        raise DataError(f"{where}: annotator {person} has labelled item{shown} before; take the row out")
    if item.settled or len(item.votes) >= hand.state.settings.votes:
        raise DataError(f"{where}: item{shown} has all its {len(item.votes)} votes; take the row out")
    seconds = _seconds(where, row.get("seconds") or "0")
    hand.do("vote", item.id, person, id_, label=label, seconds=seconds, seen=False)
    return True


def _seconds(where: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise DataError(f"{where}: seconds: expected a number of at least 0")
    return seconds


def as_lines(found: Mapping[str, Any]) -> str:
    """
    A status for people to read.

    Args:
        found (`Mapping`): what `status` gave.
    """
    from tabulate import tabulate

    def figure(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    agreed = f"kappa {figure(found['kappa'])}, alpha {figure(found['alpha'])}, of {found['compared']} texts"
    lines = [
        "{decided} of {total} decided, {open} open, {leased} leased".format(**found),
        f"{agreed} with two votes or more",
    ]
    if found["annotators"]:
        lines += ["", tabulate(found["annotators"], headers="keys")]
    return "\n".join(lines)
