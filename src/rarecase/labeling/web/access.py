"""
Access control before every route, Gradio's own among them: whoever is not signed in and listed gets 401.

Gradio answers some of its routes to anybody, with `auth_dependency` too (its theme, its tokens, its events), and an
uncaught exception would be printed with its message, which could contain a text; neither passes here.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rarecase.labeling.store.roles import Roles
from rarecase.labeling.web.site import Site, on_a_space
from rarecase.web import bodies
from rarecase.web.failures import log_place

ANYWHERE = Site()

HEALTH = "/health"  # answers that the server runs, and nothing else
REVIEW = "/settle"
READING = ("GET", "HEAD", "OPTIONS")
LEAVE = "/logout"
DEVICE = "/another-device"
# What the pages read and call; uploads, queues, streams and the rest of what Gradio has are closed.
READ = ("", "config", "theme.css", "favicon.ico", "manifest.json", "robots.txt", "gradio_api/info")
FOLDERS = ("assets/", "static/", "svelte/")
CALL = "gradio_api/component_server"
MAX_BODY, MAX_FORM = 1_000_000, 10_000  # bytes: many times what the pages send, and what anybody may
WARNING = (
    "Content warning. Texts here can be distressing; depending on the data, they are about self-harm, illness or "
    "crime. Take breaks, skip what you do not want to read, and stop whenever you like."
)
_PAGE = Template(Path(__file__).with_name("sign_in.html").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class SignIn:
    """A way to sign in."""

    who: Callable[[Any], str | None]  # the name behind a request, by its session alone
    paths: frozenset[str]  # what anybody may ask for, so that they can sign in
    attach: Callable[[FastAPI], None]  # adds these paths and the session to an app
    form: Callable[[str], str]  # the HTML by which one signs in, given where one wanted to go
    moves: bool = False  # whether a second device signs in by a code that the first one shows


def sign_in_page(
    form: str,
    message: str = "",
    *,
    title: str = "Labeling",
    status: int = 401,
    base: str = "",
    back: bool = False,
    leave: bool = False,
) -> HTMLResponse:
    """The page of somebody without access: the warning, how to sign in if that helps, ways `back` and to `leave`."""
    shown = f'<p role="alert">{escape(message)}</p>' if message else ""
    shown += f'<p><a class="button" href="{base}/">To the labeling page</a></p>' if back else ""
    shown += f'<form method="post" action="{base}{LEAVE}"><button>Sign out</button></form>' if leave else ""
    page = _PAGE.substitute(title=escape(title), message=shown, form=form, warning=escape(WARNING))
    return HTMLResponse(page, status, {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"})


@dataclass
class AccessControl:
    """The middleware: who is signed in and listed reaches the app, and long bodies and exceptions pass nobody."""

    app: ASGIApp
    sign_in: SignIn
    roles: Roles
    site: Site = ANYWHERE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer_safely(scope, receive, send)
        else:  # a websocket, of which there are none
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, scope = Request(scope), _as_reached(scope, self.site)
        if refusal := await self._refusal(request):
            await refusal(scope, receive, send)
        elif request.method in READING:
            await self.app(scope, receive, send)
        else:
            most = MAX_FORM if _path(scope, self.site) in self.sign_in.paths else MAX_BODY
            try:
                receive = await bodies.received(request.headers, receive, most)
            except bodies.BodyRefused:
                refusal = PlainTextResponse(f"more than {most} bytes, or {bodies.SLOWEST:.0f} seconds", 413)
                await refusal(scope, receive, send)
            else:
                await self.app(scope, receive, send)

    async def _refusal(self, request: Request) -> Response | None:
        path = _path(request.scope, self.site)
        if not self.site.answers_to(request.headers.get("host", "")):
            return PlainTextResponse("Invalid host header", 400)
        if not path.isprintable():  # Gradio makes URLs of paths, which may not hold the rest
            return PlainTextResponse("no such page", 404)
        if request.method not in READING and _is_foreign(request, self.site):
            return PlainTextResponse("sent from another site", 403)
        if path == self.site.base:  # its links are those of a folder
            return RedirectResponse(f"{path}/")
        if path in (LEAVE, DEVICE) and request.method in READING:  # else any page elsewhere could do it, by an image
            return PlainTextResponse("this is a POST", 405)
        if path == HEALTH or path in self.sign_in.paths:
            return None
        name = await run_in_threadpool(self.sign_in.who, request)
        reviews = path == REVIEW or path.startswith(f"{REVIEW}/")
        if name and (self.roles.may_review(name) if reviews else self.roles.may_label(name)):
            return None if _is_called(request.method, path) else PlainTextResponse("the pages do not send this", 404)
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"detail": "Not authenticated"}, 401)
        if name is None:
            to = f"{REVIEW}/" if reviews else "/"
            return sign_in_page(self.sign_in.form(to), title=title_of(to))
        if reviews and self.roles.may_label(name):
            message = f"{name} may label here, and not review."
            return sign_in_page("", message, title=title_of(path), base=self.site.base, back=True)
        message = f"{name} is not on the list of this page. Its owner can add you."
        return sign_in_page("", message, base=self.site.base, leave=True)

    async def _answer_safely(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._answer(scope, receive, sending)
        except Exception as error:
            log_place(error)
            if not begun:
                await PlainTextResponse("the server failed", 500)(scope, receive, send)


def title_of(path: str) -> str:
    """The title of the page that one wants to see there."""
    return "Review" if path == REVIEW or path.startswith(f"{REVIEW}/") else "Labeling"


def _is_called(method: str, path: str) -> bool:
    """Whether the pages ask for this."""
    asked = path.removeprefix(REVIEW).strip("/")
    return (asked in READ or asked.startswith(FOLDERS)) if method in READING else asked == CALL


def _as_reached(scope: Scope, site: Site) -> Scope:
    """
    The request as people sent it to the site: at its address and below its path, whether the proxy takes that away or
    not, and without what a proxy says, which anybody could say. On a Space that is the Hub's proxy, which Gradio asks.
    """
    if on_a_space():
        return scope
    headers = [(key, value) for key, value in scope["headers"] if not key.startswith((b"x-forwarded-", b"forwarded"))]
    if not site.public:
        return {**scope, "headers": headers}
    headers = [(key, site.netloc.encode() if key == b"host" else value) for key, value in headers]
    path = site.base + _path(scope, site)
    return {**scope, "scheme": site.scheme, "root_path": site.base, "path": path, "headers": headers}


def _path(scope: Scope, site: Site) -> str:
    """The path of a request without that of the site before it, which a proxy may have taken away."""
    path: str = scope["path"]
    return path.removeprefix(site.base) if path.startswith(f"{site.base}/") else path


def _is_foreign(request: Request, site: Site) -> bool:
    """Whether a browser sends this for a page of another site."""
    origin = request.headers.get("origin")
    try:
        sent_from = origin and urlsplit(origin).netloc
    except ValueError:
        return True
    own = {request.headers.get("host"), site.netloc, *os.environ.get("SPACE_HOST", "").split(",")}
    return origin is not None and sent_from not in own - {""}
