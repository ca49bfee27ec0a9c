"""Mutated requests to the page of a label server: by people who are signed in and by anybody, as bytes on a socket."""

import contextlib
import functools
import io
import json
import logging
import socket
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit

import labelers
from labelers import Client, act, vote

from fuzz import blocks, good
from fuzz.blocks import NOBODY, Act
from fuzz.http_requests import FIELDS, METHODS, QUIET
from fuzz.mutators import Rng, bytes_mutated, choice, head_mutated, json_mutated, token, value_mutated
from rarecase.labeling.store.roles import Roles
from rarecase.labeling.web import sign_in

CASES = 10_000
PEOPLE = ("olga", "ann", "bob", "dan")
PATHS = [
    *(
        "/",
        "/config",
        "/settle",
        "/settle/",
        "/settle/config",
        "/health",
        "/theme.css",
        "/robots.txt",
        "/manifest.json",
    ),
    *("/gradio_api/info", "/gradio_api/queue/status", "/gradio_api/file=/etc/hostname", "/static/img/logo.svg"),
    *("/gradio_api/proxy=http://127.0.0.1:9/", "/assets/index.js", "/favicon.ico", "/docs", "/no/such/page"),
    *("/gradio_api/startup-events", "/gradio_api/app_id", "/gradio_api/heartbeat/abc", "/gradio_api/deep_link"),
]
POSTED = [
    *("/gradio_api/component_server", "/gradio_api/queue/join", "/gradio_api/call/say", "/gradio_api/run/say"),
    *("/gradio_api/api/say", "/gradio_api/upload", "/gradio_api/reset", "/gradio_api/cancel", "/login", "/settle/"),
]


class Place:
    """A page with texts, and people who are signed in, the last of whom signs in and out again."""

    def __init__(self, within: ExitStack, roles: Roles, base: str) -> None:
        store = Path(tempfile.mkdtemp(prefix="fuzz-page-")) / "labels.sqlite"
        texts = [f"{row['text']} {i}" for i in range(20) for row in good.posts("pool")]
        labelers.fill(store, texts, good.NAMES)
        url = within.enter_context(labelers.running(store, base=base, roles=roles))
        self.base, self.address = base, ("127.0.0.1", urlsplit(url).port)
        self.codes = labelers.service(store).give_codes(roles.names)
        people = [Client(url) for _ in PEOPLE]
        for person, name in zip(people, PEOPLE, strict=True):
            proof = {"code": self.codes[name]} if self.codes else {"name": name}
            assert person.http.post("/sign-in", data=proof).status_code == 303
        self.items = [one["item"] for person in people[:-1] for one in person.say()["queue"]]
        self.cookies = ["; ".join(f"{n}={v}" for n, v in person.http.cookies.items()) for person in people]
        self.components = {page: component(people[0], page) for page in ("", "/settle")}


class World:
    """A page for this machine, one by links behind a proxy, and what the servers log."""

    def __init__(self) -> None:
        sign_in.SIGN_INS = CASES  # a minute: not what is tried here
        self.within = ExitStack()
        listed = Roles(owners=("olga",), annotators=("ann", "bob", "dan"))
        self.places = [Place(self.within, labelers.EVERYBODY, ""), Place(self.within, listed, "/labels")]
        self.log = io.StringIO()
        for name in ("", "uvicorn"):
            logging.getLogger(name).addHandler(logging.StreamHandler(self.log))


def component(person: Client, page: str) -> int:
    """The number of the part of a page that has functions of the server."""
    config = person.http.get(f"{page}/config").json()
    return next(one["id"] for one in config["components"] if one["props"].get("server_fns"))


@functools.cache
def world() -> World:
    """That of this process."""
    return World()


def act_of(rng: Rng, place: Place) -> dict[str, object]:
    """Something that a page may send."""
    item = choice(rng, [*place.items, "no-such", "../x"])
    kind = choice(rng, ["vote", "skip", "flag", "comment", "decline", "undo"])
    more = {"comment": {"text": choice(rng, ["why", NOBODY * 100])}, "decline": {"classes": ["storm"]}}
    made = vote(item, choice(rng, good.NAMES)) if kind == "vote" else act(kind, item=item, **more.get(kind, {}))
    return made | {"event": str(uuid.UUID(bytes=rng.bytes(16), version=4))}


def asked(rng: Rng, place: Place) -> tuple[str, str, list[str], bytes]:
    """Method, path, header and body of a request as the page, a browser or a curious person would send it."""
    draw = rng.random()
    if draw < 0.55:
        page, name = choice(rng, [("", "say"), ("", "say"), ("/settle", "settle")])
        data = {"acts": [act_of(rng, place) for _ in range(int(rng.integers(3)))], "have": place.items[:2]}
        if name == "settle":
            event = {"event": str(uuid.UUID(bytes=rng.bytes(16), version=4))}
            data = choice(rng, [{"item": choice(rng, place.items), "label": "storm"}, {"undo": ""}]) | event
        body = {"data": value_mutated(rng, data), "component_id": place.components[page], "fn_name": name}
        content = json.dumps(body | {"session_hash": "abc"}).encode()
        content = content if rng.random() < 0.7 else json_mutated(rng, content)
        return "POST", f"{page}/gradio_api/component_server/", ["Content-Type: application/json"], content
    if draw < 0.65:
        codes = [code.encode() for code in place.codes.values()][-1:]
        proof = choice(rng, [token(rng), "аnn".encode(), b"dan", b"a" * 65, b"ANN", b"ann%00", *codes])
        if rng.random() < 0.2:
            return "GET", "/sign-in?code=" + quote(proof), [], b""
        form = ["Content-Type: application/x-www-form-urlencoded"]
        path = choice(rng, ["/sign-in", "/sign-in?to=/settle/", "/sign-in?to=//evil", "/logout"])
        return "POST", path, form, choice(rng, [b"name=", b"code="]) + proof
    if draw < 0.75:
        body = json.dumps(value_mutated(rng, {"data": [], "fn_index": 0, "session_hash": "a", "fn_name": "say"}))
        return (
            "POST",
            choice(rng, ["", "/settle"]) + choice(rng, POSTED),
            ["Content-Type: application/json"],
            body.encode(),
        )
    path = choice(rng, ["", "/settle"]) + choice(rng, PATHS)
    if rng.random() < 0.3:
        path += choice(
            rng,
            ["/..", "%2e%2e/%2e%2e/etc/passwd", "?a=" + quote(token(rng)), "/" * 500, "%00", "%", "?" + "a" * 9000],
        )
    return "GET", path, [], b""


def case(rng: Rng, folder: Path) -> tuple[str, Act]:
    place = choice(rng, world().places)
    method, path, fields, body = asked(rng, place)
    cookies = place.cookies[-1:] if path.startswith(("/sign-in", "/logout")) else place.cookies[:-1]
    if place.base and rng.random() < 0.5:  # a proxy may strip it, or not
        path = place.base + path
    if rng.random() < 0.1:
        method = choice(rng, METHODS)
    fields = ["Host: 127.0.0.1", "Connection: close", *fields]
    if rng.random() < 0.8:
        fields.append(f"Cookie: {choice(rng, cookies)}")
    if rng.random() < 0.1:
        fields.append(choice(rng, FIELDS))
    fields += [f"Content-Length: {len(body)}"] * bool(body)
    request = "\r\n".join([f"{method} {path} HTTP/1.1", *fields]).encode("latin-1", "replace") + b"\r\n\r\n" + body
    whole = True
    if rng.random() < 0.25:
        whole = False
        request = choice(rng, [head_mutated, bytes_mutated])(rng, request)
    return f"{method[:8]} {path[:60]}", lambda: tried(place, request, whole)


def tried(place: Place, request: bytes, whole: bool) -> bytes:
    """Sends it and checks the answer: nothing failed in the server, and it goes on."""
    world().log.seek(0)
    world().log.truncate()
    answer = answered(place, request, blocks.LONGEST if whole else QUIET)
    said = world().log.getvalue()
    failed = answer.startswith(b"HTTP/1.1 5") or any(sign in said for sign in ("Traceback", " in /", NOBODY))
    if failed or (whole and not answer):
        raise AssertionError(f"{said.strip()[-400:] or 'without a word'} {answer[:40]!r}")
    return answer


def answered(place: Place, request: bytes, patience: float) -> bytes:
    """What comes back, to the end of the connection or of patience; of what goes on for ever the head."""
    answer = b""
    with socket.create_connection(place.address, timeout=patience) as connection, contextlib.suppress(OSError):
        connection.sendall(request)
        while piece := connection.recv(1 << 16):
            answer += piece
            if b"text/event-stream" in answer:
                break
    return answer


def main() -> None:
    blocks.main(case, CASES, world)


if __name__ == "__main__":
    main()
