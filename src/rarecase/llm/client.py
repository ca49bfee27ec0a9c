"""
One HTTP client for any server: it sends our headers alone, follows nowhere, and reads no answer beyond a limit.

A request costs it about 0.2 ms of processor time. The client of `openai` takes ten times as much, which is more than
one core has where 64 requests are in flight.
"""

import asyncio
import json
from typing import Any, NamedTuple, Self

import aiohttp

from rarecase.core.documents import MEBIBYTE, parse_json

LONGEST = 4 * MEBIBYTE  # bytes of an answer: 512 tokens are kilobytes, and what some servers add to them hardly more
CONNECT = 2.5  # seconds until a connection is there
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "rarecase"}


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
    """
    The connections to one server, for an `async with` block.

    Args:
        url (`str`): its address.
        key (`str`): sent with each request; none where it is empty.
        proxy (`str`, *optional*): the proxy on the way.
        deadline (`float`): seconds in which an answer has to be there whole.
    """

    def __init__(self, url: str, key: str, proxy: str | None, deadline: float):
        self._url, self._proxy, self.deadline = url.rstrip("/"), proxy, deadline
        self._headers = HEADERS | ({"Authorization": f"Bearer {key}"} if key else {})

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            skip_auto_headers=["Content-Type"],
            connector=aiohttp.TCPConnector(limit=0),  # how many are in flight is decided by `Pace`
            cookie_jar=aiohttp.DummyCookieJar(),  # takes none, so none is sent
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),  # the whole of a request has a deadline
            auto_decompress=False,  # a compressed body, which was not asked for, stays one
            trust_env=False,  # which would also send a password of ~/.netrc
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, path: str, body: object) -> Answer | None:
        """The answer to a body sent as JSON; None where none comes, and a `TimeoutError` where it is late."""
        headers = {"Content-Type": "application/json"}
        return await self._send("POST", path, self.deadline, data=json.dumps(body).encode(), headers=headers)

    async def get(self, path: str, within: float) -> Answer | None:
        """The answer to a request without a body, likewise."""
        return await self._send("GET", path, within)

    async def _send(self, method: str, path: str, within: float, **options: Any) -> Answer | None:
        deadline = asyncio.timeout(within)
        try:
            # A redirect may not carry posts to another host than the one allowed.
            async with (
                deadline,
                self._session.request(
                    method, self._url + path, allow_redirects=False, proxy=self._proxy, **options
                ) as response,
            ):
                content = bytearray()
                async for part in response.content.iter_any():
                    content += part
                    if len(content) > LONGEST:
                        response.close()
                        break
        except (aiohttp.ClientError, OSError, ValueError):  # a `TimeoutError` is an `OSError`, also that of connecting
            if deadline.expired():
                raise TimeoutError from None
            return None
        if response.status < 100:  # which is none
            return None
        headers = response.headers
        return Answer(
            response.status,
            headers.get("Retry-After"),
            headers.get("Retry-After-Ms"),
            content[:LONGEST].decode(errors="replace"),
            len(content) > LONGEST,
        )
