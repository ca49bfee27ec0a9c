"""
The kinds of events, and what each must hold, which is checked wherever one is read: from a log or a file of others.

| event | item, person | data |
|---|---|---|
| `settings` | | those of `Settings` |
| `batch` | | `batch`, `names` (the classes in order), `about` (`ClassInfo` of each) |
| `item` | item | `batch`, `row` (id in the table), `text`, `suggestion`, `known` (its answer), `use`, `cleaned` |
| `taken` | | `batch`, `decisions`: its labels have been read, nothing of it changes any more; none: it is withdrawn |
| `bind` | person | `browser`: a hash of the secret of a browser that signed in, or `import`; `others` that stay so |
| `forget` | person | the name is free again for the next browser |
| `code` | person | `hash` of the code that the person signs in with |
| `device_code` | person | `hash` of a code by which one more browser signs in, `until` when |
| `decline` | person | `classes` the person would rather not see |
| `lease` | item, person | `until`: the item is reserved |
| `vote` | item, person | `label`, `seconds`, `seen` (whether the suggestion had been shown before) |
| `skip`, `flag` | item, person | |
| `comment` | item, person | `text`, `cleaned` |
| `undo` | item, person | `event`: the id of the vote, skip, flag or review that is undone |
| `settle` | item, person | an adjudicator's `label`, or null where the item is left out |
| `file`, `flushed` | | how a log remembers its files, see `sync.py` |

A kind that is not in this table is of a later version: it is kept and handed on, and changes nothing.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rarecase.core.documents import SURROGATE
from rarecase.core.errors import DataError

FIELDS = ("id", "kind", "at", "item", "person", "data")  # of an event, in a file and in a log
LATEST = 253_370_764_800.0  # seconds since 1970: the year 9999, after which Python has no dates


@dataclass(frozen=True)
class Event:
    """Something that happened, and to which item and by whom."""

    kind: str
    item: str | None = None
    person: str | None = None  # by the name they signed in with
    data: dict[str, Any] = field(default_factory=dict)
    at: float = 0.0  # seconds since 1970
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq: int = 0  # position in this log


Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and not SURROGATE.search(value)  # which no page and no file can show


def _text_or_null(value: Any) -> bool:
    return value is None or _text(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= LATEST  # of NaN this is false


def _decision(value: Any) -> bool:
    return (
        isinstance(value, list | tuple) and len(value) == 3 and _text_or_null(value[0]) and all(map(_text, value[1:]))
    )


def _each(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _one_of(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


class Kind(NamedTuple):
    """What an event of a kind must have."""

    data: dict[str, Check]  # by key; one that ends with `?` may be left out
    item: bool = False  # whether it is about an item
    person: bool = False  # whether it is by somebody


_SETTINGS = {
    "votes?": lambda value: _count(value) and value > 0,
    "lease?": lambda value: _number(value) and value > 0,
    "consensus?": _one_of("adjudication", "majority", "model"),
    "calibrate_every?": _count,
}
_ITEM = {
    **{"batch": _text, "row": _text, "text": _text, "suggestion?": _text_or_null, "known?": _text_or_null},
    **{"use?": _one_of("work", "qualify", "calibrate"), "cleaned?": _each(_count)},
}
KINDS = {
    "settings": Kind(_SETTINGS),
    "batch": Kind({"batch": _text, "names": _texts, "about?": _each(_each(_text))}),
    "item": Kind(_ITEM, item=True),
    "taken": Kind({"batch": _text, "decisions?": _each(_decision)}),
    "bind": Kind({"browser": _text, "others?": _texts}, person=True),
    "forget": Kind({}, person=True),
    "code": Kind({"hash": _text}, person=True),
    "device_code": Kind({"hash": _text, "until": _number}, person=True),
    "decline": Kind({"classes": _texts}, person=True),
    "lease": Kind({"until": _number}, item=True, person=True),
    "vote": Kind({"label": _text, "seconds": _number, "seen?": lambda v: type(v) is bool}, item=True, person=True),
    "skip": Kind({}, item=True, person=True),
    "flag": Kind({}, item=True, person=True),
    "comment": Kind({"text": _text, "cleaned?": _each(_count)}, item=True, person=True),
    "undo": Kind({"event": _text}, item=True, person=True),
    "settle": Kind({"label": _text_or_null}, item=True, person=True),
    "file": Kind({"path": _text, "events": _texts}),
    "flushed": Kind({"paths": _texts}),
}


def is_whole(event: Event) -> bool:
    """Whether each field is what the log and the kind of the event ask for; an unknown kind may hold any data."""
    if not (_is_name(event.kind, 16) and isinstance(event.data, dict)):
        return False
    kind = KINDS.get(event.kind, Kind({}))
    return (
        _is_name(event.id, 36)
        and (_is_name(event.item, 64) or (event.item is None and not kind.item))
        and (_is_name(event.person, 128) or (event.person is None and not kind.person))
        and _number(event.at)
        and event.at >= 0
        and wrong_field(kind, event.data) is None
    )


def wrong_field(kind: Kind, data: Mapping[str, Any]) -> str | None:
    """The first field that a kind asks for and some data lack, or have otherwise."""
    for key, check in kind.data.items():
        name = key.rstrip("?")
        if not (check(data[name]) if name in data else name != key):
            return name
    return None


def damaged(seq: int) -> DataError:
    """The error for an event of a log that somebody else has written or changed."""
    return DataError(f"label store: row {seq} of its table events is no event; delete that row, or go back to a copy")


def _is_name(value: Any, longest: int) -> bool:
    """Whether a column of the log takes it: PostgreSQL has no NUL, and no half of a character."""
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
