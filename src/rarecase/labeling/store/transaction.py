"""
A transaction of the label service: the log is locked, the state is up to date, and what is appended is in both.

A commit waits for the disk and takes much longer than the rest. When a server comes back, all pages send at once what
was not answered, and with a commit for each the last of them would wait for seconds. So transactions of several
threads share a commit (group commit): whoever is done waits a moment for those that follow, and one of them commits
for all. Nobody is answered before the commit.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from rarecase.core.errors import DataError, RarecaseError
from rarecase.labeling.store.consensus import Decisions
from rarecase.labeling.store.events import EventLog, EventWriter
from rarecase.labeling.store.kinds import Event
from rarecase.labeling.store.queue import Progress, progress, queue_of
from rarecase.labeling.store.state import ClassInfo, Item, State

MAX_WAIT = 0.05  # seconds that a finished transaction waits for others
# Items that a page is given at once: enough for 15 keys a second where an answer takes 150 ms (3 gave 19 votes of 30
# there, 6 all), few enough for the others not to wait for them.
QUEUE_LENGTH = 6
NOT_YOURS = "this text is not yours"


class GroupCommit:
    """Exclusive access to a log for one thread at a time, one commit for several; `on_rollback` where one failed."""

    def __init__(self, log: EventLog, on_rollback: Callable[[], None]):
        self.waiting: set[int] = set()  # threads that wait for access
        self._log = log
        self._on_rollback = on_rollback
        self._lock = threading.RLock()
        self._open: _OpenCommit | None = None

    @contextmanager
    def writer(self) -> Iterator[EventWriter]:
        """As `EventLog.exclusive`; raises also where another transaction of the same commit fails."""
        self.waiting.add(threading.get_ident())
        with self._lock:
            self.waiting.discard(threading.get_ident())
            mine = self._open = self._open or _OpenCommit(self._log)
            mine.writer.now = self._log.clock()
            try:
                yield mine.writer
            except BaseException as error:
                self._end(mine, error)
                raise
        if self.waiting:
            mine.ended.wait(MAX_WAIT)
        with self._lock:
            if not mine.ended.is_set():
                self._end(mine)
        if isinstance(mine.failure, RarecaseError):
            raise mine.failure
        if mine.failure is not None:
            raise DataError(f"label store: a write that shared this commit failed ({type(mine.failure).__name__})")

    def _end(self, open_: "_OpenCommit", error: BaseException | None = None) -> None:
        """Commits, or rolls back where something was raised."""
        self._open, open_.failure = None, error
        try:
            open_.manager.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
        except BaseException as failure:  # all who share this commit have to know
            open_.failure = failure
        if open_.failure is not None:
            self._on_rollback()
        open_.ended.set()
        if error is not None and open_.failure is not error and open_.failure is not None:
            raise open_.failure from None  # an error of the database, as the log reports it


class _OpenCommit:
    """Exclusive access that is not committed yet."""

    def __init__(self, log: EventLog):
        self.manager: AbstractContextManager[EventWriter] = log.exclusive()
        self.writer = self.manager.__enter__()
        self.ended = threading.Event()
        self.failure: BaseException | None = None


class QueueEntry(TypedDict):
    """An item as a page is given it."""

    item: str
    text: str
    names: list[str]  # the classes, in order


@dataclass(frozen=True)
class Answer:
    """What a page is answered: whether the act counts, and what is this person's now."""

    accepted: bool = True  # it is in the log then
    reason: str = ""  # why it does not count; for people, without a text of the data
    item: str | None = None  # which the act was about
    suggestion: str | None = None  # of a model, once the vote is cast
    queue: list[QueueEntry] = field(default_factory=list)  # the person's next items
    progress: Progress = field(default_factory=Progress)
    about: dict[str, ClassInfo] = field(default_factory=dict)  # of each class of the store, in order
    declined: list[str] = field(default_factory=list)  # the classes that this person would rather not see


@dataclass
class Transaction:
    """What a call of the service reads and writes while the log is locked."""

    writer: EventWriter
    state: State
    decisions: Decisions

    def extend(self, events: Iterable[Event]) -> None:
        """Appends events to the log and applies them to the state."""
        self.state.apply(self.writer.append(events))

    def append(
        self, kind: str, item: str | None = None, person: str | None = None, id_: str = "", /, **data: Any
    ) -> None:
        """Appends one event."""
        event = Event(kind, item, person, data)
        self.extend([replace(event, id=id_) if id_ else event])

    def refusal_of_repeat(
        self, id_: str, kind: str, person: str, item: str | None = None, /, **data: Any
    ) -> str | None:
        """None where this event is new; empty where it is the very same one, sent again; else why it is refused."""
        if not id_:
            return None
        if not re.fullmatch(r"[\w-]{1,36}", id_, re.ASCII):
            return "the page sent something unreadable; reload it"
        if (found := self.writer.find(id_)) is None:
            return None
        same = (found.kind, found.person) == (kind, person) and data.items() <= found.data.items()
        return "" if same and item in (None, found.item) else "this was sent before, for something else"

    def refusal(self, id_: str, kind: str, person: str, item: str, /, **data: Any) -> str | None:
        """Why somebody may not vote on an item, skip or flag it; None where they may, empty where it has happened."""
        found = self.state.items.get(item)
        repeat = self.refusal_of_repeat(id_, kind, person, item, **data)
        if repeat is not None:
            return repeat
        if found is None or not self.is_reserved(found, person):
            return NOT_YOURS
        if person in found.votes or person in found.flags:
            return "you have labelled this text already"
        if found.batch in self.state.taken or found.verdict:
            return "this text is decided already"
        return None

    def is_reserved(self, item: Item, person: str) -> bool:
        """
        Whether it is, or was, reserved for this person; or would be now: a Space that has come back with an empty disk
        knows of no reservation, while pages still have what they were given.
        """
        return person in item.reservations or item in self._queue(person)[:QUEUE_LENGTH]

    def answer(
        self,
        person: str,
        refusal: str | None = None,
        *,
        item: str | None = None,
        suggestion: str | None = None,
        idle: bool = False,
    ) -> Answer:
        """
        The answer with the person's next items, which are reserved for them. A page that asks by itself is `idle`:
        then reservations end one lease after the person's last act, or a page that nobody sits at would hold its items
        for ever.
        """
        known, queue = self.state.person(person), self._queue(person)
        next_ = queue[:QUEUE_LENGTH]
        now = self.writer.now
        until = min((idle and known.idle_since) or now, now) + self.state.settings.lease
        if until > now:
            expired = [found for found in next_ if not found.is_reserved(person, now)]
            self.extend([Event("lease", found.id, person, {"until": until}) for found in expired])
        return Answer(
            accepted=not refusal,
            reason=refusal or "",
            item=item,
            suggestion=suggestion,
            queue=[QueueEntry(item=i.id, text=i.text, names=list(self.state.names[i.batch])) for i in next_],
            progress=progress(self.state, self.decisions, known, len(queue)),
            about=self.state.about_classes(),
            declined=sorted(known.declined),
        )

    def _queue(self, person: str) -> list[Item]:
        return queue_of(self.state, self.state.person(person), self.writer.now)
