"""
Which events of a log are in which file of a data set repository, so that machines can share a label store through the
Hub.

Each machine, the one that asks for labels as well as the one where people give them, has a log of its own. Files bring
what is new in it to the others; they are added and never rewritten, so that no commit can take away what another one
brought.

| file | holds |
|---|---|
| `queue/<batch>-<uuid>.jsonl` | a batch and its items; what came to it later: more items, that its labels were taken |
| `events/<uuid>.jsonl` | everything else: votes, skips, flags, comments, undos, reviews, names, settings |

A line is an event with its own id and time. Reservations are not shared: they last minutes. Nor are codes to sign in
by: they are those of one server, and else whoever may write to the data set could sign in as anybody. Nor are two
kinds of events by which a log remembers its files:

| event | data |
|---|---|
| `file` | `path`, `events`: these events are in this file |
| `flushed` | `paths` that are on the Hub: uploaded from here, or read |

The first is written before the commit, which is the same one when it is repeated after a lost answer or a kill.

What was read is appended in this order: batches and items; then the other events, file by file as they begin, each in
its own order; last, what was taken. So A1 is the same person in a new log, as long as one server at a time gives out
the texts. An event that a log has already is not stored twice; one about an item that no file has (somebody deleted
the file), or with a class that its batch has not, is ignored.
"""

import json
import re
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rarecase.core.documents import parse_json
from rarecase.core.errors import DataError
from rarecase.labeling.store.events import EventWriter
from rarecase.labeling.store.kinds import FIELDS, Event, is_whole
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.state import State

QUEUE = ("batch", "item", "taken")
LOCAL = ("lease", "file", "flushed", "code", "device_code")
COUNTED = ("vote", "settle")
PATH = re.compile(r"(queue|events)/[^/]+\.jsonl")


class EventFiles:
    """The events of a service's log as files, and which of them are on the Hub."""

    def __init__(self, service: LabelService):
        self._service = service
        self._known = _Known()
        self._lock = threading.Lock()

    def unflushed(self) -> int:
        """How many votes and reviews are on this machine alone."""
        with self._look() as known:
            return sum(event.kind in COUNTED for event in known.pending())

    def pending(self) -> bool:
        """Whether anything at all is on this machine alone."""
        with self._look() as known:
            return bool(known.pending())

    def has_events(self) -> bool:
        """Whether this log has anything in it, so that labeling can go on while the Hub does not answer."""
        with self._look() as known:
            return known.seq > 0

    def to_upload(self) -> dict[str, bytes]:
        """The files that are not on the Hub yet, by path; events that are in no file yet go into new ones."""
        if not self.pending():  # nothing is locked while nothing has happened
            return {}
        with self._exclusive() as (writer, known):
            for path, events in _new_files(list(known.unfiled.values())).items():
                _note(writer, known, "file", path=path, events=[event.id for event in events])
            return {path: _lines(events) for path, events in known.files.items()}

    def mark_uploaded(self, paths: Collection[str]) -> None:
        """Remembers that these files are on the Hub."""
        with self._exclusive() as (writer, known):
            _note(writer, known, "flushed", paths=sorted(paths))

    def unread(self, paths: Iterable[str]) -> list[str]:
        """Which of the files of a repository are others' and were not read yet."""
        with self._look() as known:
            own = known.on_hub | known.files.keys()
            return sorted(path for path in paths if PATH.fullmatch(path) and path not in own)

    def read(self, files: Mapping[str, bytes]) -> None:
        """Appends the events of others, given all unread files by path; nothing of them where a line is no event."""
        found = {path: _events(path, content) for path, content in files.items()}
        with self._service.state() as state, self._exclusive() as (writer, known):
            there = State(names=dict(state.names), items=dict(state.items))
            known.apply(writer.append(event for event in _in_order(found.values()) if _fits(event, there)))
            for path, in_file in found.items():
                _note(writer, known, "file", path=path, events=[event.id for event in in_file])
            _note(writer, known, "flushed", paths=sorted(files))

    @contextmanager
    def _look(self) -> Iterator["_Known"]:
        with self._lock:
            yield self._known.apply(self._service.log.since(self._known.seq))

    @contextmanager
    def _exclusive(self) -> Iterator[tuple[EventWriter, "_Known"]]:
        with self._lock:
            try:
                with self._service.log.exclusive() as writer:
                    yield writer, self._known.apply(writer.since(self._known.seq))
            except BaseException:
                self._known = _Known()  # it may hold what was never committed
                raise


@dataclass
class _Known:
    """What a log says of its files, as of the event `seq`."""

    seq: int = 0
    unfiled: dict[str, Event] = field(default_factory=dict)  # in no file yet, by id
    files: dict[str, list[Event]] = field(default_factory=dict)  # not on the Hub yet, by path
    on_hub: set[str] = field(default_factory=set)

    def apply(self, events: Iterable[Event]) -> "_Known":
        for event in events:
            if event.kind == "file":
                found = [self.unfiled.pop(id_) for id_ in event.data["events"] if id_ in self.unfiled]
                if event.data["path"] not in self.on_hub:
                    self.files.setdefault(event.data["path"], []).extend(found)
            elif event.kind == "flushed":
                self.on_hub.update(event.data["paths"])
                self.files = {path: found for path, found in self.files.items() if path not in self.on_hub}
            elif event.kind not in LOCAL:
                self.unfiled[event.id] = event
            self.seq = max(self.seq, event.seq)
        return self

    def pending(self) -> list[Event]:
        return [*self.unfiled.values(), *(event for events in self.files.values() for event in events)]


def _note(writer: EventWriter, known: _Known, kind: str, **data: Any) -> None:
    known.apply(writer.append([Event(kind, data=data)]))


def _new_files(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Events by the path of their new file; no other machine writes a file of that name."""
    new: dict[str, list[Event]] = {}
    for event in events:
        new.setdefault(f"queue/{event.data['batch']}-" if event.kind in QUEUE else "events/", []).append(event)
    return {f"{start}{uuid.uuid4()}.jsonl": found for start, found in new.items()}


def _in_order(files: Iterable[list[Event]]) -> list[Event]:
    begun = sorted((events for events in files if events), key=lambda events: events[0].at)
    rank = {"batch": 0, "item": 0, "taken": 2}
    return sorted((event for events in begun for event in events), key=lambda event: rank.get(event.kind, 1))


def _fits(event: Event, there: State) -> bool:
    """Whether what it is about is there; a batch or an item is there from now on."""
    if event.kind in ("batch", "item"):
        there.apply([event])
    return there.fits(event)


def _lines(events: Iterable[Event]) -> bytes:
    lines = (json.dumps({name: getattr(event, name) for name in FIELDS}) + "\n" for event in events)
    return "".join(lines).encode()


def _events(path: str, content: bytes) -> list[Event]:
    return [_event(path, number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]


def _event(path: str, number: int, line: bytes) -> Event:
    try:
        found = parse_json(line)
        event = Event(**{name: found[name] for name in FIELDS})
        if is_whole(event) and event.kind not in LOCAL:
            return event
    except (ValueError, TypeError, KeyError):
        pass
    raise DataError(
        f"{path} line {number}: no event of a label store; put back the file that rarecase wrote, or delete it"
    )
