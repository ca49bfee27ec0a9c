"""Connections that end, and not too many: uvicorn alone waits for ever for a first request, and for a slow one."""

import asyncio
import contextlib
import sys

from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 15.0  # seconds for the head of a request, also for the first byte of it
UNREAD = 30.0  # seconds in which a client has to read of what it is sent
MOST = 1000  # connections at once
BACKLOG = 64  # connections that may be accepted before the first of them is counted
OWN_FILES = 86  # that the server itself has open, at most


def most_connections() -> int:
    """How many are kept: fewer than files that this process may open, without which it can accept and read nothing."""
    if sys.platform == "win32":
        return MOST
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else max(1, min(MOST, files - BACKLOG - OWN_FILES))


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1, and a connection is closed that does not bring a request, or read its answer, in time."""

    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Waits for the first request; closes what is one connection too many."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > most_connections():
            transport.close()

    def handle_events(self) -> None:
        """Reads what has come; with the head of a request the waiting is over."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete:
            self._deadline.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no HTTP; the request that it came with, whose answer may have begun, gets no other."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        with contextlib.suppress(LocalProtocolError):  # of an answer that has begun, or may have no body
            super().send_400_response(msg)
        self.transport.close()

    def on_response_complete(self) -> None:
        """Waits for the next request."""
        self._wait()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """More than is sent soon waits to be sent."""
        super().pause_writing()
        self._stuck = self.loop.call_later(UNREAD, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        self._deadline.cancel()
        if self._stuck is not None:
            self._stuck.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEAD, self._end)

    def _end(self) -> None:
        """Closes it, which waits for a client that does not read; not for ever."""
        self.transport.close()
        self._deadline = self.loop.call_later(UNREAD, self.transport.abort)
