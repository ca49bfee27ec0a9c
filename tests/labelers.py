"""Label stores of the shipped sample and who labels them: servers, and people without a browser."""

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import small
import uvicorn
from hub_server.server import bound

from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.store.desk import Desk
from rarecase.labeling.store.log import Log
from rarecase.labeling.store.roles import Everybody
from rarecase.labeling.store.state import Settings
from rarecase.labeling.store.store import open_store
from rarecase.labeling.web.qualify import add_known
from rarecase.labeling.web.server import application

SERVE = """
import sys, json
from pathlib import Path
from rarecase.labeling.web import serve
from rarecase.labeling.store.state import Settings
said = json.loads(sys.argv[1])
paths = {name: said[name] and Path(said[name]) for name in ("qualify", "roles")}
serve(said["store"], port=said["port"], settings=Settings(**said["settings"]), **paths)
"""
LAUNCH = """
import sys
from pathlib import Path
from rarecase.labeling.web import launch
launch(Path(sys.argv[1]))
"""
NAMES = small.NAMES
TWO_VOTES = Settings(votes=2)


def posts(count: int) -> list[str]:
    """Texts of the sample."""
    return small.table("pool")["text"][:count]


def desk(store: Path | str) -> Desk:
    """The desk of a store, in this process."""
    return Desk(Log(str(store)))


def fill(store: Path | str, texts: Sequence[str], names: Sequence[str] = NAMES, **said: Any) -> None:
    """Puts texts into a store."""
    desk(store).add("b1", names, [{"row": f"r{i}", "text": text, **said} for i, text in enumerate(texts)])


@contextlib.contextmanager
def running(store: Path | str, settings: Settings = TWO_VOTES, qualify: Path | None = None) -> Iterator[str]:
    """The address of the page while it is served by a thread of this process, which takes no time to start."""
    listening, served = bound(), open_store(str(store))
    served.desk.start(settings)
    if qualify:
        add_known(served.desk, qualify, calibrate=settings.calibrate_every > 0)
    app = application(served, Everybody(), Taxonomy.default())
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        served.close()


@contextlib.contextmanager
def serving(
    store: Path | str,
    log: Path,
    *,
    settings: Settings = TWO_VOTES,
    qualify: Path | None = None,
    roles: Path | None = None,
    port: int = 0,
    **environment: str,
) -> Iterator[str]:
    """The address of the page while a process of its own serves it; what the process says goes to `log`."""
    said = {"store": str(store), "port": port, "settings": asdict(settings)}
    said |= {"qualify": qualify and str(qualify), "roles": roles and str(roles)}
    with _process(SERVE, json.dumps(said), log, environment) as url:
        yield url


@contextlib.contextmanager
def launched(space: Path, log: Path, **environment: str) -> Iterator[str]:
    """The address of the page while the folder of a Space is served, as its app.py does it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with _process(LAUNCH, str(space), log, environment | {"GRADIO_SERVER_PORT": port}) as url:
        yield url


@contextlib.contextmanager
def _process(code: str, argument: str, log: Path, environment: Mapping[str, str]) -> Iterator[str]:
    with log.open("ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-c", code, argument],
            env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address(process, log, begin)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def _address(process: subprocess.Popen, log: Path, begin: int) -> str:
    for _ in range(1200):
        said = log.read_text()[begin:]
        assert process.poll() is None, said
        if found := re.search(r"http://[\d.]+:(\d+)", said):
            url = f"http://127.0.0.1:{found[1]}"
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=10):
                return url
        time.sleep(0.1)
    raise AssertionError(f"no answer within two minutes:\n{log.read_text()}")


class Client:
    """
    Somebody without a browser who makes the page's own calls.

    Args:
        url (`str`): of the page.
        name (`str`, *optional*): to sign in by; None of somebody who has a cookie already, or none.
        cookie (`str`): of a session that exists.
    """

    def __init__(self, url: str, name: str | None = None, cookie: str = ""):
        headers = {"Cookie": cookie} if cookie else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60, follow_redirects=False)
        self.session = secrets.token_hex(5)
        if name:
            assert self.http.post("/sign-in", data={"name": name}).status_code == 303
        self._ids: dict[str, int] = {}

    def say(self, *acts: dict[str, Any], have: Sequence[str] = (), **whose: Any) -> dict[str, Any]:
        """What the labeling page sends and is told."""
        return self._called("", "say", {"acts": list(acts), "have": list(have), **whose}).json()

    def settle(self, **data: Any) -> dict[str, Any]:
        """What the adjudicator's page sends and is told."""
        return self._called("/settle", "settle", data).json()

    def _called(self, page: str, function: str, data: Any) -> httpx.Response:
        if page not in self._ids:
            config = self.http.get(f"{page}/config").raise_for_status().json()
            found = [c["id"] for c in config["components"] if function in c["props"].get("server_fns", [])]
            self._ids[page] = found[0]
        body = {"data": data, "component_id": self._ids[page], "fn_name": function, "session_hash": self.session}
        return self.http.post(f"{page}/gradio_api/component_server/", json=body).raise_for_status()


def act(kind: str, **more: Any) -> dict[str, Any]:
    """An act as the page makes one."""
    return {"kind": kind, "event": str(uuid.uuid4()), **more}


def vote(item: str, label: str) -> dict[str, Any]:
    """A vote as the page makes one."""
    return act("vote", item=item, label=label, seconds=1.5)
