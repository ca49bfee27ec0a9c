"""Any OpenAI-compatible endpoint: a local server, a company's own, or a vendor's."""

import asyncio
import contextlib
import email.utils
import ipaddress
import json
import math
import os
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from rarecase.core import randomness
from rarecase.core.documents import MEBIBYTE, parse_json
from rarecase.core.errors import ConfigError, GeneratorError
from rarecase.core.progress import bar
from rarecase.llm.replies import Replies, Request, text_of

if TYPE_CHECKING:
    from rarecase.llm.client import Client

BUSY_TRIES = 6  # of one request while the server answers 429 or 5xx: with doubling pauses about a quarter of a minute
DEAD_TRIES = 3  # of one request where no answer comes: at 2.5 s each to connect, a dead address is known within 10 s
DEADLINE = 600.0  # seconds for the whole of a reply: a large model on a slow machine takes minutes for 512 tokens
LIST_DEADLINE = 15.0  # seconds for the list of models, which no model has to write
FILTERED = "content_filter"  # how endpoints call a post that they do not answer
_TOO_LONG = re.compile(r"context_length|maximum context|context (?:length|size|window)|exceed_context", re.IGNORECASE)
LONGEST_PAUSE = 120.0  # seconds; a server that asks for more is a case for going on later


class Answer(NamedTuple):
    """What came back to one request."""

    status: int
    retry_after: str | None
    text: str

    @property
    def is_reply(self) -> bool:
        """Whether it is what was asked for: no error and no redirect."""
        return 200 <= self.status < 300

    @property
    def problem(self) -> dict[str, Any]:
        """What the body of an error says, in OpenAI's form (`code`, `param`) as far as it has it."""
        try:
            content = parse_json(self.text)
        except ValueError:
            return {}
        found = content.get("error", content) if isinstance(content, dict) else {}
        return found if isinstance(found, dict) else {}


class Endpoint:
    """
    Asks an OpenAI-compatible server for chat completions, a few at a time, every reply stored as it comes.

    The order in which replies come changes nothing, and what is stored already is not asked again. The key is read
    from `OPENAI_API_KEY` alone.

    Args:
        url (`str`): the address, usually ending in `/v1`. Posts leave the machine only where it is not loopback, and
            then only if `send_to` allows it.
        name (`str`): the model's name there.
        replies (`Replies`): the store of replies.
        seed (`int`): of the jitter between tries.
        concurrency (`int`): requests in flight, at most.
        send_to (`str`, *optional*): the host that posts may be sent to, if it is not this machine.
        deadline (`float`): seconds in which a reply has to be there whole.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        replies: Replies,
        seed: int,
        concurrency: int = 4,
        send_to: str | None = None,
        deadline: float = DEADLINE,
    ):
        self.url, self.name, self.replies, self.seed = url, name, replies, seed
        self.concurrency, self.deadline = concurrency, deadline
        self._loopback = _allowed(url, send_to)
        _key(self._loopback)

    def ask(self, requests: Iterable[Request]) -> None:
        """Asks for what is not stored yet; replies that have come stay stored if it fails."""
        if missing := self.replies.missing(requests):
            asyncio.run(self._ask_all(missing))

    def check(self) -> None:
        """Asks for the list of models, so that a dead address or a wrong key is known before a run; sends no post."""
        asyncio.run(self._check())

    async def _check(self) -> None:
        async with self._client() as client:
            for attempt in range(DEAD_TRIES):
                answer = await self._send(client, min(self.deadline, LIST_DEADLINE))
                if answer is None:
                    await asyncio.sleep(0.5 * 2**attempt)
                    continue
                if answer.status in (401, 403) or (answer.status < 400 and not answer.is_reply):
                    raise self._refused(answer)
                if answer.is_reply and not answer.text.lstrip().startswith(("{", "[")):
                    raise self._unreadable("is not JSON")
                return  # alive: perhaps busy, or a server that keeps no list
        raise self._dead()

    async def _ask_all(self, requests: list[Request]) -> None:
        queue, pause = iter(requests), _Pause(self.seed)
        progress = bar(len(requests), "replies", "reply", delay=2)

        async def worker(client: "Client") -> None:
            for request in queue:
                reply = await self._ask(client, request, pause)
                # No await from here on: a reply that has come is stored even if another request has just failed.
                self.replies.put(request, self.url, reply)
                try:
                    text_of(reply)
                except ValueError as reason:
                    raise self._unreadable(str(reason)) from None
                progress.update()

        try:
            async with self._client() as client, asyncio.TaskGroup() as group:
                for _ in range(min(self.concurrency, len(requests))):
                    group.create_task(worker(client))
        except ExceptionGroup as failed:  # the group has ended the other workers; the first failure is what to act on
            raise failed.exceptions[0] from None
        finally:
            progress.close()

    async def _ask(self, client: "Client", request: Request, pause: "_Pause") -> str:
        for attempt in range(1, BUSY_TRIES + 1):
            await pause.end()
            answer, wait = await self._send(client, self.deadline, request), None
            if answer is None:
                if attempt >= DEAD_TRIES:
                    raise self._dead()
            elif answer.is_reply:
                # The body as it came: the store keeps what the server said, and parsing comes after.
                return answer.text
            elif reason := _declines(answer):  # an answer about this post, not a failure of the endpoint
                return json.dumps({"choices": [{"message": {"content": None}, "finish_reason": reason}]})
            elif answer.status != 429 and answer.status < 500:
                raise self._refused(answer, request)
            else:
                busy, wait = answer.status, _retry_after(answer.retry_after)
                if wait is not None and wait > LONGEST_PAUSE:
                    raise self._busy(f"{busy}, asks to wait {wait:.0f} s")
            pause.extend(wait, attempt)
        raise self._busy(f"{busy} after {BUSY_TRIES} tries")

    async def _send(self, client: "Client", within: float, request: Request | None = None) -> Answer | None:
        """The answer to a request, or else to the question which models there are; None where none comes."""
        import openai

        from rarecase.llm.client import LONGEST

        chat, models = client.chat.completions.with_raw_response, client.models.with_raw_response
        try:
            async with asyncio.timeout(within):
                response = (await (chat.create(**request) if request else models.list())).http_response  # type: ignore[call-overload]
        except TimeoutError:
            raise self._late(within) from None
        except openai.APIStatusError as error:
            response = error.response
        except openai.APIConnectionError:
            return None
        if len(response.content) > LONGEST:
            raise self._unreadable(f"is longer than {LONGEST // MEBIBYTE} MiB")
        text = response.content.decode(errors="replace")
        return Answer(response.status_code, response.headers.get("retry-after"), text)

    def _client(self) -> "Client":
        from rarecase.llm.client import client_of

        # A proxy from the environment must not see what is meant for this machine.
        return client_of(self.url, _key(self._loopback), trust_env=not self._loopback)

    # What an error says is made of the address, the model's name and a status: what a server sends back can hold the
    # post or the key, so none of it is shown, and the causes are cut off.

    def _refused(self, answer: Answer, request: Iterable[str] = ()) -> GeneratorError:
        status = answer.status
        if status in (401, 403):
            found, way = f"rejects the key ({status})", "set OPENAI_API_KEY to a key that is valid there"
        elif status == 404:
            found = f"has no model {self.name!r}, or no chat completions (404)"
            way = "check --generator-model, and that --generator-url is complete (it usually ends in /v1)"
        elif status < 400:
            found = f"redirects to another address ({status})"
            way = "give the final address as --generator-url (posts are sent to no other)"
        else:
            named = answer.problem.get("param")
            part = next((f" because of {key!r}" for key in request if key == named), "")
            found = f"rejects the request{part} ({status})"
            way = "try another --generator-model, or see the server's log"
        return GeneratorError(f"{self.url}: {found}; {way}")

    def _unreadable(self, reason: str) -> GeneratorError:
        way = "--generator-url takes the address of an OpenAI-compatible server, usually ending in /v1"
        return GeneratorError(f"{self.url}: the reply {reason}; {way}")

    def _dead(self) -> GeneratorError:
        return GeneratorError(f"{self.url}: no answer; start the server there, or correct --generator-url")

    def _late(self, within: float) -> GeneratorError:
        way = "continue later (the replies so far are kept), or try a smaller model or --concurrency"
        return GeneratorError(f"{self.url}: no whole reply within {within:g} s; {way}")

    def _busy(self, what: str) -> GeneratorError:
        return GeneratorError(f"{self.url}: still busy ({what}); continue later (the replies so far are kept)")


class _Pause:
    """One pause for all workers: when a server is busy, every request waits, not only the one that was told."""

    def __init__(self, seed: int):
        self._until = 0.0
        self._jitter = randomness.generator(seed, "jitter")

    def extend(self, seconds: float | None, attempt: int) -> None:
        """Waits `seconds` from now, or twice as long with each attempt, and up to a quarter of a second more."""
        seconds = 0.5 * 2 ** (attempt - 1) if seconds is None else seconds
        self._until = max(self._until, time.monotonic() + seconds + 0.25 * self._jitter.random())

    async def end(self) -> None:
        """Returns when the pause is over, also one that was made longer in the meantime."""
        while (left := self._until - time.monotonic()) > 0:
            await asyncio.sleep(left)


def _declines(answer: Answer) -> str | None:
    """Why the endpoint does not answer this one post, as a `finish_reason`: filtered, or too long for the model."""
    if answer.problem.get("code") == FILTERED:
        return FILTERED
    # vLLM and llama.cpp say it in other words than OpenAI's code.
    return "length" if answer.status == 400 and _TOO_LONG.search(answer.text) else None


def _retry_after(header: str | None) -> float | None:
    """The seconds that a `Retry-After` header asks for, as a number or a date; None where that is none."""
    seconds = math.inf
    with contextlib.suppress(ValueError, OverflowError):
        seconds = email.utils.parsedate_to_datetime(header or "").timestamp() - time.time()
    with contextlib.suppress(ValueError):
        seconds = float(header or "")
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _allowed(url: str, send_to: str | None) -> bool:
    """Whether the address is loopback; an error where it is neither that nor allowed."""
    expected = "expected http://HOST:PORT/v1 or https://HOST/v1"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"--generator-url is not an address; {expected}") from None
    if parts.username is not None or parts.query or parts.fragment or "\\" in url:
        # Not shown: this is where a password or a key would stand.
        raise ConfigError(f"--generator-url is more than an address; {expected}, and a key in OPENAI_API_KEY")
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch(r"[\w.:-]+", host):
        raise ConfigError(f"--generator-url {url!r} is not an address; {expected}")
    if host == "localhost":
        return True
    try:
        if ipaddress.ip_address(host).is_loopback:
            return True
    except ValueError:
        pass  # a name, and only `localhost` is known to be this machine
    if send_to is None or send_to.casefold() != host:
        raise ConfigError(f"posts would leave this machine for {host}; add --send-to {host} to allow this")
    return False


def _key(loopback: bool) -> str:
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key.isascii() or not key.isprintable():
        # As a header it would fail with a traceback that shows it.
        raise ConfigError("OPENAI_API_KEY has characters that are not allowed in a key; set it again")
    if not key and not loopback:
        raise ConfigError("OPENAI_API_KEY is not set; set it to your key (or to any word, if the server needs no key)")
    return key
