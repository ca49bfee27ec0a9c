"""
Who gets which text, and what may be said of it: the one place where labels by people come about.

Every call is a turn of the log: it reads what has happened meanwhile, decides, and writes. A server that is killed
loses nothing that was answered, and two servers at one store do not get in each other's way.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple
from typing import Any

from rarecase.labeling.store.agreement import Agreement, agreement
from rarecase.labeling.store.consensus import Decided
from rarecase.labeling.store.hand import Answer, Hand
from rarecase.labeling.store.log import Event, Log
from rarecase.labeling.store.state import Decision, Item, Settings, State
from rarecase.labeling.store.turns import Turns

LONGEST_COMMENT = 2_000  # characters


class Desk:
    """
    Where people ask for texts and hand in labels.

    Args:
        log (`Log`): what has happened.

    Example:
        >>> desk = Desk(Log("labels.sqlite"))
        >>> desk.add("4f1c", ["harmful", "not-harmful"], [{"row": "p1", "text": "…"}])
        >>> desk.start(Settings(votes=1))
        >>> item = desk.queue("ann").queue[0]["item"]
        >>> desk.vote("ann", item, "harmful", seconds=3.0).accepted
        True
        >>> desk.decisions("4f1c")[0].label
        'harmful'
    """

    def __init__(self, log: Log):
        self.log = log
        self._turns = Turns(log, undone=self._begin_anew)
        self._begin_anew()
        # Whoever only reads has a state of their own, of what is committed: no turn has to end for them.
        self._read = Decided(State())
        self._reading = threading.RLock()
        self._as_of = 0.0  # when what they read was read

    def _begin_anew(self) -> None:
        """The state may know what was never written."""
        self._decided = Decided(State())

    @contextmanager
    def state(self) -> Iterator[State]:
        """Everything that is in the log now, to be read while the block lasts; it holds up nobody's turn."""
        asked = time.monotonic()
        with self._reading:
            state = self._read.state
            if self._as_of <= asked:  # else somebody has looked while this one waited
                begun = time.monotonic()
                state.apply(self.log.since(state.seq))
                self._as_of = begun
            yield state

    @contextmanager
    def turn(self) -> Iterator[Hand]:
        """Holds the log alone, and writes what was done with the hand when the block ends."""
        with self._turns.turn() as turn:
            state = self._decided.state
            yield Hand(turn, state.apply(turn.since(state.seq)), self._decided)

    # What the loop does.

    def add(
        self,
        batch: str,
        names: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        use: str = "work",
        about: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """
        Puts texts into the store; what is there already stays as it is.

        Args:
            batch (`str`): by which its labels are read again.
            names (`Sequence[str]`): the classes, in order.
            rows (`Sequence[Mapping]`): each with `row` (its id) and `text`, and perhaps `suggestion` and `known`.
            use (`str`): `work`; of rows whose answer is known, `qualify` or `calibrate`.
            about (`Mapping`, *optional*): what is shown of a class: its `definition` and `example`.
        """
        with self.turn() as hand:
            events = []
            if batch not in hand.state.names:
                events.append(Event("batch", data={"batch": batch, "names": list(names), "about": dict(about or {})}))
            for row in rows:
                text, cleaned = clean(row["text"])
                data = {**row, "batch": batch, "use": use, "text": text, "cleaned": cleaned}
                events.append(Event("item", item_id(batch, row["row"]), data=data))
            hand.write(event for event in events if event.item not in hand.state.items)

    def take(self, batch: str) -> list[tuple[Item, Decision]] | None:
        """
        The labels of a batch, once all of its items are decided; nothing of it can be changed afterwards.

        Returns:
            `list[tuple[Item, Decision]]`: in the order they were asked; None while something is open.
        """
        with self.turn() as hand:
            items, found = hand.state.of_batch(batch), hand.decided.of(batch)
            if not items or len(found) < len(items):
                return None
            if batch not in hand.state.taken:
                said = {item: astuple(decision) for item, decision in found.items()}
                hand.do("taken", batch=batch, decisions=said)
            return [(item, found[item.id]) for item in items]

    def decisions(self, batch: str) -> list[Decision]:
        """What is decided of a batch so far, in the order it was asked."""
        with self.state() as state:
            found = self._read.of(batch)
            return [found[item.id] for item in state.of_batch(batch) if item.id in found]

    # What the server does.

    def start(self, settings: Settings) -> None:
        """Says how the store is labelled from now on, and reads all that has happened, so that nobody waits for it."""
        with self.turn() as hand:
            if settings != hand.state.settings:
                hand.do("settings", **asdict(settings))
        with self.state():
            pass

    def bind(self, name: str, browser: str) -> bool:
        """
        Gives a name to the first browser that takes it.

        Args:
            name (`str`): as somebody signs in.
            browser (`str`): a hash of a secret that only the browser has.

        Returns:
            `bool`: whether the name is this browser's.
        """
        with self.turn() as hand:
            if hand.state.person(name).browser is None:
                hand.do("bind", None, name, browser=browser)
            return hand.state.person(name).browser == browser

    def browser_of(self, name: str) -> str | None:
        """The browser that a name belongs to, see `bind`; None where it is nobody's."""
        with self.state() as state:
            return state.person(name).browser

    def forget(self, name: str) -> bool:
        """
        Frees a name for the next browser that takes it, for somebody whose own has lost its cookie.

        Returns:
            `bool`: whether the name was somebody's.
        """
        with self.turn() as hand:
            if hand.state.person(name).browser is None:
                return False
            hand.do("forget", None, name)
            return True

    def agreement(self) -> Agreement:
        """How far people agree on all that was ever to be labelled here."""
        with self.state() as state:
            items = [item for item in state.items.values() if item.use == "work"]
            names = state.classes()
            votes = [{vote.person: vote.label for vote in item.votes.values()} for item in items]
        return agreement(votes, names)

    # What people do.

    def queue(self, person: str) -> Answer:
        """
        The items that are this person's now; new ones are leased to them where they have too few. A page asks this by
        itself: of whoever does nothing for as long as a lease, what they hold runs out, and goes to others.
        """
        with self.turn() as hand:
            return hand.answer(person, idle=True)

    def vote(self, person: str, item: str, label: str, *, seconds: float = 0.0, event: str = "") -> Answer:
        """
        Labels an item; it has happened once this returns.

        Args:
            person (`str`): who, known to the server and not said by the page.
            item (`str`): one that was leased to them.
            label (`str`): the name of a class.
            seconds (`float`): how long it was on the screen.
            event (`str`, *optional*): the id of this vote, at most 36 letters, digits and dashes: sent again, it is
                still one vote.
        """

        def check(hand: Hand, found: Item) -> str:
            if label not in hand.state.names[found.batch]:
                return "there is no such class"
            if found.known is None and not found.has_room(hand.state.settings.votes, hand.turn.now, person):
                return "it was kept for you too long, and others have labelled it"
            return ""

        def data(hand: Hand, found: Item) -> dict[str, Any]:
            given = found.given.get(person, hand.turn.now - hand.state.settings.lease)
            looked = hand.turn.now - given  # it cannot have been on the screen for longer
            seen = item in hand.state.person(person).shown
            return {"seconds": round(min(seconds, looked), 2) if seconds > 0 else 0.0, "seen": seen}

        return self._act("vote", person, item, event, check, data, label=label)

    def skip(self, person: str, item: str, *, event: str = "") -> Answer:
        """Puts an item to the end of the person's own queue."""
        return self._act("skip", person, item, event)

    def flag(self, person: str, item: str, *, event: str = "") -> Answer:
        """Says that something is wrong with the text: an adjudicator decides, and may leave it out."""
        return self._act("flag", person, item, event)

    def comment(self, person: str, item: str, text: str, *, event: str = "") -> Answer:
        """Says something about an item to the adjudicator; the item stays where it is."""
        with self.turn() as hand:
            found = hand.state.items.get(item)
            refused = hand.earlier(event, "comment", person, item)
            if refused is None and (found is None or not hand.is_theirs(found, person)):
                refused = "this text is not yours"
            if refused is None:
                text, cleaned = clean(text[:LONGEST_COMMENT])
                hand.do("comment", item, person, event, text=text, cleaned=cleaned)
            return hand.answer(person, accepted=not refused, reason=refused or "", item=item)

    def decline(self, person: str, classes: Sequence[str]) -> Answer:
        """Says which classes the person would rather not see: what a model takes for one of them goes to others."""
        with self.turn() as hand:
            hand.do("decline", None, person, classes=[name for name in hand.state.classes() if name in classes])
            return hand.answer(person)

    def undo(self, person: str, *, of: str = "", event: str = "") -> Answer:
        """
        Takes back the last vote, skip or flag of this person; undone again, the one before it.

        Args:
            person (`str`): who.
            of (`str`, *optional*): the id of the act that is meant: where that is not the last, nothing happens.
            event (`str`, *optional*): the id of the undo itself, as of a vote.
        """
        with self.turn() as hand:
            acts = hand.state.person(person).acts
            refused = hand.earlier(event, "undo", person, **({"event": of} if of else {}))
            if refused is None and not acts:
                refused = "there is nothing to take back"
            elif refused is None and of not in ("", acts[-1][1]):
                refused = "what you would take back was not counted, or is not your last answer"
            if refused is not None:
                return hand.answer(person, accepted=not refused, reason=refused)
            _, last, item = acts[-1]
            found = hand.state.items[item]
            if found.batch in hand.state.taken or found.settled:
                return hand.answer(person, accepted=False, reason="your last label is in use already", item=item)
            if found.use == "qualify" and all(person in {*c.votes, *c.flags} for c in hand.state.checks("qualify")):
                return hand.answer(person, accepted=False, reason="the qualification round is over", item=item)
            hand.do("undo", item, person, event, event=last)
            return hand.answer(person, item=item)

    # What adjudicators do.

    def disputes(self, judge: str) -> list[Item]:
        """
        The items that wait for an adjudicator: whose votes differ, or that are flagged; none that the judge has voted
        on.
        """
        with self.state() as state:
            return [item for item in state.work() if self._read.disputed(item) and judge not in item.votes]

    def settle(self, judge: str, item: str, label: str | None, *, event: str = "") -> Answer:
        """
        Decides an item.

        Args:
            judge (`str`): who.
            item (`str`): one of `disputes`.
            label (`str`, *optional*): its class; None leaves it out.
        """
        with self.turn() as hand:
            found = hand.state.items.get(item)
            if (refused := hand.earlier(event, "settle", judge, item, label=label)) is not None:
                return Answer(not refused, refused, item)
            if found is None or not hand.decided.disputed(found) or judge in found.votes:
                return Answer(False, "this text does not wait for you", item)
            if label is not None and label not in hand.state.names[found.batch]:
                return Answer(False, "there is no such class", item)
            hand.do("settle", item, judge, event, label=label)
            return Answer(item=item)

    def _act(
        self,
        kind: str,
        person: str,
        item: str,
        event: str,
        check: Callable[[Hand, Item], str] = lambda hand, item: "",
        data: Callable[[Hand, Item], dict[str, Any]] = lambda hand, item: {},
        **said: str,
    ) -> Answer:
        """What can be taken back: it is about an item of the person's own that is still open."""
        with self.turn() as hand:
            found = hand.state.items.get(item)
            refused = hand.earlier(event, kind, person, item, **said)
            if refused is None:
                if found is None or not hand.is_theirs(found, person):
                    refused = "this text is not yours"
                elif person in found.votes or person in found.flags:
                    refused = "you have labelled this text already"
                elif found.batch in hand.state.taken or found.settled:
                    refused = "this text is decided already"
                elif not (refused := check(hand, found)):
                    hand.do(kind, item, person, event, **said, **data(hand, found))
            suggestion = found.suggestion if found and kind == "vote" and not refused else None
            return hand.answer(person, accepted=not refused, reason=refused, item=item, suggestion=suggestion)


def item_id(batch: str, row: str) -> str:
    """The id of an item in the store: it says nothing of the row's own, which may be a post."""
    return hashlib.blake2b(f"{batch}\0{row}".encode(errors="surrogatepass"), digest_size=8).hexdigest()


def clean(text: str) -> tuple[str, dict[str, int]]:
    """
    A text as it can be stored and sent, and how often that changed it.

    Example:
        >>> clean("a\\0b\\ud800")
        ('ab�', {'nul': 1, 'surrogates': 1})
    """
    found = {"nul": text.count("\0"), "surrogates": sum("\ud800" <= sign <= "\udfff" for sign in text)}
    if not any(found.values()):
        return text, {}
    kept = "".join("�" if "\ud800" <= sign <= "\udfff" else sign for sign in text if sign != "\0")
    return kept, {name: count for name, count in found.items() if count}
