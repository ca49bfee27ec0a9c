"""What the Hub holds: people, repositories with their commits and references, and the bytes of all files."""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MAIN = "refs/heads/main"


class RefusedError(Exception):
    """
    A request that is answered by an error.

    Args:
        status (`int`): of the answer.
        message (`str`): what the client shows.
        code (`str`, *optional*): `RepoNotFound`, `RevisionNotFound`, `EntryNotFound` or `GatedRepo`: by it the clients
            choose the exception.
        headers (`Mapping`, *optional*): more of them.
        body (`Mapping`, *optional*): more keys of the JSON body.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ):
        super().__init__(message)
        self.status, self.body = status, {"error": message, **(body or {})}
        shown = {"X-Error-Message": " ".join(message.split()).encode("ascii", "replace").decode()}
        self.headers = {**shown, **({"X-Error-Code": code} if code else {}), **(headers or {})}


@dataclass(frozen=True)
class User:
    """Who a token stands for. With the role `read` it changes nothing."""

    name: str
    orgs: tuple[str, ...] = ()
    role: str = "write"

    def owns(self, namespace: str) -> bool:
        return namespace in (self.name, *self.orgs)


@dataclass(frozen=True)
class File:
    """One version of a file: git's id (of the pointer, where it is LFS), its size and the hash of its bytes."""

    oid: str
    size: int
    sha256: str
    lfs: bool

    @property
    def etag(self) -> str:
        """What a client compares its own copy with."""
        return self.sha256 if self.lfs else self.oid

    @property
    def pointer_size(self) -> int:
        return len(pointer(self.sha256, self.size))


@dataclass(frozen=True)
class Commit:
    """All files as they stood at one moment."""

    oid: str
    parent: str | None
    tree: Mapping[str, File]
    title: str
    description: str
    author: str
    date: str


@dataclass
class Discussion:
    """A discussion or a pull request; `start` is the commit a pull request began from."""

    num: int
    title: str
    author: str
    status: str
    base: str | None = None
    start: str | None = None
    merged: str | None = None
    created: str = field(default_factory=lambda: now())
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Repo:
    """
    A repository. `lfs` maps the hash of each large file it ever got to where it was first pushed; of a Space that is
    `protected`, anybody would reach the page, while its files are private.
    """

    kind: str
    id: str
    private: bool
    sdk: str | None = None
    gated: str | bool = False
    protected: bool = False
    created: str = field(default_factory=lambda: now())
    admitted: set[str] = field(default_factory=set)
    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    lfs: dict[str, dict[str, Any]] = field(default_factory=dict)
    discussions: list[Discussion] = field(default_factory=list)
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return self.id.split("/")[0]

    @property
    def path(self) -> str:
        """Where its page is, below the address of the Hub."""
        return self.id if self.kind == "model" else f"{self.kind}s/{self.id}"

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag, a full reference or an id names, in this order."""
        for ref in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if ref in self.refs:
                return self.commits[self.refs[ref]]
        if re.fullmatch(r"[0-9a-f]{7,40}", revision):
            for oid, commit in self.commits.items():
                if oid.startswith(revision):
                    return commit
        raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def head(self, revision: str) -> str:
        """The reference that a commit to this revision moves: a branch or a pull request, never a tag."""
        for ref in (revision, f"refs/heads/{revision}"):
            if ref in self.refs and not ref.startswith("refs/tags/"):
                return ref
        raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(
        self, ref: str, parent: str | None, tree: Mapping[str, File], title: str, author: str, description: str = ""
    ) -> Commit:
        """Adds a commit, and moves the reference to it."""
        made = Commit(_new_id(), parent, tree, title, description, author, now())
        self.commits[made.oid] = made
        self.refs[ref] = made.oid
        for path, file in tree.items():
            if file.lfs and not self.lfs[file.sha256]["filename"]:
                self.lfs[file.sha256] |= {"filename": path, "ref": ref}
        return made

    def history(self, commit: Commit | None) -> Iterator[Commit]:
        """The commit, its parent, and so on."""
        while commit is not None:
            yield commit
            commit = self.commits.get(commit.parent or "")

    def rewrite_without(self, lost: set[str]) -> None:
        """Takes large files out of every commit; a commit that changes gets a new id, and so do all that follow it."""
        renamed: dict[str, str] = {}
        kept: dict[str, Commit] = {}
        for old in self.commits.values():  # parents come before their children
            tree = {path: file for path, file in old.tree.items() if not (file.lfs and file.sha256 in lost)}
            if len(tree) < len(old.tree) or old.parent in renamed:
                renamed[old.oid] = _new_id()
            oid, parent = renamed.get(old.oid, old.oid), old.parent and renamed.get(old.parent, old.parent)
            kept[oid] = replace(old, oid=oid, parent=parent, tree=tree)
        self.commits = kept
        self.refs = {ref: renamed.get(oid, oid) for ref, oid in self.refs.items()}
        for discussion in self.discussions:
            discussion.start = renamed.get(discussion.start or "", discussion.start or "") or None


class State:
    """
    Everything.

    Args:
        root (`Path`): the folder for the files' bytes, each named by its hash.
        tokens (`Mapping[str, User]`): who may sign in.
    """

    def __init__(self, root: Path, tokens: Mapping[str, User]):
        self.blobs, self.tokens = root / "blobs", tokens
        self.key = secrets.token_bytes(16)  # signs the addresses of large files
        self.reset()

    def reset(self) -> None:
        shutil.rmtree(self.blobs, ignore_errors=True)
        self.blobs.mkdir(parents=True)
        self.repos: dict[tuple[str, str], Repo] = {}

    def blob(self, sha256: str) -> Path:
        return self.blobs / sha256

    def read(self, file: File) -> bytes:
        return self.blob(file.sha256).read_bytes()

    def store(self, data: bytes) -> File:
        """Keeps the bytes of a small file."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.blob(sha256)
        if not path.exists():
            path.with_suffix(".part").write_bytes(data)
            os.replace(path.with_suffix(".part"), path)
        return File(_blob_id(data), len(data), sha256, lfs=False)

    def large(self, sha256: str) -> File:
        """A large file whose bytes are here already."""
        size = self.blob(sha256).stat().st_size
        return File(_blob_id(pointer(sha256, size)), size, sha256, lfs=True)

    def discard(self, gone: Iterable[str]) -> None:
        """Deletes the bytes that no repository holds any more."""
        repos = self.repos.values()
        trees = (commit.tree for repo in repos for commit in repo.commits.values())
        held = {file.sha256 for tree in trees for file in tree.values() if not file.lfs}
        held |= {sha256 for repo in repos for sha256 in repo.lfs}
        for sha256 in set(gone) - held:
            self.blob(sha256).unlink(missing_ok=True)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def pointer(sha256: str, size: int) -> bytes:
    """What git keeps in place of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def folders(tree: Mapping[str, File]) -> dict[str, str]:
    """The folders of a tree, each with an id that changes with what is in it."""
    inside: dict[str, list[list[str]]] = {}
    for path, file in sorted(tree.items()):
        for cut in (place for place, char in enumerate(path) if char == "/"):
            inside.setdefault(path[:cut], []).append([path, file.oid])
    return {path: hashlib.sha1(json.dumps(files).encode()).hexdigest() for path, files in inside.items()}


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _new_id() -> str:
    return secrets.token_hex(20)  # never the same twice, so no client finds another test's state in its cache
