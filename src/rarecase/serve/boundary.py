"""What every request passes: its id, the key, a body that ends, and failures without a text."""

import hmac
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rarecase.serve.metrics import Metrics
from rarecase.serve.refused import Refused, is_openai
from rarecase.web import bodies
from rarecase.web.failures import log_place

OPEN = ("/", "/health", "/ready")  # to anybody, by GET
# A proxy may ask for a whole address, and a base URL may end in a slash: both are the path, and not a 404.
_BEFORE_PATH = re.compile(r"(?:https?://[^/]*)?/*", re.IGNORECASE)
_BODIES = {
    400: "the body is cut",
    408: f"the body took more than {bodies.SLOWEST:.0f} seconds",
    413: "the body has more than {most:,} bytes; send the texts in several requests",
}


@dataclass
class Boundary:
    """The middleware; `key` is empty where none is asked for, `closing` says whether the server is about to end."""

    app: ASGIApp
    paths: Collection[str]  # of its routes
    metrics: Metrics
    key: str
    max_body: int
    closing: Callable[[], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # a websocket, of which there are none
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path"] = "/" + scope["path"][_BEFORE_PATH.match(scope["path"]).end() :]  # type: ignore[union-attr]
        scope["app"] = self.app  # with one, a router raises what else it would answer
        scope.setdefault("state", {})["id"] = id_ = f"modr-{uuid4().hex}"
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = id_
                if self.closing():
                    headers["Connection"] = "close"
                # Of others there could be as many figures as requests.
                path = scope["path"] if scope["path"] in self.paths else "other"
                self.metrics.requests.labels(path, message["status"]).inc()
            await send(message)

        try:
            headers = Headers(scope=scope)
            self._check_key(scope, headers)
            receive = await bodies.received(headers, receive, self.max_body)
            await self.app(scope, receive, sending)
        except bodies.BodyRefused as refused:
            message = _BODIES[refused.status].format(most=self.max_body)
            # The rest of what is too large is read for some seconds: a client that still sends would see no answer.
            ends = {} if refused.status == 413 else {"Connection": "close"}
            await refusal(scope, Refused(refused.status, message, headers=ends))(scope, receive, sending)
        except HTTPException as none:
            await refusal(scope, _no_route(scope, none))(scope, receive, sending)
        except Refused as refused:
            await refusal(scope, refused)(scope, receive, sending)
        except Exception as error:
            log_place(error)
            if not begun:
                await refusal(scope, Refused(500, "the server failed"))(scope, receive, sending)

    def _check_key(self, scope: Scope, headers: Headers) -> None:
        if not self.key or (scope["path"] in OPEN and scope["method"] in ("GET", "HEAD")):
            return
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = [headers.get("x-api-key", ""), bearer.strip() if scheme.lower() == "bearer" else ""]
        # Either: a private Space wants a token of the Hub as Bearer.
        if not max(hmac.compare_digest(one.encode("latin-1"), self.key.encode()) for one in given):
            message = "the key is missing or wrong; send it as Bearer or x-api-key"
            raise Refused(401, message, headers={"WWW-Authenticate": "Bearer"})


def refusal(scope: Scope, refused: Refused) -> Response:
    """The reply to a request that is refused, in the shape of its path."""
    return JSONResponse(refused.as_json(scope["path"]), refused.status_at(scope["path"]), refused.headers)


def _no_route(scope: Scope, error: HTTPException) -> Refused:
    """No such path or method; under /v1 that is no 404, after which a client may send its text to somebody else."""
    if error.status_code != 404:
        return Refused(error.status_code, "this path takes another method", headers=dict(error.headers or {}))
    if is_openai(scope["path"]):
        return Refused(400, "this server has /v1/moderations alone")
    return Refused(404, "no such path")
