"""A guard that is served by a thread of this process, and requests to it over one connection."""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from by_word import OWN, ByWord
from hub_server.server import bound
from serve import schemas

from rarecase.guard.guard import Guard
from rarecase.serve.audit import Audit
from rarecase.serve.batching import Batcher
from rarecase.serve.metrics import Metrics
from rarecase.serve.server import DrainingServer


@dataclass
class Served:
    """Where it is."""

    port: int
    server: DrainingServer
    batcher: Batcher
    key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, body: Any = None, method: str = "", **headers: str
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """The status, the JSON (or text) and the headers of a reply; a body that is no bytes is sent as JSON."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            sent = {"x-api-key": self.key} | {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method or ("GET" if body is None else "POST"), path, content, sent)
            reply = connection.getresponse()
            said = reply.read()
            if not reply.headers.get("content-type", "").startswith("application/json"):
                return reply.status, said.decode(), reply.headers
            schemas.check(schemas.path_of(path), reply.status, found := json.loads(said))
            return reply.status, found, reply.headers


@contextlib.contextmanager
def served(
    guard: Guard | None = None, *, key: str = "", sends: str = "", max_body: int = 1 << 20, audit: Path | None = None
) -> Iterator[Served]:
    """Serves it; by default the scores stand in the texts, `… 0.9 0 0 0.1`; requests bring `sends`, or the key."""
    listening, metrics = bound(), Metrics()
    batcher = Batcher(guard or Guard(ByWord(), OWN), metrics)
    server = DrainingServer(batcher, "guard@1", key, max_body, audit and Audit(audit, metrics))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    there = Served(listening.getsockname()[1], server, batcher, sends or key)
    try:
        while not server.started or there.ask("/ready")[0] != 200:
            time.sleep(0.005)
        yield there
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
