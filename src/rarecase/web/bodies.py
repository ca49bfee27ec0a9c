"""Bodies of requests that end: not too long, and not too slow."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import Message, Receive

SLOWEST = 30.0  # seconds for a whole body


async def received(headers: Headers, receive: Receive, most: int) -> Receive | None:
    """Receives the whole body, to be received again; None where it is too long or too slow, or cut."""
    if int(headers.get("content-length", 0)) > most:
        return None
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(SLOWEST):
            while more:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > most or message["type"] != "http.request":
                    return None
                more = message.get("more_body", False)
    except TimeoutError:
        return None
    whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again
