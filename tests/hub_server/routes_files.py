"""Reading: what files there are, and their bytes."""

import hmac
import json
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from hub_server.access import base, check_download, part, readable, state
from hub_server.routes_repos import REPO
from hub_server.state import Commit, RefusedError, Repo, State, folders

PAGE = 1000


async def tree(request: Request) -> Response:
    """The entries below a folder, a page at a time."""
    repo, asked = readable(request), request.query_params
    commit = repo.at(part(request, "revision"))
    folder = part(request, "path") if "path" in request.path_params else ""
    inside = folders(commit.tree)
    if folder and folder not in inside:
        raise RefusedError(404, f"{folder} does not exist", "EntryNotFound")
    prefix = f"{folder}/" if folder else ""
    paths = sorted(path for path in [*commit.tree, *inside] if path.startswith(prefix))
    if asked.get("recursive", "").lower() != "true":
        paths = [path for path in paths if "/" not in path.removeprefix(prefix)]
    start, size = int(asked.get("cursor", 0)), min(int(asked.get("limit", PAGE)), PAGE)
    headers = {"X-Repo-Commit": commit.oid}
    if start + size < len(paths):
        following = request.url.include_query_params(cursor=start + size).query
        headers["Link"] = f'<{base(request)}{request.scope["path"]}?{following}>; rel="next"'
    expand = asked.get("expand", "").lower() == "true"
    return JSONResponse(
        [_entry(repo, commit, path, inside, expand) for path in paths[start : start + size]], 200, headers
    )


async def paths_info(request: Request) -> Response:
    repo = readable(request)
    commit = repo.at(part(request, "revision"))
    asked = parse_qs((await request.body()).decode())
    expand, inside = asked.get("expand", [""])[0].lower() == "true", folders(commit.tree)
    paths = [path.strip("/") for path in asked.get("paths", [])]
    found = [path for path in paths if path in commit.tree or path in inside]
    return JSONResponse([_entry(repo, commit, path, inside, expand) for path in found])


async def resolve(request: Request) -> Response:
    """The bytes of a file; for a large one, where to get them."""
    repo, rest = readable(request), request.path_params["rest"].split("/")
    if rest[0] == "refs":  # HfFileSystem sends `refs/pr/1` without quotes
        rest = ["%2F".join(rest[:3]), *rest[3:]]
    request.path_params.update(revision=rest[0], path="/".join(rest[1:]))
    commit, path = repo.at(part(request, "revision")), part(request, "path")
    check_download(request, repo, path)
    file, headers = commit.tree.get(path), {"X-Repo-Commit": commit.oid}
    if file is None or (file.lfs and file.sha256 not in repo.lfs):
        raise RefusedError(404, "Entry not found", "EntryNotFound", headers)
    headers |= {
        "ETag": f'"{file.etag}"',
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(path.split('/')[-1])}",
    }
    if not file.lfs:
        return FileResponse(state(request).blob(file.sha256), headers=headers, media_type="text/plain")
    headers |= {"X-Linked-ETag": f'"{file.sha256}"', "X-Linked-Size": str(file.size)}
    # To another host, as if to a CDN: a redirect to the same one the clients follow when they ask for the headers,
    # and miss X-Repo-Commit in what they get.
    here, there = ("localhost", "127.0.0.1") if "//localhost" in base(request) else ("127.0.0.1", "localhost")
    address = base(request).replace(here, there)
    return RedirectResponse(
        f"{address}/_lfs/{file.sha256}?sig={sign(state(request), 'get', file.sha256)}", 302, headers
    )


async def download(request: Request) -> Response:
    """A large file, for whoever was sent here."""
    sha256 = request.path_params["sha256"]
    if not hmac.compare_digest(request.query_params.get("sig", ""), sign(state(request), "get", sha256)):
        raise RefusedError(403, "Bad signature")
    path = state(request).blob(sha256)
    if not path.exists():
        raise RefusedError(404, "Entry not found", "EntryNotFound")
    return FileResponse(path, headers={"ETag": f'"{sha256}"'}, media_type="application/octet-stream")


async def no_xet(request: Request) -> Response:
    raise RefusedError(404, "Xet is not available on this server; set HF_HUB_DISABLE_XET=1")


def sign(hub: State, *words: str) -> str:
    """What an address carries in place of a token."""
    return hmac.new(hub.key, json.dumps(words).encode(), "sha256").hexdigest()


def _entry(repo: Repo, commit: Commit, path: str, inside: dict[str, str], expand: bool) -> dict[str, Any]:
    file = commit.tree.get(path)
    entry: dict[str, Any] = {"type": "directory", "path": path, "size": 0, "oid": inside.get(path)}
    if file is not None:
        entry |= {"type": "file", "size": file.size, "oid": file.oid}
    if file is not None and file.lfs:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
    if expand:
        last = _last_change(repo, commit, path)
        entry["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.date}
    return entry


def _last_change(repo: Repo, commit: Commit, path: str) -> Commit:
    """The commit that made a file or a folder what it is."""
    last, wanted = commit, _identity(commit, path)
    for older in repo.history(commit):
        if _identity(older, path) != wanted:
            break
        last = older
    return last


def _identity(commit: Commit, path: str) -> str | None:
    return commit.tree[path].oid if path in commit.tree else folders(commit.tree).get(path)


ROUTES = [
    Route(f"{REPO}/tree/{{revision}}", tree),
    Route(f"{REPO}/tree/{{revision}}/{{path:path}}", tree),
    Route(f"{REPO}/paths-info/{{revision}}", paths_info, methods=["POST"]),
    Route(f"{REPO}/xet-write-token/{{revision}}", no_xet),
    Route(f"{REPO}/xet-read-token/{{revision}}", no_xet),
    Route("/{owner}/{name}/resolve/{rest:path}", resolve),
    Route("/{kind}/{owner}/{name}/resolve/{rest:path}", resolve),
    Route("/_lfs/{sha256}", download),
]
