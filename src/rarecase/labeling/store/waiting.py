"""Which items somebody could label now, in the order they get them, and how far things are."""

from collections.abc import Iterable
from typing import Any

from rarecase.labeling.store.consensus import Decided
from rarecase.labeling.store.state import Item, Person, State

PASS = 0.7  # of the qualification round, the share that has to be right


def waiting(state: State, person: Person, now: float) -> list[Item]:
    """
    What this person could label now, in order: the qualification round first, and nothing else for whoever failed it;
    then what was taken back last, what is on the screen, what nobody has seen, and at last what was skipped. A flagged
    text goes to nobody else, since an adjudicator decides it; whoever has it already may still label it.

    Args:
        state (`State`): everything.
        person (`Person`): who.
        now (`float`): the time, which decides whose leases are over.
    """
    checks = [item for item in state.checks("qualify") if person.name not in item.votes]
    if left := [item for item in checks if person.name not in item.flags]:
        return _ordered(left, person, now)
    if not qualified(state, person):
        return []
    votes = state.settings.votes
    open_ = (
        item
        for item in state.work()
        if not (item.settled or person.name in item.votes or person.name in item.flags)
        and (not item.flags or item.leases.get(person.name, 0.0) > now)
        and (item.suggestion is None or item.suggestion not in person.declined)
        and item.has_room(votes, now, person.name)
    )
    return _calibrated(state, person, _ordered(open_, person, now))


def qualified(state: State, person: Person) -> bool:
    """Whether somebody who has gone through the qualification round had enough of it right."""
    checks = state.checks("qualify")
    right = sum(item.votes[person.name].label == item.known for item in checks if person.name in item.votes)
    return right >= PASS * len(checks)


def progress(state: State, decided: Decided, person: Person, left: int) -> dict[str, Any]:
    """
    How far things are.

    Args:
        state (`State`): everything.
        decided (`Decided`): what is decided of it.
        person (`Person`): for whom.
        left (`int`): how many items wait for this person.

    Returns:
        `dict`: see `rarecase.labeling.store.desk.Answer`.
    """
    mine = [state.items[item] for kind, _, item in person.acts if kind == "vote"]
    batches = [batch for batch, items in state.batches.items() if batch not in state.taken and items[0].use == "work"]
    found: dict[str, Any] = {
        "done": sum(item.batch not in state.taken for item in mine),
        "left": left,
        "decided": sum(len(decided.of(batch)) for batch in batches),
        "total": sum(len(state.of_batch(batch)) for batch in batches),
    }
    if not left:
        others = "others" if found["decided"] < found["total"] else "nothing"
        found["open_for"] = others if qualified(state, person) else "unqualified"
    return found


def _ordered(items: Iterable[Item], person: Person, now: float) -> list[Item]:
    back, first, fresh, last = [], [], [], []
    for item in items:
        if item.id == person.back:
            back.append(item)
        elif person.skips[item.id]:
            last.append(item)
        elif item.leases.get(person.name, 0.0) > now:  # what is on the screen stays there
            first.append(item)
        else:
            fresh.append(item)
    return [*back, *first, *fresh, *sorted(last, key=lambda item: person.skips[item.id])]


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
    for place in range(due, len(work), every):
        mixed += [*([left.pop(0)] if left else []), *work[place : place + every]]
    return mixed
