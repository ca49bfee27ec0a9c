"""
The errors a user can act on.

Each is made where the fact is known, says in one line what was found, what was expected and the way out, and never
holds a text of the data: the texts are about suicide, illness and crime, and an error message ends up in logs and
issues. `rarecase.cli.main` prints them in one place and exits with 2; anything else is a defect of ours and keeps its
traceback.
"""

import difflib
import re
from collections.abc import Collection, Iterable


class RarecaseError(Exception):
    """A user's mistake or a limit of the machine: one line that names the value, what was expected and the way out."""


class DataError(RarecaseError):
    """A file, a row or a column is not what it should be."""


class MissingColumnError(DataError):
    """A column that a function needs is not there; the message names the call that makes it."""


class ConfigError(RarecaseError):
    """A setting is unknown, out of range, or contradicts another."""


class RunFolderError(RarecaseError):
    """A run folder exists already, is of another format, or was begun with other settings."""


class ModelError(RarecaseError):
    """A model folder or Hub id holds nothing that can be loaded safely."""


class HubError(RarecaseError):
    """The Hub refuses what was asked, or does not answer."""


class GeneratorError(RarecaseError):
    """The language model does not answer, or not as its interface promises."""


class DiskFullError(RarecaseError):
    """No space left: nothing half-written is kept, and the run goes on from here once there is space."""


class WaitingForLabels(Exception):  # noqa: N818 - not an error: the run is where it should be, and people go on with it
    """
    Raised where people have to act before the run can go on; the command line prints it and exits with 0.

    Args:
        message (`str`): what to do, and how to go on afterwards.
    """


def shown_id(id_: str) -> str:
    """
    The id for a message, with a space before it; empty where it could be a post: texts may have been taken for ids.

    Example:
        >>> shown_id("pool-17")
        " 'pool-17'"
    """
    return f" {id_!r}" if is_plain(id_) else ""


def is_plain(id_: str) -> bool:
    """Whether an id is of letters, digits and a few signs, at most 40 of them: so that it is hardly a post."""
    return bool(re.fullmatch(r"[\w.:/-]{1,40}", id_, re.ASCII))


def shown_label(label: str, column: Collection[str]) -> str:
    """
    A label that is no class, for a message, with a space before it; empty where it could be a post of another column.

    Args:
        label (`str`): the value.
        column (`Collection[str]`): the distinct values that stand there.

    Example:
        >>> shown_label("self harm", {"self harm", "legal-advice"})
        " 'self harm'"
    """
    return f" {label!r}" if len(label) <= 40 and len(column) < 100 else ""


def flag(setting: str) -> str:
    """A setting as its flag on the command line."""
    return f"--{setting.replace('_', '-')}"


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """
    The hint that names the nearest option, or nothing.

    Example:
        >>> did_you_mean("strategie", ["strategy", "seed"])
        "; did you mean 'strategy'?"
    """
    by_folded = {option.casefold(): option for option in options if option}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean {by_folded[near[0]]!r}?" if near else ""
