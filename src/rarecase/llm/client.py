"""The client of `openai` for any server: sends our headers alone, follows nowhere, reads no answer beyond a limit."""

import asyncio
from collections.abc import Awaitable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NamedTuple, Self

import openai

from rarecase.core.documents import MEBIBYTE, parse_json

LONGEST = 4 * MEBIBYTE  # bytes of an answer: 512 tokens are kilobytes, and what some servers add to them hardly more
CONNECT = 2.5  # seconds until a connection is there
# What the requests need; whatever else the libraries add comes from the environment, or describes this machine.
_SENT = ("host", "accept", "accept-encoding", "authorization", "content-type", "content-length")
_KEPT = (b"retry-after", b"retry-after-ms")


class Answer(NamedTuple):
    """What came back to one request: status, the headers that ask to wait, and the body as UTF-8."""

    status: int
    retry_after: str | None
    retry_after_ms: str | None
    text: str
    is_too_long: bool

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


class Client:
    """The connections to one server, for an `async with` block; an answer has `deadline` seconds to be there whole."""

    def __init__(self, url: str, key: str, proxy: str | None, deadline: float):
        self.deadline = deadline
        timeout = openai.Timeout(None, connect=CONNECT)  # the whole of a request has a deadline
        http = _Bounded(
            key,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # takes none, so none is sent
            proxy=proxy,
            trust_env=False,  # which would also send a password of ~/.netrc
            follow_redirects=False,  # a redirect may not carry posts to another host than the one allowed
            limits=openai.DEFAULT_CONNECTION_LIMITS,  # how many are in flight is decided by `Pace`
            timeout=timeout,
        )
        # Retries are made by whoever asks: the client's own pause each request by itself.
        self._openai = _OpenAI(api_key=key or "none", base_url=url, max_retries=0, timeout=timeout, http_client=http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._openai.close()

    async def chat(self, request: Mapping[str, Any]) -> Answer | None:
        """The answer to a request; None where none comes, and a `TimeoutError` where it is late."""
        completions = self._openai.chat.completions.with_raw_response
        return await self._answer(completions.create(**request), self.deadline)

    async def models(self, within: float) -> Answer | None:
        """The answer to the question which models there are, likewise."""
        return await self._answer(self._openai.models.with_raw_response.list(), within)

    async def _answer(self, asked: Awaitable[Any], within: float) -> Answer | None:
        try:
            async with asyncio.timeout(within):
                response = (await asked).http_response
        except openai.APIStatusError as error:
            response = error.response
        except openai.APIConnectionError:
            return None
        content, headers = response.content, response.headers
        return Answer(
            response.status_code,
            headers.get("retry-after"),
            headers.get("retry-after-ms"),
            content[:LONGEST].decode(errors="replace"),
            len(content) > LONGEST,
        )


class _OpenAI(openai.AsyncOpenAI):
    """Takes no header from the environment: `OPENAI_CUSTOM_HEADERS`, an organisation, a project."""

    @property
    def default_headers(self) -> dict[str, Any]:
        """The headers of every request beside the key."""
        return {"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json"}


class _Bounded(openai.DefaultAsyncHttpxClient):
    """Answers with status, the headers that ask to wait and the bytes that came, one beyond `LONGEST` at most."""

    def __init__(self, key: str, **options: Any):
        super().__init__(**options)
        self._key = key

    async def send(self, request: Any, **options: Any) -> Any:
        """The answer without its other headers: it is read as JSON in UTF-8, whatever it calls itself."""
        headers = {name: value for name, value in request.headers.items() if name in _SENT}
        if not self._key:
            headers.pop("authorization", None)
        # A request of its own: the library reads in the headers of the first what it is to make of the answer.
        sent = self.build_request(
            request.method,
            request.url,
            content=await request.aread(),
            headers=headers | {"user-agent": "rarecase"},
            extensions=request.extensions,
        )
        response = await super().send(sent, **{**options, "stream": True})
        content = bytearray()
        try:
            async for part in response.aiter_raw():  # a compressed body, which was not asked for, stays one
                content += part
                if len(content) > LONGEST:
                    break
        finally:
            await response.aclose()
        kept = [(name, value) for name, value in response.headers.raw if name.lower() in _KEPT]
        kept.append((b"content-type", b"application/json"))
        return type(response)(
            response.status_code, headers=kept, content=bytes(content[: LONGEST + 1]), request=request
        )
