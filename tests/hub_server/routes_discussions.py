"""Discussions and pull requests."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub_server.access import readable, signed_in, writable
from hub_server.routes_repos import REPO
from hub_server.state import MAIN, Discussion, RefusedError, Repo, User, now


def open_pull(repo: Repo, user: User, title: str, description: str, base: str, start: str, status: str) -> Discussion:
    """A pull request with a reference of its own, which stands at `start` so far."""
    pull = _open(repo, user, title, description, status)
    pull.base, pull.start = base, start
    repo.refs[f"refs/pr/{pull.num}"] = start
    return pull


async def discussions(request: Request) -> Response:
    found = readable(request).discussions[::-1]
    page = [] if int(request.query_params.get("p", 0)) else [_json(readable(request), one) for one in found]
    return JSONResponse({"discussions": page, "count": len(found), "start": 0})


async def discussion(request: Request) -> Response:
    return JSONResponse(_json(readable(request), _named(request)))


async def create(request: Request) -> Response:
    repo, user, body = readable(request), signed_in(request), await request.json()
    title, description = body["title"], body.get("description") or ""
    if body.get("pullRequest"):
        made = open_pull(repo, user, title, description, MAIN, repo.refs[MAIN], "draft")
    else:
        made = _open(repo, user, title, description, "open")
    return JSONResponse(_json(repo, made))


async def comment(request: Request) -> Response:
    text = (await request.json())["comment"]
    event = _event(signed_in(request), "comment", _said(signed_in(request), text))
    _named(request).events.append(event)
    return JSONResponse({"newMessage": event})


async def status(request: Request) -> Response:
    one, new = _named(request), (await request.json())["status"]
    event = _event(signed_in(request), "status-change", {"status": new})
    one.status = new
    one.events.append(event)
    return JSONResponse({"newStatus": event})


async def title(request: Request) -> Response:
    one, new = _named(request), (await request.json())["title"]
    event = _event(signed_in(request), "title-change", {"from": one.title, "to": new})
    one.title = new
    one.events.append(event)
    return JSONResponse({"newTitle": event})


async def merge(request: Request) -> Response:
    """Brings what a pull request changed to the branch, if nobody changed the same files there."""
    repo, pull = writable(request), _named(request)
    if pull.base is None or pull.start is None or pull.status != "open":
        raise RefusedError(400, "Only an open pull request can be merged")
    start, head, target = repo.commits[pull.start].tree, repo.at(f"refs/pr/{pull.num}").tree, repo.at(pull.base)
    changed = {path for path in start.keys() | head.keys() if start.get(path) != head.get(path)}
    if any(target.tree.get(path) not in (start.get(path), head.get(path)) for path in changed):
        raise RefusedError(409, "This pull request has conflicts")
    tree = {path: file for path, file in target.tree.items() if path not in changed}
    tree |= {path: head[path] for path in changed if path in head}
    merged = repo.commit(pull.base, target.oid, tree, f"{pull.title} (#{pull.num})", signed_in(request).name)
    pull.status, pull.merged = "merged", merged.oid
    pull.events.append(_event(signed_in(request), "status-change", {"status": "merged"}))
    return JSONResponse({})


def _open(repo: Repo, user: User, title: str, description: str, status: str) -> Discussion:
    made = Discussion(len(repo.discussions) + 1, title, user.name, status)
    made.events.append(_event(user, "comment", _said(user, description)))
    repo.discussions.append(made)
    return made


def _named(request: Request) -> Discussion:
    held, num = readable(request).discussions, request.path_params["num"]
    if not 0 < num <= len(held):
        raise RefusedError(404, "Discussion not found")
    return held[num - 1]


def _event(user: User, sort: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{now()}-{sort}", "type": sort, "createdAt": now(), "author": {"name": user.name}, "data": data}


def _said(user: User, text: str) -> dict[str, Any]:
    latest = {"raw": text, "html": text, "updatedAt": now(), "author": {"name": user.name}}
    return {"edited": False, "hidden": False, "latest": latest, "history": [latest], "numEdits": 0}


def _json(repo: Repo, one: Discussion) -> dict[str, Any]:
    about = {
        "num": one.num,
        "title": one.title,
        "author": {"name": one.author},
        "createdAt": one.created,
        "status": one.status,
        "isPullRequest": one.base is not None,
        "repo": {"name": repo.id, "type": repo.kind},
        "events": one.events,
    }
    if one.base is not None:
        merged = {"mergeCommitId": one.merged} if one.merged else {}
        about |= {"changes": {"base": one.base, **merged}, "filesWithConflicts": [], "diff": ""}
    return about


ONE = f"{REPO}/discussions/{{num:int}}"
ROUTES = [
    Route(f"{REPO}/discussions", discussions),
    Route(f"{REPO}/discussions", create, methods=["POST"]),
    Route(ONE, discussion),
    Route(f"{ONE}/comment", comment, methods=["POST"]),
    Route(f"{ONE}/status", status, methods=["POST"]),
    Route(f"{ONE}/title", title, methods=["POST"]),
    Route(f"{ONE}/merge", merge, methods=["POST"]),
]
