"""The application: it logs each request, lets go wrong what a test wants to, and hands the rest to its route."""

import asyncio
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from hub_server import routes_commits, routes_discussions, routes_files, routes_refs, routes_repos, routes_spaces
from hub_server.faults import Fault, arrived, reset_connection
from hub_server.state import RefusedError, State, User

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class App:
    """
    The Hub as an ASGI application.

    Args:
        root (`Path`): where files are kept.
        tokens (`Mapping[str, User]`): who may sign in.

    Attributes:
        log (`list[dict]`): a record of each request: `request` (`METHOD /path`), `query`, `status` (None where the
            connection was reset), `fault` (its name, `client gone`, or None), `arrived` (whether all of one that is
            to go wrong is here), `seconds`.
        faults (`list[Fault]`): what is still to go wrong.
        crashes (`list[str]`): tracebacks of the server's own mistakes, which clients see as status 500.
    """

    def __init__(self, root: Path, tokens: Mapping[str, User]):
        self.state = State(root, tokens)
        modules = (routes_repos, routes_spaces, routes_refs, routes_discussions, routes_commits, routes_files)
        self.routes = Starlette(
            routes=[
                *(route for module in modules for route in module.ROUTES),
                Route("/{rest:path}", nowhere, methods=METHODS),
            ],
            exception_handlers={RefusedError: refuse},
        )
        self.routes.state.hub = self.state
        self.forget()

    def forget(self) -> None:
        self.log: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.crashes: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode()
        # Routes see the path as it was sent: the `%2F` in a branch's name is not the `/` that ends it.
        scope = {**scope, "path": path}
        line = f"{scope['method']} {path}"
        record = {
            "request": line,
            "query": scope["query_string"].decode(),
            "status": None,
            "fault": None,
            "arrived": False,
            "seconds": None,
        }
        self.log.append(record)
        began = time.monotonic()
        fault = next((fault for fault in self.faults if fault.hits(line)), None)
        try:
            if fault is None:
                await self.answer(scope, receive, send, record)
            else:
                record["fault"] = fault.name
                await self.go_wrong(fault, scope, receive, send, record)
        finally:
            record["seconds"] = time.monotonic() - began

    async def go_wrong(self, fault: Fault, scope: Scope, receive: Receive, send: Send, record: dict[str, Any]) -> None:
        request = receive if fault.drop == "before" else await arrived(receive)
        record["arrived"] = fault.drop != "before"
        await asyncio.sleep(fault.delay)
        if fault.drop == "after":
            await self.answer(scope, request, swallow, {})
        if fault.drop:
            await reset_connection(receive)
        elif fault.status:
            record["status"] = fault.status
            await fault.answer()(scope, request, send)
        else:
            await self.answer(scope, request, send, record)

    async def answer(self, scope: Scope, receive: Receive, send: Send, record: dict[str, Any]) -> None:
        async def noted(message: Message) -> None:
            record["status"] = message.get("status", record.get("status"))
            await send(message)

        try:
            await self.routes(scope, receive, noted)
        except ClientDisconnect:  # killed in the middle of an upload, say
            record["fault"] = "client gone"
        except Exception:  # Starlette has answered 500 by now; a test that sees it finds here why
            self.crashes.append(traceback.format_exc())


async def swallow(message: Message) -> None:
    """An answer that nobody gets."""


async def refuse(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, RefusedError)
    return JSONResponse(refused.body, refused.status, refused.headers)


async def nowhere(request: Request) -> Response:
    raise RefusedError(404, f"No such endpoint: {request.method} {request.url.path}")
