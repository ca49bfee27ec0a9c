"""Bodies of requests that end: not too long, and not too slow."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive

SLOWEST = 30.0  # seconds for a whole body


class BodyRefused(Exception):  # noqa: N818 - of a request
    """A body that is too long (413), too slow (408), or cut (400)."""

    def __init__(self, status: int):
        super().__init__(status)
        self.status = status


async def received(headers: Headers, receive: Receive, most: int) -> Receive:
    """Receives the whole body, to be received again; `BodyRefused` where it is longer than `most`, slow, or cut."""
    if int(headers.get("content-length", 0)) > most:
        raise BodyRefused(413)
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(SLOWEST):
            while more:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > most:
                    raise BodyRefused(413)
                if message["type"] != "http.request":
                    raise BodyRefused(400)
                more = message.get("more_body", False)
    except TimeoutError:
        raise BodyRefused(408) from None
    whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again
