"""Branches, tags and the history behind them."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub_server.access import part, readable, writable
from hub_server.routes_repos import REPO
from hub_server.state import MAIN, RefusedError

SORTS = {"refs/heads/": "branches", "refs/tags/": "tags", "refs/convert/": "converts", "refs/pr/": "pullRequests"}


async def refs(request: Request) -> Response:
    answer: dict[str, list[dict[str, str]]] = {sort: [] for sort in SORTS.values()}
    for ref, oid in readable(request).refs.items():
        prefix = next(prefix for prefix in SORTS if ref.startswith(prefix))
        answer[SORTS[prefix]].append({"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": oid})
    return JSONResponse(answer)


async def commits(request: Request) -> Response:
    repo = readable(request)
    return JSONResponse(
        [
            {"id": c.oid, "title": c.title, "message": c.description, "authors": [{"user": c.author}], "date": c.date}
            for c in repo.history(repo.at(part(request, "revision")))
        ]
    )


async def create_branch(request: Request) -> Response:
    repo, name = writable(request), part(request, "branch")
    start = json.loads(await request.body() or b"{}").get("startingPoint", "main")
    if f"refs/heads/{name}" in repo.refs:
        raise RefusedError(409, f"Reference already exists: refs/heads/{name}")
    repo.refs[f"refs/heads/{name}"] = repo.at(start).oid
    return JSONResponse({})


async def delete_branch(request: Request) -> Response:
    repo, ref = writable(request), f"refs/heads/{part(request, 'branch')}"
    if ref == MAIN:
        raise RefusedError(403, "Cannot delete the branch main")
    if repo.refs.pop(ref, None) is None:
        raise RefusedError(404, f"Invalid rev id: {ref}", "RevisionNotFound")
    return JSONResponse({})


async def create_tag(request: Request) -> Response:
    repo, name = writable(request), (await request.json())["tag"]
    commit = repo.at(part(request, "revision"))
    if f"refs/tags/{name}" in repo.refs:
        raise RefusedError(409, f"Tag reference exists already: refs/tags/{name}")
    repo.refs[f"refs/tags/{name}"] = commit.oid
    return JSONResponse({})


async def delete_tag(request: Request) -> Response:
    repo, ref = writable(request), f"refs/tags/{part(request, 'revision')}"
    if repo.refs.pop(ref, None) is None:
        raise RefusedError(404, f"Invalid rev id: {ref}", "RevisionNotFound")
    return JSONResponse({})


async def squash(request: Request) -> Response:
    """One commit in place of all; what it replaces is on no branch any more, but its id still finds it."""
    repo, message = writable(request), (await request.json()).get("message", "Super-squash")
    name = part(request, "branch")
    ref = name if name.startswith("refs/") else f"refs/heads/{name}"
    if name in repo.commits or f"refs/tags/{name}" in repo.refs:
        raise RefusedError(400, f"Invalid reference for a branch: {name}")
    if ref not in repo.refs:
        raise RefusedError(404, f"Invalid rev id: {name}", "RevisionNotFound")
    head = repo.commits[repo.refs[ref]]
    repo.commit(ref, None, head.tree, message, head.author)
    return JSONResponse({})


ROUTES = [
    Route(f"{REPO}/refs", refs),
    Route(f"{REPO}/commits/{{revision}}", commits),
    Route(f"{REPO}/branch/{{branch}}", create_branch, methods=["POST"]),
    Route(f"{REPO}/branch/{{branch}}", delete_branch, methods=["DELETE"]),
    Route(f"{REPO}/tag/{{revision}}", create_tag, methods=["POST"]),
    Route(f"{REPO}/tag/{{revision}}", delete_tag, methods=["DELETE"]),
    Route(f"{REPO}/super-squash/{{branch}}", squash, methods=["POST"]),
]
