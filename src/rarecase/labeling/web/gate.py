"""
What stands in front of every route, Gradio's own among them: whoever is not signed in and listed gets 401.

Gradio answers some of its routes to anybody, with `auth_dependency` too (its theme, its tokens, its events), and an
exception that nobody caught would be printed with its words, which could hold a text; neither passes here.
"""

import logging
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rarecase.labeling.store.roles import Roles
from rarecase.labeling.web.door import door

logger = logging.getLogger(__name__)

HEALTH = "/health"  # says that the server runs, and nothing else
SETTLE = "/settle"
READING = ("GET", "HEAD", "OPTIONS")
LONGEST = 1_000_000  # bytes of a body: many times what the pages send


@dataclass(frozen=True)
class SignIn:
    """
    A way to sign in.

    Args:
        who (`Callable`): the name behind a request, by its session alone; None of nobody.
        paths (`frozenset[str]`): what anybody may ask for, so that they can sign in.
        attach (`Callable`): adds these paths and the session to an app.
        form (`Callable`): the HTML by which one signs in, given where one wanted to go.
    """

    who: Callable[[Any], str | None]
    paths: frozenset[str]
    attach: Callable[[FastAPI], None]
    form: Callable[[str], str]


class Gate:
    """
    The middleware.

    Args:
        app (`ASGIApp`): what is behind it.
        sign_in (`SignIn`): how one signs in.
        roles (`Roles`): who is listed.
    """

    def __init__(self, app: ASGIApp, sign_in: SignIn, roles: Roles):
        self.app = app
        self.sign_in = sign_in
        self.roles = roles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._quietly(self._answer, scope, receive, send)
        else:  # a websocket, of which there are none
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if refused := await self._refused(request):
            await refused(scope, receive, send)
        elif request.method in READING:
            await self.app(scope, receive, send)
        elif body := await _body(request.headers, receive):
            await self.app(scope, body, send)
        else:
            await PlainTextResponse(f"more than {LONGEST} bytes", 413)(scope, receive, send)

    async def _refused(self, request: Request) -> Response | None:
        path = request.scope["path"]
        if request.method not in READING and _is_foreign(request):
            return PlainTextResponse("sent from another site", 403)
        if path == HEALTH or path in self.sign_in.paths:
            return None
        name = await run_in_threadpool(self.sign_in.who, request)
        settling = path == SETTLE or path.startswith(f"{SETTLE}/")
        if name and (self.roles.may_settle(name) if settling else self.roles.may_label(name)):
            return None
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"detail": "Not authenticated"}, 401)
        if name is None:
            return door(self.sign_in.form(f"{SETTLE}/" if settling else "/"))
        if settling and self.roles.may_label(name):
            return door("", f"{name} may label here, and not settle.", back=True)
        return door("", f"{name} is not on the list of this page. Whoever runs it can add you.", leave=True)

    async def _quietly(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, sending)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("%s in %s, line %s", type(error).__name__, place.filename, place.lineno)
            if not begun:
                await PlainTextResponse("the server failed", 500)(scope, receive, send)


async def _body(headers: Headers, receive: Receive) -> Receive | None:
    """Receives a body again, all of it at once; None where it is too long, by its header or in fact, or cut off."""
    if int(headers.get("content-length", 0)) > LONGEST:
        return None
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LONGEST or message["type"] != "http.request":
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
