"""The objects of a JSON file, one a line or all in one array, read as a stream; errors name the line or the row."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from rarecase.core.documents import LONGEST_JSON, MEBIBYTE, after_blanks, parse_json, parse_json_at
from rarecase.core.errors import DataError
from rarecase.data.read.lines import COMPRESSED, LONGEST_LINE, text_lines, text_pieces

Json = dict[str, Any]


def json_records(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, Json]]:
    """The objects with their numbers, from 1: of a file of lines the lines, of an array (in a `.json`) the rows."""
    plain = path.with_suffix("") if path.suffix.lower() in COMPRESSED else path
    rows = array_records(path, text_pieces(path, encoding)) if plain.suffix.lower() == ".json" else None
    if rows is not None:
        yield from rows
        return
    for number, line in text_lines(path, encoding):
        if not line.isspace():
            yield number, json_object(path, number, line)


def array_records(path: Path, pieces: Iterator[str]) -> Iterator[tuple[int, Json]] | None:
    """The objects of the array that a text is, with their numbers, from 1; None where it is something else."""
    text = _Text(path, pieces)
    return _of_array(path, text) if text.next() == "[" else None


def json_object(path: Path, number: int, line: str) -> Json:
    """The JSON object in a line; an error names the line and the character."""
    try:
        value = parse_json(line.strip(), surrogates=True)
    except ValueError as error:
        expected = "one object a line, or in a .json file one array of them"
        raise DataError(f"{path} line {number}: {error}; expected {expected}") from None
    if not isinstance(value, dict):
        found = kind_of(value)
        raise DataError(f"{path} line {number}: expected a JSON object, found {found}; write one object a line")
    return value


def kind_of(value: Any) -> str:
    """What a value of JSON is, for a message."""
    kinds = {list: "a list", dict: "an object", str: "a string", bool: "a truth value", type(None): "null"}
    return kinds.get(type(value), "a number")


class _Text:
    """A text that comes in pieces; what has been read of it is not held."""

    def __init__(self, path: Path, pieces: Iterator[str]):
        self._path, self._pieces = path, pieces
        self._held, self._place = "", 0

    def next(self) -> str:
        """The next character that is not blank, which stays the next; empty at the end."""
        blank = 0
        while True:
            after = after_blanks(self._held, self._place)
            blank, self._place = blank + after - self._place, after
            if blank > LONGEST_LINE:
                raise DataError(f"{self._path}: {LONGEST_LINE >> 20} MiB of blanks; is the file damaged?")
            if after < len(self._held):
                return self._held[after]
            if not self._grow():
                return ""

    def take(self) -> str:
        """As `next`, but goes on behind it."""
        character = self.next()
        self._place += len(character)
        return character

    def value(self) -> Any:
        """The JSON value that comes next; a `ValueError` says why there is none."""
        self.next()
        while True:
            try:
                value, self._place = parse_json_at(self._held, self._place)
                return value
            except ValueError as error:
                if len(self._held) - self._place > LONGEST_JSON:
                    raise ValueError(f"{error}, or longer than {LONGEST_JSON // MEBIBYTE} MiB") from None
                if not self._grow():
                    raise

    def _grow(self) -> bool:
        """Doubles what is held, so that reading a long value again takes linear time; false where no more comes."""
        held = [self._held[self._place :]]
        more = min(len(held[0]), LONGEST_JSON - len(held[0])) + 1
        while more > 0 and (piece := next(self._pieces, None)) is not None:
            held.append(piece)
            more -= len(piece)
        self._held, self._place = "".join(held), 0
        return len(held) > 1


def _of_array(path: Path, text: _Text) -> Iterator[tuple[int, Json]]:
    text.take()
    mark = text.take() if text.next() == "]" else ","
    for number in count(1):
        if mark == "]":
            break
        if mark != ",":
            found = "something else" if mark else "the end of the file (truncated?)"
            raise DataError(f"{path} row {number - 1}: expected a comma or ] after it, found {found}; make it again")
        try:
            value = text.value()
        except ValueError as error:
            raise DataError(f"{path} row {number}: {error}; expected an array of objects (truncated?)") from None
        if not isinstance(value, dict):
            found = kind_of(value)
            raise DataError(f"{path} row {number}: expected a JSON object, found {found}; write an array of objects")
        yield number, value
        mark = text.take()
    if text.next():
        raise DataError(f"{path}: more after the end of the array; expected one array, or one object a line")
