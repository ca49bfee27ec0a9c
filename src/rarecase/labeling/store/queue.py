"""Which items somebody could label now, in the order they get them, and how far things are."""

from collections.abc import Iterable
from typing import Literal, TypedDict

from rarecase.labeling.store.consensus import Decisions
from rarecase.labeling.store.state import Item, Person, State

PASS = 0.7  # of the qualification round, the share that has to be right


class Progress(TypedDict, total=False):
    """How far things are, for one person: numbers of items, and why there is nothing to label where that is so."""

    done: int  # labelled by this person
    left: int  # for this person
    decided: int
    total: int
    open_for: Literal["others", "nothing", "unqualified"]
    qualifying: bool  # whether what is left is the qualification round


def queue_of(state: State, person: Person, now: float) -> list[Item]:
    """
    What this person could label now, in order: the qualification round first, and nothing else for whoever failed it;
    then what was undone last, what is on the screen, what has not been seen, and at last what was skipped. A flagged
    text goes to nobody else, since an adjudicator decides it; whoever has it already may still label it.
    """
    if left := _qualifying(state, person):
        return _ordered(left, person, now)
    if not qualified(state, person):
        return []
    votes = state.settings.votes
    open_ = (
        item
        for item in state.work()
        if not (item.verdict or person.name in item.votes or person.name in item.flags)
        and (not item.flags or item.is_reserved(person.name, now))
        and (item.suggestion is None or item.suggestion not in person.declined)
        and item.has_room(votes, now, person.name)
    )
    return _calibrated(state, person, _ordered(open_, person, now))


def _qualifying(state: State, person: Person) -> list[Item]:
    """What is left of the qualification round for somebody."""
    return [item for item in state.checks("qualify") if person.name not in {*item.votes, *item.flags}]


def qualified(state: State, person: Person) -> bool:
    """Whether somebody who has gone through the qualification round had enough of it right."""
    checks = state.checks("qualify")
    right = sum(item.votes[person.name].label == item.known for item in checks if person.name in item.votes)
    return right >= PASS * len(checks)


def progress(state: State, decisions: Decisions, person: Person, left: int) -> Progress:
    """How far things are for a person, for whom so many items are left."""
    mine = [state.items[item] for kind, _, item in person.acts if kind == "vote"]
    batches = [batch for batch, items in state.batches.items() if batch not in state.taken and items[0].use == "work"]
    found = Progress(
        done=sum(item.batch not in state.taken for item in mine),
        left=left,
        decided=sum(len(decisions.of(batch)) for batch in batches),
        total=sum(len(state.of_batch(batch)) for batch in batches),
    )
    if not left:
        open_for: Literal["others", "nothing"] = "others" if found["decided"] < found["total"] else "nothing"
        found["open_for"] = open_for if qualified(state, person) else "unqualified"
    elif _qualifying(state, person):
        found["qualifying"] = True
    return found


def _ordered(items: Iterable[Item], person: Person, now: float) -> list[Item]:
    def rank(item: Item) -> int:
        if item.id == person.undone:
            return -2
        if skips := person.skips[item.id]:
            return skips
        return -1 if item.is_reserved(person.name, now) else 0  # what is on the screen stays there

    return sorted(items, key=rank)


def _calibrated(state: State, person: Person, work: list[Item]) -> list[Item]:
    """With an item whose answer is known after every so many votes, as long as there are some."""
    every = state.settings.calibrate_every
    if not every:
        return work
    seen = {item for kind, _, item in person.acts if kind in ("vote", "flag") or person.skips[item]}
    left = [item for item in state.checks("calibrate") if item.id not in seen]
    cast = [state.items[item].use for kind, _, item in person.acts if kind == "vote"]
    due = max(every * (cast.count("calibrate") + 1) - cast.count("work"), 0)
    mixed = list(work[:due])
    for start in range(due, len(work), every):
        mixed += [*([left.pop(0)] if left else []), *work[start : start + every]]
    return mixed
