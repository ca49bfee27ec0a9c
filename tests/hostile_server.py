"""A server on a plain socket, for tests: it answers what a test hands in, over and over where that is endless."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator

MEGABYTE = b"a" * 1_000_000
Said = Iterable[bytes | float]  # bytes to send, and seconds to wait; none of either: the connection is closed


class HostileServer:
    """
    The server in a thread, for a `with` block.

    Args:
        say (`Callable`): gives what is said to a request, by its first line (`POST /v1/chat/completions HTTP/1.1`).

    Attributes:
        heard (`list[str]`): the head of every request.
        sent (`int`): the bytes that clients took.
    """

    def __init__(self, say: Callable[[str], Said]):
        self.say = say
        self.heard: list[str] = []
        self.sent = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.over = threading.Event()

    def __enter__(self) -> "HostileServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.socket.shutdown(socket.SHUT_RDWR)  # which ends `accept` in the other thread
        self.socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the socket is closed
            while True:
                threading.Thread(target=self._serve, args=[self.socket.accept()[0]], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, client.makefile("rb") as lines:
            while head := list(iter(lambda: lines.readline().strip(), b"")):  # nothing comes where the client has gone
                self.heard.append(b"\r\n".join(head).decode("latin-1"))
                lengths = [int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")]
                lines.read(sum(lengths))
                for part in self.say(head[0].decode("latin-1")):
                    if not part:
                        return
                    if isinstance(part, bytes):
                        client.sendall(part)
                        self.sent += len(part)
                    elif self.over.wait(part):
                        return


def answer(body: bytes, status: str = "200 OK", *headers: str) -> list[bytes]:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n" + body]


def endless(status: str = "200 OK", part: bytes = MEGABYTE, wait: float = 0.0) -> Iterator[bytes | float]:
    """An answer without an end."""
    yield f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    until = time.monotonic() + 60  # so that a client that reads on does not fill the machine for ever
    while time.monotonic() < until:
        yield b"%x\r\n%s\r\n" % (len(part), part)
        if wait:
            yield wait


def silent() -> Iterator[float]:
    """No answer at all."""
    yield 60.0
