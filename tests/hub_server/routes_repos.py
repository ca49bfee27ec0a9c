"""Who one is, and repositories as a whole: made, moved, deleted, listed, described, opened and closed."""

import hashlib
import json
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub_server import cards
from hub_server.access import (
    KINDS,
    base,
    caller,
    check_download,
    find,
    part,
    readable,
    signed_in,
    state,
    writable,
    writer,
)
from hub_server.state import MAIN, Commit, RefusedError, Repo, State

LFS = """*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.mlmodel *.model *.msgpack *.npy *.npz *.onnx *.ot
*.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors *.tar *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*"""
ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS.split())
TASKS = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
}


async def whoami(request: Request) -> Response:
    user = signed_in(request)
    orgs = [
        {"type": "org", "id": f"org-{org}", "name": org, "fullname": org, "roleInOrg": "admin"} for org in user.orgs
    ]
    token = {"displayName": "test", "role": user.role}
    about = {"type": "user", "id": f"user-{user.name}", "name": user.name, "fullname": user.name, "orgs": orgs}
    return JSONResponse({**about, "isPro": False, "auth": {"type": "access_token", "accessToken": token}})


async def create(request: Request) -> Response:
    body = await request.json()
    kind, repo_id = body.get("type") or "model", _full_id(request, body)
    writer(request, repo_id.split("/")[0])
    repo = Repo(kind, repo_id, _private(body), body.get("sdk"), protected=_protected(body, kind))
    url = f"{base(request)}/{repo.path}"
    if (kind, repo_id) in state(request).repos:  # it stays as it is, its visibility too, whatever was asked for
        raise RefusedError(409, f"You already created this {kind} repo", body={"url": url})
    if kind == "space":
        cards.refuse_invalid(_space_card(repo), kind)
        repo.variables = {v["key"]: {**v} for v in body.get("variables", [])}
        repo.secrets = {s["key"]: {**s} for s in body.get("secrets", [])}
    files = {".gitattributes": ATTRIBUTES, **({"README.md": _space_card(repo)} if kind == "space" else {})}
    tree = {path: state(request).store(text.encode()) for path, text in files.items()}
    repo.commit(MAIN, None, tree, "initial commit", "system")
    state(request).repos[(kind, repo_id)] = repo
    return JSONResponse({"url": url, "name": repo_id, "id": _hex_id(repo)})


async def delete(request: Request) -> Response:
    body = await request.json()
    repo = find(request, body.get("type") or "model", _full_id(request, body))
    writer(request, repo.owner)
    del state(request).repos[(repo.kind, repo.id)]
    files = {file.sha256 for commit in repo.commits.values() for file in commit.tree.values()}
    state(request).discard(files | set(repo.lfs))
    return JSONResponse({})


async def move(request: Request) -> Response:
    body = await request.json()
    repo, target = find(request, body.get("type") or "model", body["fromRepo"]), body["toRepo"]
    writer(request, repo.owner)
    writer(request, target.split("/")[0])
    repos = state(request).repos
    if (repo.kind, target) in repos:
        raise RefusedError(409, f"{target} exists already")
    repos[(repo.kind, target)] = repos.pop((repo.kind, repo.id))
    repo.id = target
    return JSONResponse({})


async def settings(request: Request) -> Response:
    repo, body = writable(request), await request.json()
    if body.get("gated", False) not in (False, "auto", "manual"):
        raise RefusedError(400, '"gated" must be one of [auto, manual, false]')
    if "visibility" in body or "private" in body:
        repo.private, repo.protected = _private(body), _protected(body, repo.kind)
    repo.gated = body.get("gated", repo.gated)
    return JSONResponse({"private": repo.private, "gated": repo.gated})


async def grant(request: Request) -> Response:
    """Lets a user into a gated repository."""
    repo, body = writable(request), await request.json()
    repo.admitted.add(body["user"])
    return JSONResponse({})


async def auth_check(request: Request) -> Response:
    check_download(request, readable(request), "")
    return JSONResponse({})


async def unowned(request: Request) -> Response:
    """A repository without an owner, as the oldest models have; there are none here."""
    if request.path_params.get("kind", "models") not in KINDS:
        raise RefusedError(404, f"No such endpoint: {request.method} {request.url.path}")
    raise RefusedError(404 if caller(request) else 401, "Repository not found", "RepoNotFound")


async def listed(request: Request) -> Response:
    kind, asked, user = KINDS.get(request.path_params["kind"]), request.query_params, caller(request)
    if kind is None:
        raise RefusedError(404, f"No such endpoint: {request.method} {request.url.path}")
    shown = [repo for repo in state(request).repos.values() if repo.kind == kind]
    shown = [repo for repo in shown if not repo.private or (user and user.owns(repo.owner))]
    shown = [
        repo for repo in shown if asked.get("author", repo.owner) == repo.owner and asked.get("search", "") in repo.id
    ]
    described = [describe(state(request), repo, repo.at("main"), full="full" in asked) for repo in shown]
    described = [about for about in described if set(asked.getlist("filter")) <= set(about["tags"])]
    return JSONResponse(described[: int(asked.get("limit", 1000))])


async def info(request: Request) -> Response:
    repo = readable(request)
    commit = repo.at(part(request, "revision") if "revision" in request.path_params else "main")
    return JSONResponse(describe(state(request), repo, commit, blobs=bool(request.query_params.get("blobs"))))


async def validate(request: Request) -> Response:
    body = await request.json()
    problems = cards.problems(body["content"], body.get("repoType") or "model")
    return JSONResponse(
        {"errors": [{"message": problem} for problem in problems], "warnings": cards.warnings(body["content"])},
        400 if problems else 200,
    )


async def harnesses(request: Request) -> Response:
    """Asked for by the client in the background; what it tells them is of no use here."""
    return JSONResponse({"standardEnvVars": [], "harnesses": {}})


def describe(hub: State, repo: Repo, commit: Commit, *, full: bool = True, blobs: bool = False) -> dict[str, Any]:
    """What the Hub tells about a repository at a commit."""
    card = (
        cards.metadata(hub.read(commit.tree["README.md"]).decode("utf-8", "replace"))
        if "README.md" in commit.tree
        else {}
    )
    about: dict[str, Any] = {
        "_id": _hex_id(repo),
        "id": repo.id,
        "author": repo.owner,
        "sha": commit.oid,
        "lastModified": commit.date,
        "createdAt": repo.created,
        "private": repo.private,
        "gated": repo.gated,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": cards.tags(card),
    }
    if repo.kind == "model":
        about |= {"modelId": repo.id, **_model(hub, commit, card)}
    if repo.kind == "space":
        about["sdk"] = card.get("sdk") or repo.sdk
    if full:
        about |= {"cardData": card, "siblings": [_sibling(path, commit, blobs) for path in sorted(commit.tree)]}
    return about


def _model(hub: State, commit: Commit, card: dict[str, Any]) -> dict[str, Any]:
    """What the Hub makes of a model's configuration: `pipeline(model=ID)` asks for the task."""
    config = json.loads(hub.read(commit.tree["config.json"])) if "config.json" in commit.tree else {}
    architecture = (config.get("architectures") or [""])[0]
    task = card.get("pipeline_tag") or next((TASKS[end] for end in TASKS if architecture.endswith(end)), None)
    library = card.get("library_name") or ("transformers" if architecture else None)
    return {**({"pipeline_tag": task} if task else {}), **({"library_name": library} if library else {})}


def _sibling(path: str, commit: Commit, blobs: bool) -> dict[str, Any]:
    file = commit.tree[path]
    if not blobs:
        return {"rfilename": path}
    large = {"lfs": {"sha256": file.sha256, "size": file.size, "pointerSize": file.pointer_size}} if file.lfs else {}
    return {"rfilename": path, "size": file.size, "blobId": file.oid, **large}


def _private(body: dict[str, Any]) -> bool:
    return body.get("visibility", "private" if body.get("private") else "public") != "public"


def _protected(body: dict[str, Any], kind: str) -> bool:
    if body.get("visibility") == "protected" and kind != "space":
        raise RefusedError(400, "Only Spaces can be protected")
    return body.get("visibility") == "protected"


def _full_id(request: Request, body: dict[str, Any]) -> str:
    return f"{body.get('organization') or signed_in(request).name}/{body['name']}"


def _hex_id(repo: Repo) -> str:
    return hashlib.sha1(f"{repo.kind} {repo.id}".encode()).hexdigest()[:24]


def _space_card(repo: Repo) -> str:
    meta = {"title": repo.id.split("/")[1], "emoji": "🚀", "colorFrom": "blue", "colorTo": "green", "sdk": repo.sdk}
    return f"---\n{yaml.safe_dump(meta, allow_unicode=True)}---\n"


REPO = "/api/{kind}/{owner}/{name}"
ROUTES = [
    Route("/api/whoami-v2", whoami),
    Route("/api/validate-yaml", validate, methods=["POST"]),
    Route("/api/agent-harnesses", harnesses),
    Route("/api/repos/create", create, methods=["POST"]),
    Route("/api/repos/delete", delete, methods=["DELETE"]),
    Route("/api/repos/move", move, methods=["POST"]),
    Route("/api/{kind}", listed),
    Route("/api/{kind}/{name}", unowned),
    Route("/{name}/resolve/{rest:path}", unowned),
    Route(REPO, info),
    Route(f"{REPO}/revision/{{revision}}", info),
    Route(f"{REPO}/settings", settings, methods=["PUT"]),
    Route(f"{REPO}/auth-check", auth_check),
    Route(f"{REPO}/user-access-request/grant", grant, methods=["POST"]),
]
