"""
What of a log stands in which file of a data set repository, so that machines can share a label store through the Hub.

Each machine, the one that asks for labels as well as the one where people give them, has a log of its own. Files bring
what is new in it to the others; they are added and never rewritten, so that no commit can take away what another one
brought.

| file | holds |
|---|---|
| `queue/<batch>-<uuid>.jsonl` | a batch and its items; what came to it later: more items, that its labels were taken |
| `events/<uuid>.jsonl` | everything else: votes, skips, flags, comments, undos, verdicts, names, settings |

A line is an event with its own id and time. Leases stay where they are: they last minutes. So do two kinds of events
by which a log remembers its files, and which no other machine sees:

| event | data |
|---|---|
| `file` | `path`, `events`: these events stand in this file |
| `flushed` | `paths` that stand on the Hub: written from here, or read |

The first is said before the commit, which is the same one when it is repeated after a lost answer or a kill.

What was read is appended in this order: batches and items; then the other events, file by file as they begin, each in
its own order; last, what was taken. A log that begins anew so tells what the old one told, and A1 is the same person,
as long as one server at a time gives out the texts. An event that a log knows already is not there twice; one about an
item that no file has (somebody deleted the file) is passed over.
"""

import json
import re
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rarecase.core.errors import DataError
from rarecase.labeling.store.desk import Desk
from rarecase.labeling.store.log import Event, Turn

QUEUE = ("batch", "item", "taken")
LOCAL = ("lease", "file", "flushed")
COUNTED = ("vote", "settle")
PATH = re.compile(r"(queue|events)/[^/]+\.jsonl")


class Ledger:
    """
    Which events of a desk's log stand in which file, and which files stand on the Hub.

    Args:
        desk (`Desk`): whose log it is.

    Example:
        >>> ledger = Ledger(desk)
        >>> files = ledger.outgoing()
        >>> ledger.unflushed()  # until they are on the Hub
        20
        >>> ledger.flushed(files)
    """

    def __init__(self, desk: Desk):
        self._desk = desk
        self._known = _Known()
        self._lock = threading.Lock()

    def unflushed(self) -> int:
        """How many votes and verdicts stand on this machine alone."""
        with self._look() as known:
            return sum(event.kind in COUNTED for event in known.waiting())

    def waiting(self) -> bool:
        """Whether anything at all stands on this machine alone."""
        with self._look() as known:
            return any(True for _ in known.waiting())

    def begun(self) -> bool:
        """Whether this log has anything in it, so that it can be gone on with while the Hub is away."""
        with self._look() as known:
            return known.seq > 0

    def outgoing(self) -> dict[str, bytes]:
        """The files that are not on the Hub yet, by path; what was said since the last ones goes into new ones."""
        with self._turn() as (turn, known):
            for path, events in _files(list(known.loose.values())).items():
                _note(turn, known, "file", path=path, events=[event.id for event in events])
            return {path: _lines(events) for path, events in known.files.items()}

    def flushed(self, paths: Collection[str]) -> None:
        """Remembers that these files stand on the Hub."""
        with self._turn() as (turn, known):
            _note(turn, known, "flushed", paths=sorted(paths))

    def unread(self, paths: Iterable[str]) -> list[str]:
        """Which of the files of a repository are others' and were not read yet."""
        with self._look() as known:
            return sorted(path for path in paths if PATH.fullmatch(path) and path not in known.paths())

    def read(self, files: Mapping[str, bytes]) -> None:
        """
        Takes in what others said.

        Args:
            files (`Mapping[str, bytes]`): all files that are unread, by path.

        Raises:
            `DataError`: naming file and line where there is no event; nothing of the files is taken in then.
        """
        said = {path: _events(path, content) for path, content in files.items()}
        events = _in_order(said.values())
        with self._desk.state() as state, self._turn() as (turn, known):
            items = {None, *state.items, *(event.item for event in events if event.kind == "item")}
            known.apply(turn.extend(event for event in events if event.item in items))
            for path, found in said.items():
                _note(turn, known, "file", path=path, events=[event.id for event in found])
            _note(turn, known, "flushed", paths=sorted(files))

    @contextmanager
    def _look(self) -> Iterator["_Known"]:
        with self._lock:
            yield self._known.apply(self._desk.log.since(self._known.seq))

    @contextmanager
    def _turn(self) -> Iterator[tuple[Turn, "_Known"]]:
        with self._lock:
            try:
                with self._desk.log.turn() as turn:
                    yield turn, self._known.apply(turn.since(self._known.seq))
            except BaseException:
                self._known = _Known()  # it may know what was never written
                raise


@dataclass
class _Known:
    """What a log says of files, as of the event `seq`."""

    seq: int = 0
    loose: dict[str, Event] = field(default_factory=dict)  # in no file yet, by id
    files: dict[str, list[Event]] = field(default_factory=dict)  # not on the Hub yet, by path
    on_hub: set[str] = field(default_factory=set)

    def apply(self, events: Iterable[Event]) -> "_Known":
        for event in events:
            if event.kind == "file":
                found = [self.loose.pop(id_) for id_ in event.data["events"] if id_ in self.loose]
                if event.data["path"] not in self.on_hub:
                    self.files.setdefault(event.data["path"], []).extend(found)
            elif event.kind == "flushed":
                self.on_hub.update(event.data["paths"])
                self.files = {path: found for path, found in self.files.items() if path not in self.on_hub}
            elif event.kind not in LOCAL:
                self.loose[event.id] = event
            self.seq = max(self.seq, event.seq)
        return self

    def paths(self) -> set[str]:
        return self.on_hub | self.files.keys()

    def waiting(self) -> Iterator[Event]:
        yield from self.loose.values()
        for events in self.files.values():
            yield from events


def _note(turn: Turn, known: _Known, kind: str, **data: Any) -> None:
    if written := turn.append(Event(kind, data=data)):
        known.apply([written])


def _files(events: Iterable[Event]) -> dict[str, list[Event]]:
    """
    Events by the path of the new file that each goes into. No other machine writes a file of that name, also where two
    put something into one batch: what stands under it on the Hub is from here.
    """
    new: dict[str, list[Event]] = {}
    for event in events:
        new.setdefault(f"queue/{event.data['batch']}-" if event.kind in QUEUE else "events/", []).append(event)
    return {f"{place}{uuid.uuid4()}.jsonl": found for place, found in new.items()}


def _in_order(files: Iterable[list[Event]]) -> list[Event]:
    begun = sorted((events for events in files if events), key=lambda events: events[0].at)
    place = {"batch": 0, "item": 0, "taken": 2}
    return sorted((event for events in begun for event in events), key=lambda event: place.get(event.kind, 1))


_FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "kind": str,
    "at": (int, float),
    "item": (str, type(None)),
    "person": (str, type(None)),
    "data": dict,
}


def _lines(events: Iterable[Event]) -> bytes:
    lines = (json.dumps({name: getattr(event, name) for name in _FIELDS}) + "\n" for event in events)
    return "".join(lines).encode()


def _events(path: str, content: bytes) -> list[Event]:
    return [_event(path, number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]


def _event(path: str, number: int, line: bytes) -> Event:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if (
        not isinstance(found, dict)
        or not all(isinstance(found.get(name), type_) for name, type_ in _FIELDS.items())
        or found["kind"] in LOCAL
    ):
        raise DataError(
            f"{path} line {number}: no event of a label store; put back the file that rarecase wrote, or delete it"
        ) from None
    return Event(**{name: found[name] for name in _FIELDS})
