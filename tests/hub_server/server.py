"""The test Hub, running in a thread of this process; what it can be made to do, and what was asked of it."""

import contextlib
import random
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn

from hub_server import client
from hub_server.app import App
from hub_server.faults import Fault
from hub_server.state import User

TOKENS = {
    "hf_alice": User("alice", ("acme",)),
    "hf_carol": User("carol", ("acme",)),
    "hf_bob": User("bob"),
    "hf_alice_read": User("alice", ("acme",), "read"),
}
TOKEN = "hf_alice"


class Hub:
    """
    A running Hub.

    Args:
        root (`Path`): an empty folder for its files, and for the homes of its clients.
        port (`int`): where it listens, on this machine alone; 0 takes a free one.
        tokens (`Mapping[str, User]`): who may sign in.

    Attributes:
        url (`str`): its address, for `HF_ENDPOINT`.
        home (`Path`): `HF_HOME` of its clients, a new one after each `reset`.

    Example:
        >>> with serving(tmp_path) as hub:
        ...     hub.fault("POST .*/commit/", drop="after")
        ...     subprocess.run(["hf", "upload", "acme/x", "."], env=hub.environment)
        ...     assert [line["fault"] for line in hub.log("/commit/")] == ["dropped after"]
    """

    def __init__(self, root: Path, port: int = 0, tokens: Mapping[str, User] = TOKENS):
        self.root, self.port = Path(root), port
        self.app = App(self.root / "hub", tokens)
        self.home = Path(tempfile.mkdtemp(prefix="home-", dir=self.root))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a client in a process of its own, signed in as alice."""
        return client.environment(self.url, TOKEN, str(self.home))

    def reset(self) -> None:
        """No repositories, no faults, an empty log, and an empty cache for the clients that start from now on."""
        self.app.state.reset()
        self.app.forget()
        self.home = Path(tempfile.mkdtemp(prefix="home-", dir=self.root))

    def fault(
        self,
        match: str,
        status: int | None = None,
        *,
        drop: Literal["before", "after"] | None = None,
        delay: float = 0.0,
        times: int = 1,
        skip: int = 0,
        retry_after: int | None = None,
        message: str = "injected by the test",
    ) -> None:
        """Lets the next `times` requests whose `METHOD /path` matches go wrong, as `Fault` says."""
        self.app.faults.append(Fault(match, status, drop, delay, times, skip, retry_after, message))

    def log(self, match: str = "") -> list[dict[str, Any]]:
        """What was asked since the last reset, in order of arrival, as `App.log` has it; only what matches."""
        return [dict(line) for line in self.app.log if re.search(match, line["request"])]

    @property
    def crashes(self) -> list[str]:
        """Tracebacks of the server's own mistakes."""
        return list(self.app.crashes)

    def start(self) -> None:
        """Listens, where it listened before; all that it held is still there."""
        held = bound(self.port)
        self.port = held.getsockname()[1]
        self._server = uvicorn.Server(configured(self.app))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [held]}, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)

    def stop(self) -> None:
        """Dead: open connections break, and nothing listens any more."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=60)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Dead for the length of a `with` block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def in_process(self, token: str = TOKEN) -> Iterator[None]:
        """
        Lets the clients in this process, which are offline else, talk to the Hub, with an empty cache.

        The libraries have read the environment long ago, so what they made of it is changed, and put back at the end;
        processes started meanwhile inherit the environment.
        """
        import datasets.config
        import huggingface_hub.constants

        assert self.url == huggingface_hub.constants.ENDPOINT, "the clients in this process know another address"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in client.environment(self.url, token, str(self.home)).items():
                patch.setenv(name, value)
            for name in client.OFFLINE:
                patch.delenv(name, raising=False)
            patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
            patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(self.home / "hub"))
            patch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
            patch.setattr(datasets.config, "HF_DATASETS_CACHE", self.home / "datasets")
            patch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", self.home / "datasets" / "downloads")
            # An instance remembers which repositories there are, and is handed out again to whoever asks for one.
            huggingface_hub.HfFileSystem.clear_instance_cache()
            yield
        huggingface_hub.HfFileSystem.clear_instance_cache()


@contextlib.contextmanager
def serving(root: Path, port: int = 0, tokens: Mapping[str, User] = TOKENS) -> Iterator[Hub]:
    """A Hub for the length of a `with` block."""
    hub = Hub(root, port, tokens)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


def bound(port: int = 0) -> socket.socket:
    """
    A socket that holds a port of this machine, 0 for a free one, without listening yet.

    Connections are refused until a server listens, be it with this socket or with another that is bound to the same
    port in the same way: so a port can be kept for a server that comes and goes.
    """
    # With its protocol named, asyncio sends each part of an answer at once; else every answer waits 40 ms for an ACK.
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


def free_port() -> int:
    """A port that a server can take later: below those that the system gives to connections meanwhile."""
    while True:
        port = random.randint(20_000, 30_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def configured(app: App) -> uvicorn.Config:
    # An idle connection is kept: one that is closed just when a client takes it up again is a fault nobody injected.
    return uvicorn.Config(app, log_level="critical", lifespan="off", timeout_keep_alive=600)
