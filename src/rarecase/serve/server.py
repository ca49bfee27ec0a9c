"""The process of a guard that is served: checks, loading, listening, and an end that loses no request."""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from rarecase.core.errors import ConfigError
from rarecase.guard.guard import Guard
from rarecase.serve import KEY
from rarecase.serve.app import application
from rarecase.serve.audit import Audit
from rarecase.serve.batching import WARM_UP, Batcher
from rarecase.serve.metrics import Metrics
from rarecase.web.address import bound, is_loopback
from rarecase.web.connections import BACKLOG, HEAD, ImpatientProtocol

DRAIN = 1.0  # seconds in which connections that are open already may bring a last request
LONGEST_DRAIN = 60  # seconds for what is being answered


@dataclass(frozen=True)
class Serving:
    """How a guard is served."""

    host: str = "127.0.0.1"  # beyond this machine it needs a key
    port: int = 8000
    max_body: int = 1 << 20  # bytes of a request
    audit: Path | None = None  # a file to which verdicts are added, without texts


def serve(load: Callable[[], Guard], name: str, serving: Serving) -> None:
    """Serves a guard until it is stopped; `load` gives it once it is known that it can be served."""
    key, metrics = os.environ.get(KEY, "").strip(), Metrics()
    with ExitStack() as opened:
        listening = opened.enter_context(bound(serving.host, serving.port))
        if not key and not is_loopback(listening.getsockname()[0]):
            raise ConfigError(
                f"--host {serving.host}: anybody who reaches it could use the guard; set the variable {KEY} to a key "
                "that requests have to bring"
            )
        audit = None if serving.audit is None else Audit(serving.audit, metrics)
        guard = load()
        _try(guard)
        gc.freeze()  # else each larger request would have all modules and the model searched for garbage
        server = DrainingServer(Batcher(guard, metrics), f"{name}@{guard.revision}", key, serving.max_body, audit)
        shown = f"[{serving.host}]" if ":" in serving.host else serving.host
        print(f"the guard is at http://{shown}:{listening.getsockname()[1]}", file=sys.stderr)
        server.run(sockets=[listening])


def _try(guard: Guard) -> None:
    """
    A model that cannot score ends the server here, in one line; else only a thread would know.

    What torch computes with beside a thread stays as long as that thread, and slows down all others by a third: so it
    is one that ends.
    """
    with ThreadPoolExecutor(1) as executor:
        executor.submit(guard.scores, [WARM_UP]).result()


class DrainingServer(uvicorn.Server):
    """A server that ends in order: what has arrived is answered, and connections are closed by their answer."""

    draining = False

    def __init__(self, batcher: Batcher, model: str, key: str, max_body: int, audit: Audit | None):
        app = application(batcher, model, key=key, max_body=max_body, audit=audit, closing=lambda: self.draining)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=LONGEST_DRAIN,
            timeout_keep_alive=int(HEAD),
            backlog=BACKLOG,
            http=ImpatientProtocol,
            ws="none",
            proxy_headers=False,
            workers=1,
        )
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes no new connections, answers those that are there, and ends."""
        self.draining = True
        for listening in sockets or []:
            listening.listen(0)  # the system refuses the next; those that it has taken are accepted below
        await asyncio.sleep(DRAIN)
        await super().shutdown(sockets)
