"""The log in hand, for one turn, and what the page is told after it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from rarecase.labeling.store.consensus import Decided
from rarecase.labeling.store.log import Event, Turn
from rarecase.labeling.store.state import Item, State
from rarecase.labeling.store.waiting import progress, waiting

# Items that a page holds: enough for 15 keys a second where an answer takes 150 ms (3 gave 19 votes of 30 there, 6
# all), few enough for the others not to wait for them.
AHEAD = 6


@dataclass(frozen=True)
class Answer:
    """
    What the page is told.

    Args:
        accepted (`bool`): whether what was asked has happened; it is in the log then.
        reason (`str`): why not; for people, without a text of the data.
        item (`str`, *optional*): the one it was about.
        suggestion (`str`, *optional*): what a model says of it, once the vote is cast.
        queue (`list[dict]`): the items that are this person's now, in order: `item`, `text`, `names`.
        progress (`dict`): `done` (by this person), `left` (for this person), `decided`, `total`, and `open_for` where
            there is nothing to do now: `others`, `unqualified` or `nothing`.
        about (`dict`): what is shown of each class of the store, in order; nothing of one that no batch described.
        declined (`list[str]`): the classes that this person would rather not see.
    """

    accepted: bool = True
    reason: str = ""
    item: str | None = None
    suggestion: str | None = None
    queue: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] = field(default_factory=dict)
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    declined: list[str] = field(default_factory=list)


class Hand:
    """The log in hand, and what it comes to: what a call reads and writes."""

    def __init__(self, turn: Turn, state: State, decided: Decided):
        self.turn = turn
        self.state = state
        self.decided = decided

    def write(self, events: Iterable[Event]) -> None:
        """Appends to the log, and to what it comes to."""
        self.state.apply(self.turn.extend(events))

    def do(self, kind: str, item: str | None = None, person: str | None = None, id_: str = "", /, **data: Any) -> None:
        """Appends one event."""
        event = Event(kind, item, person, data)
        self.write([replace(event, id=id_) if id_ else event])

    def earlier(self, event: str, kind: str, person: str, item: str | None = None, /, **said: Any) -> str | None:
        """None where this event is new; else why it is refused: empty where it is the very same one, sent again."""
        if not event:
            return None
        if not re.fullmatch(r"[\w-]{1,36}", event, re.ASCII):
            return "the page has sent something unreadable; load it again"
        if (found := self.turn.find(event)) is None:
            return None
        same = (found.kind, found.person) == (kind, person) and said.items() <= found.data.items()
        return "" if same and item in (None, found.item) else "this was sent before, for something else"

    def is_theirs(self, item: Item, person: str) -> bool:
        """
        Whether it is, or was, leased to this person; or would be now: a Space that has come back with an empty disk
        knows of no lease, while pages still have what they were given.
        """
        return person in item.leases or item in self._theirs(person)[:AHEAD]

    def answer(self, person: str, *, idle: bool = False, **said: Any) -> Answer:
        """
        With the items that are the person's now.

        Args:
            person (`str`): who.
            idle (`bool`): nothing was done: the page asks by itself. Then what is leased is theirs for as long after
                the last thing they did as a lease lasts, or a page that nobody sits at would hold it for ever.
            said: the rest of the answer.
        """
        known, now = self.state.person(person), self.turn.now
        theirs = self._theirs(person)
        mine = theirs[:AHEAD]
        until = ((idle and known.quiet) or now) + self.state.settings.lease
        if until > now:
            lapsed = [item for item in mine if item.leases.get(person, 0.0) <= now]
            self.write([Event("lease", item.id, person, {"until": until}) for item in lapsed])
        queue = [{"item": item.id, "text": item.text, "names": list(self.state.names[item.batch])} for item in mine]
        return Answer(
            **said,
            queue=queue,
            progress=progress(self.state, self.decided, known, len(theirs)),
            about=self.state.about_classes(),
            declined=sorted(known.declined),
        )

    def _theirs(self, person: str) -> list[Item]:
        return waiting(self.state, self.state.person(person), self.turn.now)
