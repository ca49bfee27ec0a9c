"""Who asks, and what they may see and change."""

from urllib.parse import unquote

from starlette.requests import Request

from hub_server.state import RefusedError, Repo, State, User

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
OPEN = ("README.md", ".gitattributes")  # of a gated repository: people read the card before they ask for access


def state(request: Request) -> State:
    return request.app.state.hub


def base(request: Request) -> str:
    """The address that the client reached the Hub under."""
    return f"{request.url.scheme}://{request.headers['host']}"


def part(request: Request, name: str) -> str:
    """A part of the path; `%2F` within it does not divide it."""
    return unquote(request.path_params[name])


def caller(request: Request) -> User | None:
    """Who the token stands for; nobody, where there is none."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    user = state(request).tokens.get(header.removeprefix("Bearer ").strip())
    if user is None:
        raise RefusedError(401, "Invalid credentials in Authorization header")
    return user


def signed_in(request: Request) -> User:
    user = caller(request)
    if user is None:
        raise RefusedError(401, "Invalid username or password.")
    return user


def writer(request: Request, namespace: str) -> User:
    """The caller, if this token may write there."""
    user = signed_in(request)
    if user.role != "write" or not user.owns(namespace):
        raise RefusedError(403, f'You don\'t have the rights to write under the namespace "{namespace}"')
    return user


def find(request: Request, kind: str, repo_id: str) -> Repo:
    """The repository, if the caller may know of it: a stranger can't tell a private one from none."""
    user = caller(request)
    repo = state(request).repos.get((kind, repo_id))
    if repo is None or (repo.private and not (user and user.owns(repo.owner))):
        # The client turns a bare 401 into "not found" for https addresses alone; elsewhere it goes by the code.
        raise RefusedError(404 if user else 401, "Repository not found", "RepoNotFound")
    return repo


def readable(request: Request) -> Repo:
    """The repository that the path names."""
    kind = request.path_params.get("kind", "models")
    if kind not in KINDS:
        raise RefusedError(404, f"No such endpoint: {request.method} {request.url.path}")
    return find(request, KINDS[kind], f"{part(request, 'owner')}/{part(request, 'name')}")


def writable(request: Request) -> Repo:
    """The same, for those who may change it."""
    repo = readable(request)
    writer(request, repo.owner)
    return repo


def committable(request: Request, ref: str | None = None, *, proposed: bool) -> Repo:
    """The same, for a commit; whoever can read it may propose one, and go on with an own pull request."""
    repo, user = readable(request), signed_in(request)
    own = ref and any(ref == f"refs/pr/{pull.num}" and pull.author == user.name for pull in repo.discussions)
    if not (proposed or own) or user.role != "write":
        writer(request, repo.owner)
    return repo


def check_download(request: Request, repo: Repo, path: str) -> None:
    """A gated repository is listed for everybody, and read by those who were let in."""
    user = caller(request)
    if not repo.gated or path in OPEN or (user and (user.owns(repo.owner) or user.name in repo.admitted)):
        return
    message = f"Access to {repo.kind} {repo.id} is restricted. You must have access to it and be authenticated"
    raise RefusedError(403 if user else 401, f"{message} to access it.", "GatedRepo")
