"""JSON that becomes dataclasses: what is missing or of another type is named, and never quoted."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict

import pytest

from rarecase.core.errors import DataError
from rarecase.core.typed import from_json


class Scores(TypedDict):
    f1: dict[str, float]


@dataclass(frozen=True)
class Part:
    name: str
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Whole:
    parts: Mapping[str, Part]
    scores: tuple[Scores, ...]
    known: bool
    note: str | None = None
    settings: dict[str, str | int | bool | None] = field(default_factory=dict)
    table: list[list[int]] = field(default_factory=list)


WHOLE = {
    "parts": {"a": {"name": "first", "sizes": [1, 2]}},
    "scores": [{"f1": {"x": 1.5, "y": 2}, "more": "is kept"}],
    "known": True,
    "note": None,
    "settings": {"a": "b", "c": 1, "d": True, "e": None},
    "table": [[1, 2], [3]],
}


def test_what_was_written_is_read_again():
    read = from_json(Whole, WHOLE, "file.json")
    assert read.parts["a"] == Part("first", (1, 2))
    assert {**asdict(read), "scores": list(read.scores)} == {
        **WHOLE,
        "parts": {"a": {"name": "first", "sizes": (1, 2)}},
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"parts": []}, r"^file\.json\.parts: list, expected dict"),
        ({"parts": {"a": {}}}, r"^file\.json\.parts\.\*: name is missing"),
        ({"parts": {"a": {"name": 1}}}, r"^file\.json\.parts\.\*\.name: int, expected str"),
        ({"parts": {"a": {"name": "b", "sizes": [1, True]}}}, r"sizes\[1\]: bool, expected int"),
        ({"scores": [{"f1": {"a post of somebody": "x"}}]}, r"^file\.json\.scores\[0\]\.f1\.\*: str, expected float"),
        ({"known": 1}, r"^file\.json\.known: int, expected bool"),
        ({"settings": {"a": []}}, r"^file\.json\.settings\.\*: list, expected str"),
        ({"table": [[1], ["a"]]}, r"^file\.json\.table\[1\]\[0\]: str, expected int"),
        ({"note": 1}, r"^file\.json\.note: int, expected str"),
    ],
)
def test_what_is_not_as_it_must_be_is_named(change: dict[str, Any], says):
    with pytest.raises(DataError, match=says):
        from_json(Whole, {**WHOLE, **change}, "file.json")
