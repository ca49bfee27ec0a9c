"""What goes wrong on the way, when a test says so."""

import re
import socket
import struct
from dataclasses import dataclass
from typing import Any, Literal

from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive


@dataclass
class Fault:
    """
    Something that goes wrong with a request.

    Args:
        match (`str`): a regular expression, searched in `METHOD /path`; the path is as it was sent, `%2F` and all.
        status (`int`, *optional*): the answer, given before anything is done.
        drop (`str`, *optional*): the connection is reset without an answer: `before` anything is done, or `after`.
        delay (`float`): seconds before anything is done.
        times (`int`): how many requests it hits.
        skip (`int`): how many that match are let through first.
        retry_after (`int`, *optional*): seconds, told in the header.
        message (`str`): what the answer says.
    """

    match: str
    status: int | None = None
    drop: Literal["before", "after"] | None = None
    delay: float = 0.0
    times: int = 1
    skip: int = 0
    retry_after: int | None = None
    message: str = "injected by the test"

    def hits(self, line: str) -> bool:
        """Whether this request is one of those; counts it."""
        if not self.times or not re.search(self.match, line):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    @property
    def name(self) -> str:
        """As the log has it: `429`, `dropped before`, `dropped after` or `delayed`."""
        return str(self.status or (f"dropped {self.drop}" if self.drop else "delayed"))

    def answer(self) -> Response:
        assert self.status is not None
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return JSONResponse({"error": self.message}, self.status, {**headers, "X-Error-Message": self.message})


async def arrived(receive: Receive) -> Receive:
    """The request once all of it is here: what is awaited then needs no client any more."""
    messages = [await receive()]
    while messages[-1].get("more_body", False):
        messages.append(await receive())
    left = iter(messages)

    async def again() -> Message:
        return next(left, None) or await receive()

    return again


async def reset_connection(receive: Any) -> None:
    """Ends the connection as a machine does that goes down: no answer, and no orderly end of the stream."""
    # `receive` belongs to uvicorn's side of the request, and the transport is to be had nowhere else.
    transport = receive.__self__.transport
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
