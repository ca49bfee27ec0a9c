"""What the Hub answers: whether to ask again, and one line that says the way out."""

import contextlib
from collections.abc import Iterator

from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from rarecase.core.errors import HubError

# What the clients raise; a failed upload (`RuntimeError`) and a refused card (`ValueError`) have the answer as cause.
ERRORS = (HTTPError, ValueError, LocalTokenNotFoundError, LocalEntryNotFoundError, ConnectionError, RuntimeError)


def status(error: BaseException) -> int | None:
    """The HTTP status of an answer; None where there was none."""
    error = _cause(error)
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def passing(error: BaseException) -> bool:
    """Whether it may go away by itself: too many requests, the Hub's own trouble, a connection that broke."""
    code = status(error)
    return code in (408, 429) or code >= 500 if code else _unreachable(_cause(error))


@contextlib.contextmanager
def answers(repo_id: str) -> Iterator[None]:
    """
    Turns what the Hub's clients raise into one line.

    Raises:
        `HubError`: naming the repository, what the Hub said, and the way out.

    Example:
        >>> with answers("acme/guard"):
        ...     HfApi().repo_info("acme/guard")
    """
    try:
        yield
    except ERRORS as error:
        line = _line(_cause(error))
        if line is None:
            raise  # a defect, not an answer
        raise HubError(f"{repo_id}: {line}") from error


def _cause(error: BaseException) -> BaseException:
    cause = error.__cause__
    return cause if not isinstance(error, HTTPError) and isinstance(cause, HTTPError) else error


def _unreachable(error: BaseException) -> bool:
    offline = isinstance(error, OfflineModeIsEnabled)
    return isinstance(error, HTTPError | LocalEntryNotFoundError | ConnectionError) and not offline


def _line(error: BaseException) -> str | None:
    if isinstance(error, HFValidationError):
        return "no id of the Hub; expected OWNER/NAME of letters, digits, '-', '_' and '.', at most 96 characters"
    if isinstance(error, OfflineModeIsEnabled):
        return "the Hub is switched off by HF_HUB_OFFLINE; unset it"
    if isinstance(error, LocalTokenNotFoundError):
        return "no token; set HF_TOKEN, or run `hf auth login`"
    code = status(error)
    if code is None:
        return "the Hub cannot be reached (HF_ENDPOINT?); repeat the command" if _unreachable(error) else None
    if isinstance(error, RepositoryNotFoundError) or code == 404:
        return "not on the Hub, or not for this token; check the name and HF_TOKEN"
    if code == 401:
        return "the Hub does not know this token (401); set HF_TOKEN, or run `hf auth login`"
    if code == 403:
        return "this token may not write there (403); take one with write access to the owner, or another --repo"
    if code == 412:
        return "others kept committing in between (412); repeat the command"
    if passing(error):
        return f"the Hub is in trouble (status {code}); repeat the command: nothing is half-published"
    said = " ".join((getattr(error, "server_message", None) or "").split())[:300]
    return f"the Hub refuses it (status {code}){': ' if said else ''}{said}"
