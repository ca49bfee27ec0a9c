"""Label stores of the shipped sample and who labels them: servers, people in a browser, and people without one."""

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import small
from hub_server.server import bound, free_port

from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.known_answers import add_known_answers
from rarecase.labeling.store.label_store import open_store
from rarecase.labeling.store.roles import Everybody, Roles
from rarecase.labeling.store.service import LabelService, Row
from rarecase.labeling.store.settings import Settings
from rarecase.labeling.web.server import application, server
from rarecase.labeling.web.site import Site

SERVE = """
import sys, json
from pathlib import Path
from rarecase.labeling.web import serve
from rarecase.labeling.store.settings import Settings
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
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
PATIENCE = 120_000  # milliseconds that a page is waited for, on a machine that is busy with something else
# Each key that goes down, and the text that was on the screen then.
WATCH = """window.PRESSED = []; addEventListener('keydown',
  e => PRESSED.push([e.key, document.querySelector('#post')?.dataset.item ?? null]), true);"""
EVERYBODY = Everybody()
ONE_VOTE, TWO_VOTES = Settings(votes=1), Settings(votes=2)


def posts(count: int) -> list[str]:
    """Texts of the sample."""
    return small.table("pool")["text"][:count]


def service(store: Path | str, clock: Callable[[], float] = time.time) -> LabelService:
    """The service of a store, in this process."""
    return LabelService(EventLog(str(store), clock=clock))


def fill(store: Path | str, texts: Sequence[str], names: Sequence[str] = NAMES, **said: Any) -> None:
    """Puts texts into a store."""
    service(store).add("b1", names, [Row(f"r{i}", text, **said) for i, text in enumerate(texts)])


@contextlib.contextmanager
def running(
    store: Path | str,
    settings: Settings = TWO_VOTES,
    qualify: Path | None = None,
    clock: Callable[[], float] = time.time,
    base: str = "",
    roles: Roles = EVERYBODY,
) -> Iterator[str]:
    """
    The address of the page while it is served by a thread of this process, which takes no time to start; `base` is the
    path that a proxy would have before it.
    """
    listening, served = bound(), open_store(str(store))
    served.service.log.clock = clock
    served.service.start(settings)
    if qualify:
        add_known_answers(served.service, qualify, calibrate=settings.calibrate_every > 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}{base}"
    site = Site(local=True, public=url if base else "")
    app = application(served, roles, Taxonomy.default(), site)
    running = server(app, site)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.005)
    try:
        yield url
    finally:
        running.should_exit = True
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
    port = str(free_port())
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
        assert process.wait(120) == 0


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


def item(page):
    """The text on the page."""
    return page.locator("#post").get_attribute("data-item")


def press(page, key):
    """Presses a key, and waits until the text that it is about is gone."""
    page.locator("#post[data-item]").wait_for()
    before = item(page)
    page.keyboard.press(key)
    page.wait_for_function("before => document.querySelector('#post').dataset.item !== before", arg=before)
    return before


def told(page, text):
    """Waits until the page says this."""
    page.locator("#told", has_text=text).wait_for()


def keep_told(page):
    """Keeps all that is told from now on: an answer of the server may take its place within milliseconds."""
    page.evaluate(
        "window.TOLD = []; const told = document.querySelector('#told');"
        "new MutationObserver(() => TOLD.push(told.textContent)).observe("
        "told, {childList: true, characterData: true, subtree: true})"
    )


def was_told(page, text):
    """Waits until the page has said this since `keep_told`."""
    page.wait_for_function("text => TOLD.some(line => line.includes(text))", arg=text)


def saved(page):
    """Waits until the server has every answer."""
    page.wait_for_function("document.querySelector('#unflushed').textContent === '0'")


def votes(server):
    """Of each item that has any, who said what."""
    with server.service.state() as state:
        return {i.id: {v.person: v.label for v in i.votes.values()} for i in state.items.values() if i.votes}


def shown_kappa(page, wanted):
    """Waits until the page shows this agreement."""
    page.wait_for_function("wanted => document.querySelector('#kappa').textContent === wanted", arg=wanted)


def as_other(page, server, name):
    """Signs somebody in with another tab of the same browser."""
    page.context.request.post(f"{server.url}/logout")
    page.context.request.post(f"{server.url}/sign-in", form={"name": name})


def look(page):
    """Lets the page see at once how things stand."""
    page.evaluate("dispatchEvent(new Event('online'))")


@contextlib.contextmanager
def signed_in(browser, url, name, to="/", **options):
    """The page in a browser of its own; at the end it has asked nobody else for anything, nor complained."""
    context = browser.new_context(**{"viewport": SIZES["desktop"], **options})
    context.set_default_timeout(PATIENCE)
    context.add_init_script(WATCH)
    page = context.new_page()
    wrong = []
    page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else wrong.append(r.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url + to, wait_until="domcontentloaded")
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Sign in").click()
    yield page
    assert page.evaluate("window.RAN") is None
    assert wrong == []
    context.close()


@contextlib.contextmanager
def labeling(browser, server, name="ann", **options):
    """The page of somebody who has a text on it."""
    with signed_in(browser, server.url, name, **options) as page:
        page.locator("#post[data-item]").wait_for()
        yield page


@contextlib.contextmanager
def served(tmp_path, texts, names=NAMES, settings=ONE_VOTE, clock=time.time, **row):
    """A page that shows these texts, and the service of its store."""
    store = tmp_path / "labels.sqlite"
    fill(store, texts, names, **row)
    with running(store, settings, clock=clock) as url:
        yield SimpleNamespace(url=url, service=service(store, clock))
