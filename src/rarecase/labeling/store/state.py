"""
What the event log comes to: items, their votes, and what is reserved for whom. Made by applying the events in order,
and by nothing else, so that a server that was killed knows as much as before. `kinds.py` lists the events.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Literal, NamedTuple, TypedDict

from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.store.kinds import KINDS, Event, damaged, is_whole
from rarecase.labeling.store.settings import Settings

SKEW = 60.0  # seconds by which the clocks of two servers at one store may differ


class ClassInfo(TypedDict, total=False):
    """What people are shown of a class."""

    definition: str
    example: str


def class_infos(taxonomy: Taxonomy) -> dict[str, ClassInfo]:
    """Each class with its definition and first example."""
    return {c.name: ClassInfo(definition=c.definition, example=next(iter(c.examples), "")) for c in taxonomy.classes}


@dataclass(frozen=True)
class Row:
    """A text to put into a store; `row` is its id in the table it comes from, `known` its answer if there is one."""

    row: str
    text: str
    suggestion: str | None = None
    known: str | None = None


class Decision(NamedTuple):
    """The label of an item; None of one that an adjudicator left out."""

    label: str | None
    by: Literal["vote", "agreement", "majority", "model", "adjudication"]
    person: str  # the adjudicator, or the first who gave this label


class Verdict(NamedTuple):
    """What an adjudicator decided."""

    event: str  # its id
    label: str | None  # None where the item is left out
    reviewer: str


@dataclass
class Vote:
    """A vote that counts."""

    event: str  # its id
    person: str
    label: str
    seconds: float  # how long the item was looked at
    at: float
    seen: bool = False  # whether the suggestion had been shown to the person before


@dataclass
class Item:
    """A text to label."""

    id: str
    batch: str
    row: str  # its id in the table it came from
    text: str
    suggestion: str | None = None  # of a model; not shown before the vote
    known: str | None = None  # the answer, of an item that only tells how well people do
    use: str = "work"  # of items with a known answer, `qualify` or `calibrate`
    votes: dict[str, Vote] = field(default_factory=dict)  # by person
    first_reserved: dict[str, float] = field(default_factory=dict)  # person → when
    reservations: dict[str, float] = field(default_factory=dict)  # person → until; kept when it is over
    reserved_at: dict[str, float] = field(default_factory=dict)  # person → since when, of these
    flags: set[str] = field(default_factory=set)
    comments: list[tuple[str, str]] = field(default_factory=list)
    verdict: Verdict | None = None  # of an adjudicator

    def is_reserved(self, person: str, now: float) -> bool:
        """Whether it is reserved for somebody now; one from the future is over, since the clock was set back."""
        return self.reservations.get(person, 0.0) > now > self.reserved_at.get(person, 0.0) - SKEW

    def reserved(self, now: float, except_for: str | None = None) -> int:
        """For how many people it is reserved, not counting this one."""
        return sum(person != except_for and self.is_reserved(person, now) for person in self.reservations)

    def has_room(self, votes: int, now: float, person: str) -> bool:
        """Whether this person's vote would be one of the so many that it needs."""
        return len(self.votes) < votes and len(self.votes) + self.reserved(now, except_for=person) < votes


@dataclass
class Person:
    """Somebody who labels."""

    name: str  # as they signed in
    alias: str = ""  # A1, A2, … in the order of the first vote or review; empty before
    browsers: tuple[str, ...] = ()  # hashes of the secrets of the browsers that the name is of, the last one first
    code: str | None = None  # a hash of what the person signs in with, where that is needed
    device_code: tuple[str, float] | None = None  # a hash of what one more browser can sign in by, and until when
    declined: frozenset[str] = frozenset()
    acts: list[tuple[str, str, str]] = field(default_factory=list)  # (kind, event, item) of what can be undone
    verdicts: list[tuple[str, str]] = field(default_factory=list)  # (event, item) of reviews that can be undone
    skips: Counter[str] = field(default_factory=Counter)  # by item
    shown: set[str] = field(default_factory=set)  # items whose suggestion was shown
    undone: str | None = None  # the item whose vote was undone last: it comes first
    idle_since: float | None = None  # since when something is reserved for them and they have done nothing


@dataclass
class State:
    """Everything, as of the event `seq`."""

    seq: int = 0
    settings: Settings = field(default_factory=Settings)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the classes of each batch
    about: dict[str, dict[str, ClassInfo]] = field(default_factory=dict)  # by batch and class
    batches: dict[str, list[Item]] = field(default_factory=dict)  # in the order they were asked
    taken: dict[str, dict[str, Decision]] = field(default_factory=dict)  # what the loop was given, by batch and item
    items: dict[str, Item] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    cleaned: Counter[str] = field(default_factory=Counter)
    changed: set[str] = field(default_factory=set)  # items that `Decisions` has to look at again

    def apply(self, events: Iterable[Event]) -> "State":
        """Applies further events, in order; one of an unknown kind is ignored, and one of what is not there."""
        for event in events:
            if not is_whole(event):
                raise damaged(event.seq)
            if event.kind in KINDS and self.fits(event):
                getattr(self, f"_{event.kind}", lambda event: None)(event)
            if event.kind != "lease" and event.person in self.people:
                self.people[event.person].idle_since = None
            self.seq = max(self.seq, event.seq)
        return self

    def fits(self, event: Event) -> bool:
        """Whether its batch and its items are there, and the class that it names is one of them."""
        if event.kind in ("item", "taken"):
            batch, decisions = event.data["batch"], event.data.get("decisions", {})
            labels = {label for label, *_ in decisions.values()} - {None}
            return batch in self.names and decisions.keys() <= self.items.keys() and labels <= {*self.names[batch]}
        if event.kind not in KINDS or not KINDS[event.kind].item:
            return True
        item, label = self.items.get(str(event.item)), event.data.get("label")
        return item is not None and (label is None or label in self.names[item.batch])

    def person(self, name: str) -> Person:
        """Somebody; who has done nothing yet is not kept."""
        return self.people.get(name) or Person(name)

    def of_batch(self, batch: str) -> list[Item]:
        """The items of a batch, in the order they were asked."""
        return self.batches.get(batch, [])

    def work(self) -> Iterator[Item]:
        """The items to label, of all batches that are not taken."""
        for batch, items in self.batches.items():
            if batch not in self.taken:
                yield from (item for item in items if item.use == "work")

    def is_withdrawn(self, batch: str) -> bool:
        """Whether it was taken without a decision: nobody has labelled it, and nobody is to."""
        return self.taken.get(batch) == {}

    def classes(self) -> list[str]:
        """The classes of all batches, in order."""
        asked = [names for batch, names in self.names.items() if not self.is_withdrawn(batch)]
        return list(dict.fromkeys(name for names in asked for name in names))

    def about_classes(self) -> dict[str, ClassInfo]:
        """Each class as the last batch that described it does."""
        described = {name: info for about in self.about.values() for name, info in about.items()}
        return {name: described.get(name, ClassInfo()) for name in self.classes()}

    def checks(self, use: str) -> list[Item]:
        """The items whose answer is known, of one use."""
        return [item for items in self.batches.values() if items[0].use == use for item in items]

    def _settings(self, event: Event) -> None:
        known = {field.name for field in fields(Settings)}
        self.settings = Settings(**{key: value for key, value in event.data.items() if key in known})

    def _batch(self, event: Event) -> None:
        batch, names = event.data["batch"], event.data["names"]
        self.names[batch] = tuple(dict.fromkeys((*self.names.get(batch, ()), *names)))  # of a vote none is taken away
        self.about[batch] = event.data.get("about", {})

    def _item(self, event: Event) -> None:
        id_ = str(event.item)
        if id_ in self.items:
            return
        read = ("batch", "row", "text", "suggestion", "known", "use")
        item = self.items[id_] = Item(id_, **{key: event.data[key] for key in read if key in event.data})
        self.batches.setdefault(item.batch, []).append(item)
        self.changed.add(id_)
        self.cleaned.update(event.data.get("cleaned", {}))

    def _taken(self, event: Event) -> None:
        decisions = event.data.get("decisions", {})
        self.taken[event.data["batch"]] = {item: Decision(*decision) for item, decision in decisions.items()}

    def _bind(self, event: Event) -> None:
        person = self._person(event)
        person.browsers = (event.data["browser"], *event.data.get("others", ()))
        person.device_code = None  # it works once, and no longer than the session that shows it

    def _code(self, event: Event) -> None:
        person = self._person(event)
        person.code, person.device_code = event.data["hash"], None  # a new link, since a device is lost

    def _device_code(self, event: Event) -> None:
        self._person(event).device_code = (event.data["hash"], event.data["until"])

    def _forget(self, event: Event) -> None:
        person = self._person(event)
        person.browsers, person.device_code = (), None

    def _decline(self, event: Event) -> None:
        self._person(event).declined = frozenset(event.data["classes"])

    def _lease(self, event: Event) -> None:
        person, item = self._person(event), self._of(event)
        item.reservations[person.name] = event.data["until"]
        item.reserved_at[person.name] = event.at
        item.first_reserved.setdefault(person.name, event.at)
        person.idle_since = min(person.idle_since or event.at, event.at)

    def _vote(self, event: Event) -> None:
        person, item = self._person(event), self._of(event)
        self._give_alias(person)
        cast = {key: event.data[key] for key in ("label", "seconds", "seen") if key in event.data}
        item.votes[person.name] = Vote(event.id, person.name, at=event.at, **cast)
        person.shown |= {item.id} if item.suggestion else set()
        self._acted(event, person)

    def _skip(self, event: Event) -> None:
        person = self._person(event)
        person.skips[self._of(event).id] += 1
        self._acted(event, person)

    def _flag(self, event: Event) -> None:
        person = self._person(event)
        self._of(event).flags.add(person.name)
        self._acted(event, person)

    def _acted(self, event: Event, person: Person) -> None:
        item = self._of(event)
        item.reservations[person.name] = event.at  # it was theirs, and is no longer
        person.acts.append((event.kind, event.id, item.id))
        person.undone = None if person.undone == item.id else person.undone
        self.changed.add(item.id)

    def _comment(self, event: Event) -> None:
        self._of(event).comments.append((self._person(event).name, event.data["text"]))
        self.cleaned.update(event.data.get("cleaned", {}))

    def _undo(self, event: Event) -> None:
        person, item, undone = self._person(event), self._of(event), event.data["event"]
        self.changed.add(item.id)
        if (undone, item.id) in person.verdicts:
            person.verdicts.remove((undone, item.id))
            item.verdict = None if item.verdict and item.verdict.event == undone else item.verdict
            return
        kind = next((kind for kind, id_, _ in person.acts if id_ == undone), "")
        person.acts = [act for act in person.acts if act[1] != undone]
        if kind == "vote":
            item.votes.pop(person.name, None)
        elif kind == "flag":
            item.flags.discard(person.name)
        elif kind == "skip":
            person.skips[item.id] -= 1
        person.undone = item.id

    def _settle(self, event: Event) -> None:
        item, reviewer = self._of(event), self._person(event)
        self._give_alias(reviewer)
        item.verdict = Verdict(event.id, event.data["label"], reviewer.name)
        reviewer.verdicts.append((event.id, item.id))
        self.changed.add(item.id)

    def _give_alias(self, person: Person) -> None:
        """The name that leaves the project, instead of the person's own."""
        if not person.alias:
            person.alias = f"A{sum(bool(other.alias) for other in self.people.values()) + 1}"

    def _person(self, event: Event) -> Person:
        return self.people.setdefault(str(event.person), Person(str(event.person)))

    def _of(self, event: Event) -> Item:
        return self.items[str(event.item)]
