"""What an answer of a server means: a reply, a post that it declines, a reason to wait, or a failure."""

import contextlib
import email.utils
import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rarecase.core.documents import MEBIBYTE, parse_json
from rarecase.core.errors import GeneratorError
from rarecase.llm.client import LONGEST, Answer
from rarecase.llm.replies import text_of

BUSY_TRIES = 7  # failures in a row: with doubling pauses about a quarter of a minute
MOST_TOKENS = 1 << 40  # that anything counts
_BUSY = (429, 503, 529)
_TIMED_OUT = 408  # the server gave up, as with 500: it may have worked on the request, and charge for it
FILTERED = "content_filter"  # how endpoints call a post that they do not answer
_TOO_LONG = re.compile(r"context_length|maximum context|context (?:length|size|window)|exceed_context", re.IGNORECASE)
# vLLM and llama.cpp speak of what they make of a schema.
_FORMAT = re.compile(r"response_format|json_schema|json_object|structured output|guided|grammar", re.IGNORECASE)


@dataclass(frozen=True)
class Failure:
    """
    A way in which a request fails, and may not at the next try.

    What it says is made of a status and of limits: what a server sends back can hold the post or the key.
    """

    reason: str  # in a few words
    found: str  # what the error says was found, where the server is given up
    way: str  # and what to do about it
    tries: int  # of one request, after which it stays without a reply
    in_a_row: int = BUSY_TRIES  # failures of the server, with nothing answered in between, after which it is given up
    at_first: int = 3  # likewise, of a server that has never answered
    wait: float | None = None  # seconds that the server asks for
    is_busy: bool = False  # whether it asks for fewer requests
    is_late: bool = False  # whether the reply did not come in time


_LATER = "continue later (the replies so far are kept)"
_ADDRESS = "--generator-url takes the address of an OpenAI-compatible server, usually ending in /v1"


def no_answer() -> Failure:
    """The connection is refused or lost; at 2.5 s each to connect, a dead address is known within 10 s."""
    return Failure("no answer", "no answer", "start the server there, or correct --generator-url", tries=4)


def late(within: float) -> Failure:
    """The answer is not there, or not whole, after so many seconds."""
    found = f"no whole reply within {within:g} s"
    return Failure(found, found, f"{_LATER}, or try a smaller model or --concurrency", tries=2, is_late=True)


def no_reply(reason: str) -> Failure:
    """The answer is none to a chat completion request; `reason` says what it lacks."""
    found = f"the reply {reason}"
    return Failure(found, found, _ADDRESS, tries=2)


def given_up(url: str, failure: Failure) -> GeneratorError:
    """The error that ends the command."""
    return GeneratorError(f"{url}: {failure.found}; {failure.way}")


def require_access(answer: Answer, url: str, model: str) -> None:
    """An error where the server says that the key, the model or the address is another, or that no credit is left."""
    status = answer.status
    if status == 402 or (status == 429 and answer.problem.get("code") == "insufficient_quota"):
        found, way = f"no credit is left there ({status})", "add some, and continue (the replies so far are kept)"
    elif status in (401, 403):
        found, way = f"rejects the key ({status})", "set OPENAI_API_KEY to a key that is valid there"
    elif status == 404:
        found = f"has no model {model!r}, or no chat completions (404)"
        way = "check --generator-model, and that --generator-url is complete (it usually ends in /v1)"
    elif status < 200 or 300 <= status < 400:
        found = f"redirects to another address ({status})"
        way = "give the final address as --generator-url (posts are sent to no other)"
    else:
        return
    raise GeneratorError(f"{url}: {found}; {way}") from None


def failure_of(answer: Answer, request: Iterable[str]) -> Failure:
    """Why an answer that is no reply may be another one at the next try; one that stays as it is has a single try."""
    if answer.is_too_long:
        return no_reply(f"is longer than {LONGEST // MEBIBYTE} MiB")
    status, wait = answer.status, asked_to_wait(answer)
    if status in (*_BUSY, _TIMED_OUT) or status >= 500:
        busy = status in _BUSY or wait is not None
        found = f"still busy ({status} after {BUSY_TRIES} tries)"
        return Failure(str(status), found, _LATER, 20 if busy else 4, at_first=BUSY_TRIES, wait=wait, is_busy=busy)
    named = answer.problem.get("param")
    part = next((f" because of {key!r}" for key in request if key == named), "")
    way = "try another --generator-model, or see the server's log"
    return Failure(str(status), f"rejects the request{part} ({status})", way, tries=1, in_a_row=20)


def unreadable(reply: str) -> str | None:
    """What the body of a reply lacks; None where it has a choice."""
    try:
        text_of(reply)
    except ValueError as reason:
        return str(reason)
    return None


def usage_of(answer: Answer) -> tuple[int, int] | None:
    """
    The tokens of prompt and completion that an answer counts; None where it counts none, and may have cost anything.

    A request that was turned away has cost nothing; one that was filtered, that the server failed at or that it gave
    up, may have.
    """
    turned_away = 300 <= answer.status < 500 and answer.status != _TIMED_OUT and not _is_filtered(answer)
    if answer.status in _BUSY or turned_away:
        return 0, 0
    try:
        usage = parse_json(answer.text)["usage"]
        counts = usage["prompt_tokens"], usage["completion_tokens"]
    except (ValueError, LookupError, TypeError):
        return None
    return counts if all(type(n) is int and 0 <= n < MOST_TOKENS for n in counts) else None


def reply_of(answer: Answer) -> str | None:
    """
    The body of a reply, or a reply of no text where the endpoint does not answer this one post; None where it failed.

    Its `finish_reason` says why: the post was filtered, or is too long for the model.
    """
    if answer.is_reply and not answer.is_too_long:
        return answer.text
    if _is_filtered(answer):
        reason = FILTERED
    elif answer.status == 400 and _TOO_LONG.search(answer.text):
        reason = "length"  # vLLM and llama.cpp say it in other words than OpenAI's code
    else:
        return None
    return json.dumps({"choices": [{"message": {"content": None}, "finish_reason": reason}]})


def _is_filtered(answer: Answer) -> bool:
    """Whether it declines this one post, by OpenAI's code or by the 403 of a moderation layer (OpenRouter's)."""
    code, about = answer.problem.get("code"), answer.problem.get("metadata")
    flagged = isinstance(about, dict) and ("flagged_input" in about or "reasons" in about)
    return code == FILTERED or (answer.status == 403 and (flagged or code == "content_policy_violation"))


def rejects_format(answer: Answer, request: Mapping[str, object]) -> bool:
    """Whether the server does not take the `response_format` of this request."""
    return "response_format" in request and answer.status in (400, 422) and bool(_FORMAT.search(answer.text))


def rejects_logprobs(answer: Answer, body: Mapping[str, object]) -> bool:
    """Whether the server gives no log-probabilities, which this body asks for."""
    return "logprobs" in body and answer.status in (400, 422) and "logprobs" in answer.text


def asked_to_wait(answer: Answer) -> float | None:
    """The seconds that `Retry-After-Ms` or `Retry-After` (which may be a date) asks for; None where none does."""
    for header, unit in ((answer.retry_after_ms, 0.001), (answer.retry_after, 1.0)):
        if header is not None and (seconds := _seconds(header)) is not None:
            return seconds * unit
    return None


def _seconds(header: str) -> float | None:
    seconds = math.inf
    with contextlib.suppress(ValueError, OverflowError):
        seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
    with contextlib.suppress(ValueError):
        seconds = float(header)
    return max(seconds, 0.0) if math.isfinite(seconds) else None
