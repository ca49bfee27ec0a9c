"""
The errors a user can act on: one line that says what was found, what was expected and the way out.

They never show a text of the data: the texts are about suicide, illness and crime, and an error message ends up in
logs and issues. `rarecase.cli.main` prints them in one place and exits with 2; anything else is a defect of ours and
keeps its traceback.
"""

import difflib
import re
import shlex
from collections.abc import Collection, Iterable
from itertools import islice
from urllib.parse import unquote, urlsplit


class RarecaseError(Exception):
    """A user's mistake or a limit of the machine: one line that names the value, what was expected and the way out."""


class DataError(RarecaseError):
    """A file, a row or a column is not what it should be."""


class MissingColumnError(DataError):
    """A column that a function needs is not there; the message names the call that makes it."""


class ConfigError(RarecaseError):
    """A setting is unknown, out of range, or contradicts another."""


class RunFolderError(RarecaseError):
    """A run folder exists already, has another format, or was started with other settings."""


class InUseError(RunFolderError):
    """Another process works in the folder."""


class ModelError(RarecaseError):
    """A model folder or Hub id has nothing that can be loaded safely."""


class HubError(RarecaseError):
    """The Hub rejects a request, or does not answer; of a `temporary` error a repeated command may succeed."""

    def __init__(self, message: str, *, temporary: bool = False):
        super().__init__(message)
        self.temporary = temporary


class GeneratorError(RarecaseError):
    """The language model does not answer, or not in the expected form."""


class DiskFullError(RarecaseError):
    """No space left: no partial file is kept, and the run can continue once there is space."""


class WaitingForLabels(Exception):  # noqa: N818 - not an error: the run is where it should be, and people go on with it
    """Raised where people have to act first; says what to do and how to continue. The command line exits with 0."""


class ProcessEndedError(KeyboardInterrupt):
    """Another of several processes has ended: what goes on after an error does not go on after this one."""


def one_line(message: str) -> str:
    """A message as it is printed: on one line, its middle left out where a name in it is endless."""
    # What strangers named may hold what a terminal obeys.
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(message.splitlines()))
    return line if len(line) <= 2000 else f"{line[:1000]} … {line[-1000:]}"


def shown_id(id_: str) -> str:
    """The id for a message, with a space before it; empty where it could be a post (texts were taken for ids)."""
    return f" {id_!r}" if is_plain(id_) else ""


def is_plain(id_: str) -> bool:
    """Whether an id is of letters, digits and a few signs, at most 40 of them: so that it is hardly a post."""
    return bool(re.fullmatch(r"[\w.:/-]{1,40}", id_, re.ASCII))


def shown_label(label: str, column: Collection[str]) -> str:
    """A label that is not a class, for a message, with a space before it; empty where its column may hold posts."""
    return f" {label!r}" if len(label) <= 40 and len(column) < 100 else ""


def listed(names: Iterable[object]) -> str:
    """Names for a message, which may come from a file: the first twenty, each cut, and how many more there are."""
    every = [str(name) for name in names]
    shown = ", ".join(name if len(name) <= 60 else f"{name[:60]}…" for name in every[:20])
    return f"{shown} and {len(every) - 20:,} more" if len(every) > 20 else shown


def holds_password(address: str) -> bool:
    """Whether the address of a database holds a password, in whatever form, mistyped ones included."""
    form = r"password\s*=|(://|^[\w+]*(:/|//))[^/@]*:[^@]*@"
    return bool(re.search(form, unquote(address), re.IGNORECASE))


def is_more_than_address(url: str) -> bool:
    """Whether the address of a server has a part in which a password or a key would stand."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.username is not None or bool(parts.query or parts.fragment) or "\\" in url


def database_reason(error: BaseException | None) -> str:
    """The first line of what a database reports, without the value that SQLite shows where it cannot decode it."""
    lines = str(error).strip().splitlines()
    return lines[0].partition(" with text ")[0] if lines else ""


def command_line(*words: object) -> str:
    """A command of ours as it can be typed, for messages that say how to go on (`tests/test_next_steps.py`)."""
    return shlex.join(["rarecase", *map(str, words)])


def flag(setting: str) -> str:
    """A setting as its flag on the command line."""
    return f"--{setting.replace('_', '-')}"


def without_flags(message: str) -> str:
    """
    A message of the command line for who has called a function. A flag that has no argument of the same name there
    stands in brackets behind what it does, so that it can be left out.
    """
    message = re.sub(r" \(--[^()]*\)", "", message)
    return re.sub(r"(?<!\S)--([a-z][a-z-]*)", lambda found: found[1].replace("-", "_"), message)


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """The hint that names the nearest option, such as `; did you mean 'strategy'?`, or nothing."""
    # Of a file with a hundred thousand columns, the first will do; long words take long, and are no misspelt name.
    by_folded = {option.casefold(): option for option in islice(options, 1000) if 0 < len(option) <= 100}
    near = difflib.get_close_matches(word.casefold()[:100], by_folded, n=1, cutoff=0.65)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""
