"""
The HTTP client of all requests to the Hub, those of the libraries too, which wait as long as it takes, and ask again.
What is limited here is silence, and not the whole of a request: a large file on a slow line may take hours.
"""

import time
from collections.abc import Iterator
from typing import Any, ClassVar

import httpx2
from huggingface_hub import get_session, set_client_factory
from huggingface_hub.errors import OfflineModeIsEnabled

from rarecase.core.documents import MEBIBYTE
from rarecase.core.errors import HubError

SILENCE = 10.0  # seconds without a byte of the answer to what only reads
WORK = 120.0  # seconds without one while the Hub works on what was sent: a commit of many files takes its time
GIVEN_UP = 60.0  # seconds in which a host that was silent, or not there for so long, is not asked again
SLOWEST = 1024  # bytes a second of an answer: what is slower over `SILENCE` is no slow line
LONGEST = 16 * MEBIBYTE  # of an answer that is no file, and read whole: a page of a list has some hundred kilobytes


class SilentHubError(HubError, OfflineModeIsEnabled):
    """The Hub does not answer; the libraries take it for an offline one, and read what is in the cache."""


class _Body(httpx2.SyncByteStream):
    """The body of an answer, which has to go on coming."""

    def __init__(self, response: httpx2.Response):
        self.url, self.parts = response.url, response.stream

    def __iter__(self) -> Iterator[bytes]:
        asked, waited, come, whole = time.monotonic(), 0.0, 0, 0
        for part in self._parts():
            waited += time.monotonic() - asked
            come, whole = come + len(part), whole + len(part)
            if whole > LONGEST and self.url.path.startswith("/api/"):
                raise HubError(f"{self.url.host}: an answer of over {LONGEST // MEBIBYTE} MiB (HF_ENDPOINT?)")
            if waited > SILENCE:
                if come < SLOWEST * waited:
                    raise _silent(self.url)
                waited, come = 0.0, 0
            yield part
            asked = time.monotonic()

    def _parts(self) -> Iterator[bytes]:
        try:
            yield from self.parts  # type: ignore[misc]
        except httpx2.TimeoutException:  # after which a library would begin again, six times
            raise _silent(self.url) from None

    def close(self) -> None:
        self.parts.close()  # type: ignore[union-attr]


class Client(httpx2.Client):
    """A client that does not wait for ever, nor again and again."""

    # By host and port, of all clients: the libraries make a new one after some errors.
    given_up: ClassVar[dict[bytes, float]] = {}
    refused: ClassVar[dict[bytes, float]] = {}  # since when a host lets nobody connect

    def __init__(self, **options: Any):
        super().__init__(timeout=None, **options)  # `send` sets it
        self.event_hooks = {**self.event_hooks, "response": [_watch]}

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Sends a request; a `SilentHubError` where this host has been silent before."""
        host, idle = request.url.netloc, SILENCE if request.method in ("GET", "HEAD") else WORK
        if time.monotonic() < self.given_up.get(host, 0.0):
            raise _silent(request.url)
        given = request.extensions.get("timeout", {})
        limits = {what: min(given.get(what) or idle, idle) for what in ("connect", "read", "write")}
        request.extensions = {**request.extensions, "timeout": {**given, **limits}}
        try:
            response = super().send(request, **options)
        except httpx2.TimeoutException:
            self.given_up[host] = time.monotonic() + GIVEN_UP
            raise
        except httpx2.ConnectError:
            if time.monotonic() - self.refused.setdefault(host, time.monotonic()) < SILENCE / 2:
                raise  # a library asks again, several for minutes
            self.given_up[host] = time.monotonic() + GIVEN_UP
            raise _silent(request.url) from None
        self.refused.pop(host, None)
        return response


def _watch(response: httpx2.Response) -> None:
    response.stream = _Body(response)


def _silent(url: httpx2.URL) -> SilentHubError:
    return SilentHubError(
        f"{url.host}: no answer from the Hub for {SILENCE:g} s (HF_ENDPOINT?); repeat the command later",
        temporary=True,  # what was sent may have arrived, so that nobody is told to delete a new repository
    )


def limit_waiting() -> None:
    """From here on, all requests of this process to the Hub are made by a `Client`."""
    usual = get_session()
    if not isinstance(usual, Client):
        hooks, follow = usual.event_hooks, usual.follow_redirects
        set_client_factory(lambda: Client(event_hooks=hooks, follow_redirects=follow))
