"""
Access control before every route, Gradio's own among them: whoever is not signed in and listed gets 401.

Gradio answers some of its routes to anybody, with `auth_dependency` too (its theme, its tokens, its events), and an
uncaught exception would be printed with its message, which could contain a text; neither passes here.
"""

import logging
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rarecase.labeling.store.roles import Roles

logger = logging.getLogger(__name__)

HEALTH = "/health"  # answers that the server runs, and nothing else
REVIEW = "/settle"
READING = ("GET", "HEAD", "OPTIONS")
MAX_BODY = 1_000_000  # bytes: many times what the pages send
WARNING = (
    "Content warning. The texts here may speak of self-harm, illness, crime and distress. Take breaks, skip what you "
    "do not want to read, and stop whenever you like."
)
_PAGE = Template(Path(__file__).with_name("sign_in.html").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class SignIn:
    """A way to sign in."""

    who: Callable[[Any], str | None]  # the name behind a request, by its session alone
    paths: frozenset[str]  # what anybody may ask for, so that they can sign in
    attach: Callable[[FastAPI], None]  # adds these paths and the session to an app
    form: Callable[[str], str]  # the HTML by which one signs in, given where one wanted to go


def sign_in_page(
    form: str, message: str = "", *, status: int = 401, back: bool = False, leave: bool = False
) -> HTMLResponse:
    """
    The page of somebody who has no access: the content warning, and how to sign in.

    Args:
        form (`str`): HTML by which one signs in; empty where that would not help.
        message (`str`): for the person, as text.
        status (`int`): of the answer.
        back (`bool`): whether they may use the labeling page.
        leave (`bool`): whether they may want to sign in as somebody else.
    """
    shown = f'<p role="alert">{escape(message)}</p>' if message else ""
    shown += '<p><a class="button" href="/">To the labeling page</a></p>' if back else ""
    shown += '<p><a class="button" href="/logout">Sign out</a></p>' if leave else ""
    page = _PAGE.substitute(message=shown, form=form, warning=escape(WARNING))
    return HTMLResponse(page, status, {"Cache-Control": "no-store"})


@dataclass
class AccessControl:
    """The middleware: who is signed in and listed reaches the app, and long bodies and exceptions pass nobody."""

    app: ASGIApp
    sign_in: SignIn
    roles: Roles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer_safely(scope, receive, send)
        else:  # a websocket, of which there are none
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if refusal := await self._refusal(request):
            await refusal(scope, receive, send)
        elif request.method in READING:
            await self.app(scope, receive, send)
        elif body := await _body(request.headers, receive):
            await self.app(scope, body, send)
        else:
            await PlainTextResponse(f"more than {MAX_BODY} bytes", 413)(scope, receive, send)

    async def _refusal(self, request: Request) -> Response | None:
        path = request.scope["path"]
        if request.method not in READING and _is_foreign(request):
            return PlainTextResponse("sent from another site", 403)
        if path == HEALTH or path in self.sign_in.paths:
            return None
        name = await run_in_threadpool(self.sign_in.who, request)
        reviews = path == REVIEW or path.startswith(f"{REVIEW}/")
        if name and (self.roles.may_review(name) if reviews else self.roles.may_label(name)):
            return None
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"detail": "Not authenticated"}, 401)
        if name is None:
            return sign_in_page(self.sign_in.form(f"{REVIEW}/" if reviews else "/"))
        if reviews and self.roles.may_label(name):
            return sign_in_page("", f"{name} may label here, and not review.", back=True)
        return sign_in_page("", f"{name} is not on the list of this page. Its owner can add you.", leave=True)

    async def _answer_safely(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._answer(scope, receive, sending)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("%s in %s, line %s", type(error).__name__, place.filename, place.lineno)
            if not begun:
                await PlainTextResponse("the server failed", 500)(scope, receive, send)


async def _body(headers: Headers, receive: Receive) -> Receive | None:
    """Receives the whole body, to be received again; None where it is too long, by its header or in fact, or cut."""
    if int(headers.get("content-length", 0)) > MAX_BODY:
        return None
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY or message["type"] != "http.request":
            return None
        more = message.get("more_body", False)
    whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again


def _is_foreign(request: Request) -> bool:
    """Whether a browser sends this for a page of another site."""
    origin = request.headers.get("origin")
    own = {request.headers.get("host"), *os.environ.get("SPACE_HOST", "").split(",")}
    return origin is not None and urlsplit(origin).netloc not in own - {""}
