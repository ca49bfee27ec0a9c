"""Hub errors as one-line messages, and the retry rules."""

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from huggingface_hub import constants
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from rarecase.core.documents import reason
from rarecase.core.errors import HubError, RarecaseError
from rarecase.core.files import disk_full, is_disk_full

Result = TypeVar("Result")

# What the clients raise; a failed upload (`RuntimeError`) and a refused card (`ValueError`) have the answer as cause.
ERRORS = (
    HTTPError,
    ValueError,
    LocalTokenNotFoundError,
    LocalEntryNotFoundError,
    ConnectionError,
    TimeoutError,
    RuntimeError,
)
# What no file of a stranger and no answer can bring about.
_OF_THE_SYSTEM = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO}


def sleep_about(seconds: float) -> None:
    """Sleeps between half and one and a half times as long: two refused together must not come back together."""
    time.sleep(seconds * np.random.default_rng().uniform(0.5, 1.5))


@dataclass
class RetryPolicy:
    """How often requests to the Hub are repeated, and how a client waits in between."""

    attempts: int = 6  # after an error of the Hub or the connection, waiting 1, 2, 4, … seconds
    races: int = 40  # commits of other people that came first, before it must be something else
    wait: Callable[[float], None] = sleep_about


_ANSWERS = {
    401: "the Hub does not know this token (401); set HF_TOKEN, or run `hf auth login`",
    403: "this token may not write there (403); use one with write access to the owner, or another --repo",
    404: "not on the Hub, or this token may not read it; check the name and HF_TOKEN",
    412: "others kept committing at the same time (412); repeat the command",
}
RETRY = RetryPolicy()  # of this process


def status(error: BaseException) -> int | None:
    """The HTTP status of an answer; None where there was none."""
    error = _cause(error)
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def is_temporary(error: BaseException) -> bool:
    """Whether a repeated request may succeed: too many requests, an error of the server, a broken connection."""
    code = status(error)
    return code in (408, 429) or code >= 500 if code else _unreachable(_cause(error))


def is_out_of_reach(error: HubError) -> bool:
    """Whether no Hub has answered: there is none, or it is switched off."""
    cause = _cause(error.__cause__ or error)
    return isinstance(cause, OfflineModeIsEnabled) or (status(cause) is None and _unreachable(cause))


@contextlib.contextmanager
def hub_errors(repo_id: str) -> Iterator[None]:
    """Turns what the Hub's clients raise into a `HubError` of one line: the repository, the answer, the way out."""
    try:
        yield
    except RarecaseError:
        raise
    except ERRORS as error:
        line = _line(_cause(error))
        if line is None:
            raise  # a defect, not an answer
        raise HubError(f"{repo_id}: {line}", temporary=is_temporary(error)) from error
    except OSError as error:  # of a file on this machine
        raise _refused_here(repo_id, error, HubError) from error


def by_this_machine(name: str, error: BaseException | None, kind: type[RarecaseError]) -> RarecaseError | None:
    """What is to be said where this machine refuses a file, also beneath the error of a library; else None."""
    while error is not None and not _unreachable(error):  # a connection may be forbidden, too
        if isinstance(error, OSError) and (error.errno in _OF_THE_SYSTEM or is_disk_full(error) or _of_xet(error)):
            return _refused_here(name, error, kind)
        error = error.__cause__
    return None


def _refused_here(name: str, error: OSError, kind: type[RarecaseError]) -> RarecaseError:
    if is_disk_full(error):
        return disk_full(Path(error.filename or constants.HF_HOME))
    if _of_xet(error):
        found = " ".join(str(error).partition("http")[0].split())[:200].rstrip(" :")  # an address may be signed
        way = "HF_HUB_DISABLE_XET=1 transfers without it"
        return kind(
            f"{name}: hf_xet, which transfers files, failed ({found}); correct that and repeat the command ({way})"
        )
    where = f"{error.filename}: " if error.filename else ""
    way = "what is read is kept in HF_HOME, which may name another folder"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        way = "raise `ulimit -n`"
    return kind(f"{name}: {where}{reason(error)}; correct that and repeat the command ({way})")


@contextlib.contextmanager
def junk_refused(repo_id: str) -> Iterator[None]:
    """Turns whatever the clients raise over an answer that is none of the Hub's into a `HubError`."""
    try:
        yield
    except RarecaseError:
        raise
    except Exception as error:
        # A name that is too long is one that the answer gave.
        is_of_the_system = isinstance(error, OSError) and error.errno not in (None, errno.ENAMETOOLONG)
        if is_of_the_system or _of_xet(error) or (isinstance(error, ERRORS) and _line(_cause(error)) is not None):
            raise
        raise HubError(f"{repo_id}: the answer is not a Hub's; check HF_ENDPOINT") from error


def retried(repo_id: str, call: Callable[[], Result]) -> Result:
    """The result of a call that can safely be made twice, repeated while the error is temporary."""
    with hub_errors(repo_id), junk_refused(repo_id):
        for attempt in range(RETRY.attempts - 1):
            try:
                return call()
            except ERRORS as error:
                if not is_temporary(error):
                    raise
                RETRY.wait(2.0**attempt)
        return call()


def _cause(error: BaseException) -> BaseException:
    cause = error.__cause__
    return cause if not isinstance(error, HTTPError) and isinstance(cause, HTTPError) else error


def _of_xet(error: BaseException) -> bool:
    """Whether hf_xet says that a file, a token or an object is at fault; those of the connection are in `ERRORS`."""
    is_its_own = type(error).__module__ == "hf_xet" or str(error).startswith("I/O error: ")
    return isinstance(error, OSError) and error.errno is None and is_its_own


def _unreachable(error: BaseException) -> bool:
    offline = isinstance(error, OfflineModeIsEnabled)
    return isinstance(error, HTTPError | LocalEntryNotFoundError | ConnectionError | TimeoutError) and not offline


def _line(error: BaseException) -> str | None:
    if isinstance(error, HFValidationError):
        return "not an id of the Hub; expected OWNER/NAME of letters, digits, '-', '_' and '.', at most 96 characters"
    if isinstance(error, OfflineModeIsEnabled):
        return "the Hub is switched off by HF_HUB_OFFLINE; unset it"
    if isinstance(error, LocalTokenNotFoundError):
        return "no token; set HF_TOKEN, or run `hf auth login`"
    code = status(error)
    if code is None:
        return "the Hub cannot be reached (HF_ENDPOINT?); repeat the command" if _unreachable(error) else None
    if known := _ANSWERS.get(404 if isinstance(error, RepositoryNotFoundError) else code):
        return known
    if is_temporary(error):
        return f"the Hub is in trouble (status {code}); repeat the command: nothing is half-published"
    said = " ".join((getattr(error, "server_message", None) or "").split())[:300]
    return f"the Hub refuses it (status {code}){': ' if said else ''}{said}"
