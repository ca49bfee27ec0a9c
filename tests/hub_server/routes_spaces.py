"""What a Space is run with: its variables, which can be read, its secrets, which cannot, and whether it would run."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub_server import cards
from hub_server.access import readable, state, writable
from hub_server.routes_repos import REPO
from hub_server.state import RefusedError, Repo, now


async def variables(request: Request) -> Response:
    return JSONResponse(await _changed(request, _space(request).variables))


async def hidden(request: Request) -> Response:
    """Secrets: nothing tells the value once it is set."""
    known = await _changed(request, _space(request).secrets)
    return JSONResponse({key: {k: v for k, v in about.items() if k != "value"} for key, about in known.items()})


async def runtime(request: Request) -> Response:
    """Nothing is run here; but what could not be is told from what could."""
    tree = readable(request).at("main").tree
    card = cards.metadata(state(request).read(tree["README.md"]).decode()) if "README.md" in tree else {}
    default = {"docker": "Dockerfile", "static": "index.html"}.get(card.get("sdk", ""), "app.py")
    found = card.get("app_file", default) in tree
    stage = "CONFIG_ERROR" if "sdk" not in card else "BUILDING" if found else "NO_APP_FILE"
    return JSONResponse({"stage": stage, "hardware": {"current": None, "requested": "cpu-basic"}})


def _space(request: Request) -> Repo:
    repo = writable(request)
    if repo.kind != "space":
        raise RefusedError(404, f"{repo.id} is no Space")
    return repo


async def _changed(request: Request, values: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The values, after what the request wants done to them."""
    if request.method == "POST":
        body = await request.json()
        if not re.fullmatch(r"[a-zA-Z][_a-zA-Z0-9]*", body["key"]):
            raise RefusedError(400, f'"key" with value "{body["key"]}" fails to match the required pattern')
        values[body["key"]] = {**body, "updatedAt": now()}
    elif request.method == "DELETE":
        values.pop((await request.json())["key"], None)
    return values


ROUTES = [
    Route(f"{REPO}/variables", variables, methods=["GET", "POST", "DELETE"]),
    Route(f"{REPO}/secrets", hidden, methods=["GET", "POST", "DELETE"]),
    Route(f"{REPO}/runtime", runtime),
]
