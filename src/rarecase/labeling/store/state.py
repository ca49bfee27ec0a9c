"""
What the log comes to: items, their votes, who holds what. Made by going through the events in order, and by nothing
else, so that a server that was killed knows as much as before.

| event | item, person | data |
|---|---|---|
| `settings` | | those of `Settings` |
| `batch` | | `batch`, `names` (the classes in order), `about` (what is shown of each) |
| `item` | item | `batch`, `row` (id in the table), `text`, `suggestion`, `known` (its answer), `use`, `cleaned` |
| `taken` | | `batch`, `decisions`: its labels have been read, nothing of it changes any more |
| `bind` | person | `browser`: a hash of the secret of the browser that took the name |
| `forget` | person | the name is free again for the next browser |
| `decline` | person | `classes` the person would rather not see |
| `lease` | item, person | `until` |
| `vote` | item, person | `label`, `seconds`, `seen` (whether the suggestion had been shown before) |
| `skip`, `flag` | item, person | |
| `comment` | item, person | `text`, `cleaned` |
| `undo` | item, person | `event`: the id of the vote, skip or flag that is taken back |
| `settle` | item, person | `label`, or null where the item is left out |
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from rarecase.labeling.store.log import Event

KINDS = (
    *("settings", "batch", "item", "taken", "bind", "forget", "decline"),
    *("lease", "vote", "skip", "flag", "comment", "undo", "settle"),
)


@dataclass(frozen=True)
class Settings:
    """
    How a store is labelled.

    Args:
        votes (`int`): annotators an item.
        lease (`float`): seconds that an item is kept for whoever was given it.
        consensus (`str`): who decides where votes differ: `adjudication` (a person), `majority` (a tie goes to a
            person) or `model` (Dawid and Skene, 1979, once the batch has all its votes).
        calibrate_every (`int`): after so many votes of a person, an item whose answer is known; 0 for never.
    """

    votes: int = 2
    lease: float = 600.0
    consensus: str = "adjudication"
    calibrate_every: int = 0


@dataclass(frozen=True)
class Decision:
    """
    The label of an item.

    Args:
        label (`str`, *optional*): the class; None of an item that an adjudicator left out.
        by (`str`): `vote` (the only one), `agreement`, `majority`, `model` or `adjudication`.
        person (`str`): whose label it is: the adjudicator, or the first who gave it.
    """

    label: str | None
    by: Literal["vote", "agreement", "majority", "model", "adjudication"]
    person: str


@dataclass
class Vote:
    """
    What somebody said of an item, as it stands now.

    Args:
        event (`str`): the id of the event.
        person (`str`): who.
        label (`str`): the name of the class.
        seconds (`float`): how long the item was looked at.
        at (`float`): when.
        seen (`bool`): whether the suggestion had been shown to the person before.
    """

    event: str
    person: str
    label: str
    seconds: float
    at: float
    seen: bool = False


@dataclass
class Item:
    """
    A text to label.

    Args:
        id (`str`): its own in the store.
        batch (`str`): what it was asked with.
        row (`str`): its id in the table it came from.
        text (`str`): what is shown.
        suggestion (`str`, *optional*): what a model says, not shown before the vote.
        known (`str`, *optional*): the answer, of an item that only tells how well people do.
        use (`str`): `work`; of known items, `qualify` or `calibrate`.
    """

    id: str
    batch: str
    row: str
    text: str
    suggestion: str | None = None
    known: str | None = None
    use: str = "work"
    votes: dict[str, Vote] = field(default_factory=dict)  # by person; one each
    given: dict[str, float] = field(default_factory=dict)  # person → when it was leased to them first
    leases: dict[str, float] = field(default_factory=dict)  # person → until; kept when over: it was theirs once
    flags: set[str] = field(default_factory=set)
    comments: list[tuple[str, str]] = field(default_factory=list)
    settled: bool = False  # by an adjudicator
    verdict: str | None = None  # whose label; null where it is left out
    judge: str | None = None

    def held(self, now: float, but: str | None = None) -> int:
        """By how many it is held at the moment, but for this person."""
        return sum(until > now and person != but for person, until in self.leases.items())

    def has_room(self, votes: int, now: float, person: str) -> bool:
        """Whether this person's vote would be one of the so many that it needs."""
        return len(self.votes) < votes and len(self.votes) + self.held(now, but=person) < votes


@dataclass
class Person:
    """
    Somebody who labels.

    Args:
        name (`str`): as they signed in.
        alias (`str`): A1, A2, … in the order of their first vote or verdict; empty before.
    """

    name: str
    alias: str = ""
    browser: str | None = None
    declined: frozenset[str] = frozenset()
    acts: list[tuple[str, str, str]] = field(default_factory=list)  # (kind, event, item) of what can be taken back
    skips: Counter[str] = field(default_factory=Counter)  # by item
    shown: set[str] = field(default_factory=set)  # items whose suggestion was shown
    back: str | None = None  # the item whose vote was taken back last: it comes first
    quiet: float | None = None  # since when they hold something and have done nothing


@dataclass
class State:
    """Everything, as of the event `seq`."""

    seq: int = 0
    settings: Settings = Settings()
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the classes of each batch
    about: dict[str, dict[str, Any]] = field(default_factory=dict)  # what is shown of each class, by batch
    batches: dict[str, list[Item]] = field(default_factory=dict)  # in the order they were asked
    taken: dict[str, dict[str, Decision]] = field(default_factory=dict)  # what the loop was given, by batch and item
    items: dict[str, Item] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    cleaned: Counter[str] = field(default_factory=Counter)
    touched: set[str] = field(default_factory=set)  # items whose decision may be another, see `Decided`

    def apply(self, events: Iterable[Event]) -> "State":
        """Goes through further events, in order; one of a kind that is not known here is passed over."""
        for event in events:
            if event.kind in KINDS:
                getattr(self, f"_{event.kind}")(event)
            if event.kind != "lease" and event.person in self.people:
                self.people[event.person].quiet = None
            self.seq = max(self.seq, event.seq)
        return self

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

    def classes(self) -> list[str]:
        """The classes of all batches, in order."""
        return list(dict.fromkeys(name for names in self.names.values() for name in names))

    def about_classes(self) -> dict[str, dict[str, Any]]:
        """What is shown of each class: what the last batch that described it says, or nothing."""
        said = {name: shown for about in self.about.values() for name, shown in about.items()}
        return {name: said.get(name, {}) for name in self.classes()}

    def checks(self, use: str) -> list[Item]:
        """The items whose answer is known, of one use."""
        return [item for items in self.batches.values() if items[0].use == use for item in items]

    def _settings(self, event: Event) -> None:
        known = {field.name for field in fields(Settings)}
        self.settings = Settings(**{key: value for key, value in event.data.items() if key in known})

    def _batch(self, event: Event) -> None:
        self.names[event.data["batch"]] = tuple(event.data["names"])
        self.about[event.data["batch"]] = event.data.get("about") or {}

    def _item(self, event: Event) -> None:
        assert event.item is not None  # noqa: S101
        if event.item in self.items:
            return
        read = ("batch", "row", "text", "suggestion", "known", "use")
        told: dict[str, Any] = {key: event.data[key] for key in read if key in event.data}
        item = self.items[event.item] = Item(id=event.item, **told)
        self.batches.setdefault(item.batch, []).append(item)
        self.touched.add(item.id)
        self.cleaned.update(event.data.get("cleaned", {}))

    def _taken(self, event: Event) -> None:
        decisions = event.data.get("decisions", {})
        self.taken[event.data["batch"]] = {item: Decision(*said) for item, said in decisions.items()}

    def _bind(self, event: Event) -> None:
        self._who(event).browser = event.data["browser"]

    def _forget(self, event: Event) -> None:
        self._who(event).browser = None

    def _decline(self, event: Event) -> None:
        self._who(event).declined = frozenset(event.data["classes"])

    def _lease(self, event: Event) -> None:
        person, item = self._who(event), self._what(event)
        item.leases[person.name] = event.data["until"]
        item.given.setdefault(person.name, event.at)
        person.quiet = person.quiet or event.at

    def _vote(self, event: Event) -> None:
        person, item = self._who(event), self._what(event)
        self._name(person)
        said: dict[str, Any] = {key: event.data[key] for key in ("label", "seconds", "seen") if key in event.data}
        item.votes[person.name] = Vote(event=event.id, person=person.name, at=event.at, **said)
        person.shown |= {item.id} if item.suggestion else set()
        self._acted(event, person)

    def _skip(self, event: Event) -> None:
        person = self._who(event)
        person.skips[self._what(event).id] += 1
        self._acted(event, person)

    def _flag(self, event: Event) -> None:
        person = self._who(event)
        self._what(event).flags.add(person.name)
        self._acted(event, person)

    def _acted(self, event: Event, person: Person) -> None:
        item = self._what(event)
        item.leases[person.name] = event.at  # it was theirs, and is no longer
        person.acts.append((event.kind, event.id, item.id))
        person.back = None if person.back == item.id else person.back
        self.touched.add(item.id)

    def _comment(self, event: Event) -> None:
        self._what(event).comments.append((self._who(event).name, event.data["text"]))
        self.cleaned.update(event.data.get("cleaned", {}))

    def _undo(self, event: Event) -> None:
        person, item = self._who(event), self._what(event)
        kind = next((kind for kind, id_, _ in person.acts if id_ == event.data["event"]), "")
        person.acts = [act for act in person.acts if act[1] != event.data["event"]]
        if kind == "vote":
            item.votes.pop(person.name, None)
        elif kind == "flag":
            item.flags.discard(person.name)
        elif kind == "skip":
            person.skips[item.id] -= 1
        person.back = item.id
        self.touched.add(item.id)

    def _settle(self, event: Event) -> None:
        item, judge = self._what(event), self._who(event)
        self._name(judge)
        item.settled, item.verdict, item.judge = True, event.data["label"], judge.name
        self.touched.add(item.id)

    def _name(self, person: Person) -> None:
        """The name that leaves the project, instead of that of the person."""
        if not person.alias:
            person.alias = f"A{sum(bool(other.alias) for other in self.people.values()) + 1}"

    def _who(self, event: Event) -> Person:
        assert event.person is not None  # noqa: S101 - the log is written by `Desk` alone
        return self.people.setdefault(event.person, Person(event.person))

    def _what(self, event: Event) -> Item:
        assert event.item is not None  # noqa: S101
        return self.items[event.item]
