"""Writing: what is to be uploaded how, the upload of large files, and the commit that puts all in place at once."""

import base64
import fnmatch
import hashlib
import hmac
import json
import os
import secrets
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub_server import cards
from hub_server.access import base, committable, part, signed_in, state, writable
from hub_server.routes_discussions import open_pull
from hub_server.routes_files import sign
from hub_server.routes_repos import REPO
from hub_server.state import File, RefusedError, Repo, State, now

REGULAR = 10 * 1024 * 1024  # bytes; above that a file is large whatever its name


async def preupload(request: Request) -> Response:
    """Of each file, whether it goes into the commit itself, and what stands there now."""
    revision = part(request, "revision")
    repo = committable(request, revision, proposed=_proposed(request))
    commit, body = repo.at(revision), await request.json()
    attributes = _lines(state(request), commit.tree.get(".gitattributes"))
    large = [line.split()[0] for line in attributes if "filter=lfs" in line]
    ignored = (
        body["gitIgnore"].splitlines()
        if body.get("gitIgnore")
        else _lines(state(request), commit.tree.get(".gitignore"))
    )
    ignored = [line.strip().rstrip("/") for line in ignored if line.strip() and line[0] not in "#!"]
    files = []
    for file in body["files"]:
        binary = b"\0" in base64.b64decode(file.get("sample", ""))
        lfs = file["size"] > 0 and (_matches(file["path"], large) or file["size"] > REGULAR or binary)
        standing = commit.tree.get(file["path"])
        files.append(
            {
                "path": file["path"],
                "uploadMode": "lfs" if lfs else "regular",
                "shouldIgnore": _matches(file["path"], ignored),
                "oid": standing.etag if standing else None,
            }
        )
    return JSONResponse({"files": files, "commitOid": commit.oid})


async def batch(request: Request) -> Response:
    """Where to put large files; nowhere, for those that this repository has already."""
    request.path_params["name"] = request.path_params["name"].removesuffix(".git")
    repo, body = committable(request, proposed=True), await request.json()
    objects = []
    for wanted in body["objects"]:
        answer = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] not in repo.lfs:
            asked = {
                "repo": f"{repo.kind}/{repo.id}",
                "sig": sign(state(request), "put", wanted["oid"], repo.kind, repo.id),
            }
            href = f"{base(request)}/_lfs/{wanted['oid']}?{urlencode(asked)}"
            answer["actions"] = {"upload": {"href": href}, "verify": {"href": href}}
        objects.append(answer)
    return JSONResponse({"transfer": "basic", "objects": objects})


async def upload(request: Request) -> Response:
    """The bytes of a large file; they are kept if they are what they say they are."""
    repo, sha256 = _signed(request), request.path_params["sha256"]
    arriving, digest = state(request).blob(f"{sha256}.{secrets.token_hex(4)}"), hashlib.sha256()
    try:
        with arriving.open("wb") as file:
            async for chunk in request.stream():
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != sha256:
            raise RefusedError(400, "The content does not match its sha256")
        os.replace(arriving, state(request).blob(sha256))
    finally:
        arriving.unlink(missing_ok=True)
    repo.lfs.setdefault(sha256, {"filename": "", "ref": None, "pushedAt": now()})
    return JSONResponse({})


async def verify(request: Request) -> Response:
    repo, sha256, body = _signed(request), request.path_params["sha256"], await request.json()
    if sha256 not in repo.lfs or state(request).blob(sha256).stat().st_size != body["size"]:
        raise RefusedError(404, "Object not found")
    return JSONResponse({})


async def commit(request: Request) -> Response:
    """All operations or none. Nothing is awaited after the first look at the branch: no other commit comes between."""
    items = [json.loads(line) for line in (await request.body()).splitlines() if line.strip()]
    header = next(item["value"] for item in items if item["key"] == "header")
    revision, proposed = part(request, "revision"), _proposed(request)
    repo, user = committable(request, revision, proposed=proposed), signed_in(request)
    ref = repo.head(revision)
    parent, wanted = repo.commits[repo.refs[ref]], header.get("parentCommit")
    if wanted and proposed:
        parent = repo.at(wanted)
    elif wanted and not parent.oid.startswith(wanted):
        raise RefusedError(412, "A commit has happened since. Please refresh and try again.")
    tree = dict(parent.tree)
    for item in items:
        _apply(state(request), repo, tree, item["key"], item["value"])
    if any(item["value"].get("path") == "README.md" for item in items) and "README.md" in tree:
        cards.refuse_invalid(state(request).read(tree["README.md"]).decode("utf-8", "replace"), repo.kind)
    title, description, url = header["summary"], header.get("description", ""), f"{base(request)}/{repo.path}"
    pull = open_pull(repo, user, title, description, ref, parent.oid, "open") if proposed else None
    made = repo.commit(f"refs/pr/{pull.num}" if pull else ref, parent.oid, tree, title, user.name, description)
    answer = {"success": True, "commitOid": made.oid, "commitUrl": f"{url}/commit/{made.oid}"}
    return JSONResponse({**answer, **({"pullRequestUrl": f"{url}/discussions/{pull.num}"} if pull else {})})


async def large_files(request: Request) -> Response:
    """The large files that a repository holds, of whatever commit."""
    repo = writable(request)
    return JSONResponse(
        [
            {"fileOid": sha256, "oid": sha256, "size": state(request).large(sha256).size, **about}
            for sha256, about in repo.lfs.items()
        ]
    )


async def delete_large_files(request: Request) -> Response:
    """Takes large files away for good; with `rewriteHistory` their names go from every commit too."""
    repo, wanted = writable(request), (await request.json())["deletions"]
    gone = set(wanted["sha"]) & set(repo.lfs)
    for sha256 in gone:
        del repo.lfs[sha256]
    if wanted.get("rewriteHistory", True):
        repo.rewrite_without(gone)
    state(request).discard(gone)
    return JSONResponse({})


def _apply(hub: State, repo: Repo, tree: dict[str, File], operation: str, value: dict[str, Any]) -> None:
    if operation == "file":
        data = value["content"]
        tree[value["path"]] = hub.store(base64.b64decode(data) if value.get("encoding") == "base64" else data.encode())
    elif operation == "lfsFile":
        if value["oid"] not in repo.lfs:
            raise RefusedError(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
        tree[value["path"]] = hub.large(value["oid"])
    elif operation == "deletedFile":
        if tree.pop(value["path"], None) is None:
            raise RefusedError(404, f"A file with this name doesn't exist: {value['path']}", "EntryNotFound")
    elif operation == "deletedFolder":
        inside = [path for path in tree if path.startswith(value["path"].rstrip("/") + "/")]
        if not inside:
            raise RefusedError(404, f"A folder with this name doesn't exist: {value['path']}", "EntryNotFound")
        for path in inside:
            del tree[path]


def _signed(request: Request) -> Repo:
    """The repository that an upload's address was made for."""
    kind, _, repo_id = request.query_params.get("repo", "").partition("/")
    signature = sign(state(request), "put", request.path_params["sha256"], kind, repo_id)
    if not hmac.compare_digest(request.query_params.get("sig", ""), signature):
        raise RefusedError(403, "Bad signature")
    return state(request).repos[(kind, repo_id)]


def _proposed(request: Request) -> bool:
    return request.query_params.get("create_pr") in ("1", "true")


def _lines(hub: State, file: File | None) -> list[str]:
    return hub.read(file).decode("utf-8", "replace").splitlines() if file else []


def _matches(path: str, patterns: list[str]) -> bool:
    """Close enough to git's rules for what the tests upload."""
    return any(
        fnmatch.fnmatch(path, pattern.lstrip("/")) or any(fnmatch.fnmatch(name, pattern) for name in path.split("/"))
        for pattern in patterns
    )


ROUTES = [
    Route(f"{REPO}/preupload/{{revision}}", preupload, methods=["POST"]),
    Route(f"{REPO}/commit/{{revision}}", commit, methods=["POST"]),
    Route(f"{REPO}/lfs-files", large_files),
    Route(f"{REPO}/lfs-files/batch", delete_large_files, methods=["POST"]),
    Route("/{owner}/{name}/info/lfs/objects/batch", batch, methods=["POST"]),
    Route("/{kind}/{owner}/{name}/info/lfs/objects/batch", batch, methods=["POST"]),
    Route("/_lfs/{sha256}", upload, methods=["PUT"]),
    Route("/_lfs/{sha256}", verify, methods=["POST"]),
]
