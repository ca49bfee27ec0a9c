"""
One repository filled in one commit.

A push reads the branch, builds its new content, and commits the difference with the commit it read as parent, so
readers see the old state or the new one. Where another commit came first (412), or the answer got lost, it reads and
builds again: two people can push different things at once, and a push that was killed is repeated.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, get_session, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.utils import hf_raise_for_status
from huggingface_hub.utils.sha import git_hash

from rarecase.core.errors import ConfigError, HubError, RarecaseError
from rarecase.hub.errors import ERRORS, RETRY, hub_errors, is_out_of_reach, is_temporary, junk_refused, retried, status

Kind = Literal["dataset", "model", "space"]
# Path in the repo → its bytes, the local file that holds them, or None to delete it.
Files = Mapping[str, bytes | Path | None]
Operations = list[CommitOperationAdd | CommitOperationDelete]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The branch of a repository that is pushed to, and who may see it; refuses options without effect."""

    kind: Kind
    repo_id: str
    sdk: Literal["gradio", "docker"] = "gradio"  # of a new Space
    public: bool = False  # a private repository becomes public once it is filled and tagged
    gated: Literal["auto", "manual"] | None = None  # readers ask for access first; not for Spaces
    revision: str | None = None  # the branch, made where there is none; `main` by default
    tag: str | None = None  # of the new state; not with `create_pr`
    create_pr: bool = False  # `public` then only allows a pull request to a repository that is public already
    dry_run: bool = False  # nothing is sent; where no Hub is within reach, the repository is taken for a new one

    def __post_init__(self) -> None:
        if self.create_pr and self.tag:
            raise ConfigError(
                f"--tag {self.tag}: a pull request gets no tag, only what is merged; leave out --tag or --create-pr"
            )
        if self.kind == "space" and self.gated:
            raise ConfigError(f"--gated {self.gated}: there are no gated Spaces; leave it out, a Space can be private")

    @property
    def repo(self) -> dict[str, Any]:
        """The repository, as the arguments that the client calls share."""
        return {"repo_id": self.repo_id, "repo_type": self.kind}

    @property
    def url(self) -> str:
        """The page of the repository."""
        return f"{HfApi().endpoint}/{'' if self.kind == 'model' else self.kind + 's/'}{self.repo_id}"


@dataclass(frozen=True)
class Snapshot:
    """The content of a branch at one commit; empty where there is no such repository yet."""

    target: Target
    sha: str | None = None
    private: bool = True
    gated: bool = False
    files: Mapping[str, RepoFile] = field(default_factory=dict)  # by path
    is_known: bool = True  # False where no Hub was within reach

    def read(self, path: str) -> Path:
        """A file at that commit, in the cache of the client."""
        return retried(
            self.target.repo_id, lambda: Path(hf_hub_download(**self.target.repo, filename=path, revision=self.sha))
        )


@dataclass(frozen=True)
class Pushed:
    """The result of a push; `rarecase publish --format json` prints these fields."""

    kind: Kind
    repo_id: str
    revision: str  # the commit
    url: str  # of the pull request, where one was opened
    private: bool
    files: tuple[str, ...]  # sorted
    changed: bool  # whether anything had to be uploaded


Build = Callable[[Snapshot], Files]
Push = Callable[[Target, Build, str], Pushed]  # `push`, or what a dry run does instead


def push(target: Target, build: Build, message: str) -> Pushed:
    """
    Fills a repository: created private, gated, filled in one commit, tagged, and only then made public. `build` gives
    the files for a snapshot; it is called again after a lost race, so it merges.
    """
    api, repo_id = HfApi(), target.repo_id
    with hub_errors(repo_id), without_debug_logs():
        found = retried(repo_id, lambda: _base(api, target))
        require_public_is_meant(found)
        if found.sha is None or target.gated or target.revision:  # else these would be made in vain
            planned = build(found)
            retried(repo_id, lambda: refuse_bad_card(target, planned))
        created = found.sha is None and create(target)
        with taken_back(target) if created else contextlib.nullcontext():
            before = retried(repo_id, lambda: _open(api, found))
            files, commit, url = _commit(api, target, build, message)
        if target.tag:
            retried(repo_id, lambda: _tag(api, target, commit))
        private = before.private
        if target.public and private:
            retried(repo_id, lambda: api.update_repo_settings(**target.repo, private=False))
            private = False
    paths = tuple(sorted(path for path, content in files.items() if content is not None))
    return Pushed(target.kind, repo_id, commit, url, private, paths, changed=commit != before.sha)


def read_snapshot(target: Target) -> Snapshot:
    """The content of a branch, tag or commit; a `ConfigError` where the repository has no such revision."""
    try:
        return _asked(target, _snapshot)
    except HubError as error:
        if isinstance(error.__cause__, RevisionNotFoundError):
            raise ConfigError(
                f"{target.repo_id}@{target.revision}: no such branch, tag or commit; take one that is there"
            ) from None
        raise


def base_snapshot(target: Target) -> Snapshot:
    """What a push begins with: the branch, or `main` where the branch is yet to be made."""
    return _asked(target, _base)


def _asked(target: Target, read: Callable[[HfApi, Target], Snapshot]) -> Snapshot:
    try:
        return retried(target.repo_id, lambda: read(HfApi(), target))
    except HubError as error:
        if target.dry_run and is_out_of_reach(error):
            return Snapshot(target, is_known=False)
        raise


def require_public_is_meant(snapshot: Snapshot) -> None:
    """Stops before anything reaches a public repository, or a private one becomes public, without being asked for."""
    target = snapshot.target
    if not snapshot.private and not target.public:
        raise ConfigError(
            f"{target.repo_id} is public already, and anybody can read what is pushed; repeat with --public if "
            "that is meant (in Python: private=False), or name another --repo"
        )
    if snapshot.private and target.public and target.create_pr:  # it would show the present files, not the proposal
        raise ConfigError(
            f"{target.repo_id} is private, and a pull request makes nothing public; leave out --public or --create-pr"
        )


def refuse_foreign(snapshot: Snapshot) -> None:
    """Refuses a repository without files of ours that has others: they would be overwritten."""
    foreign = sorted(set(snapshot.files) - {".gitattributes", "README.md"})
    if foreign:
        raise ConfigError(
            f"{snapshot.target.repo_id}: has {foreign[0]}, which rarecase did not write; name another --repo"
        )


def refuse_bad_card(target: Target, files: Files) -> None:
    """Asks the Hub whether it takes the head of the card, and shows it no more: it may not know the licence."""
    card = files.get("README.md")
    if isinstance(card, bytes) and (head := REGEX_YAML_BLOCK.search(card.decode())):
        asked = {"repoType": target.kind, "content": head[0]}
        address = f"{HfApi().endpoint}/api/validate-yaml"
        retried(target.repo_id, lambda: hf_raise_for_status(get_session().post(address, json=asked)))


def create(target: Target) -> bool:
    """Creates the repository, private; whether it was this call that did."""

    def created() -> bool:
        try:
            sdk = target.sdk if target.kind == "space" else None
            HfApi().create_repo(**target.repo, private=True, space_sdk=sdk)
        except HfHubHTTPError as error:
            if status(error) != 409:  # somebody was faster, or the answer to an earlier attempt was lost
                raise
            return False
        return True

    return retried(target.repo_id, created)


@contextlib.contextmanager
def taken_back(target: Target, commit: str | None = None) -> Iterator[None]:
    """
    Deletes the repository again where what it was created for fails or is interrupted, and says so in the error.

    It stays after a temporary error, since the same command fills it when it is repeated, and where it has other
    commits than the Hub's own first and `commit`.
    """
    try:
        with hub_errors(target.repo_id):
            yield
    except RarecaseError as error:
        if isinstance(error, HubError) and error.temporary:
            raise
        raise type(error)(f"{error}{_deleted(target, commit)}") from error
    except KeyboardInterrupt:
        _deleted(target, commit)
        raise


def _deleted(target: Target, commit: str | None) -> str:
    """Deletes a repository unless anybody has committed to it, in any branch or request; what is to be said then."""
    api = HfApi()
    try:
        with hub_errors(target.repo_id):
            refs = api.list_repo_refs(**target.repo, include_pull_requests=True)
            named = {ref.target_commit for ref in (*refs.branches, *refs.tags, *(refs.pull_requests or ()))}
            *later, first = [found.commit_id for found in api.list_repo_commits(**target.repo)]
            if {*named, *later} - {first, commit}:
                return ""
            api.delete_repo(**target.repo)
    except HubError:
        way_out = f"hf repos delete {target.repo_id} --type {target.kind}"
        return f"; {target.repo_id}, created for this, is left, delete it (`{way_out}`)"
    return f"; {target.repo_id}, created for this, is deleted again"


def _open(api: HfApi, snapshot: Snapshot) -> Snapshot:
    """The repository as it is to be filled; nothing is made public here."""
    target = snapshot.target
    if target.gated:
        api.update_repo_settings(**target.repo, gated=target.gated)
    if target.revision:
        api.create_branch(**target.repo, branch=target.revision, exist_ok=True)
    return snapshot if snapshot.sha else _base(api, target)


def _base(api: HfApi, target: Target) -> Snapshot:
    try:
        return _snapshot(api, target)
    except RevisionNotFoundError:
        return replace(_snapshot(api, replace(target, revision=None)), target=target)


def _snapshot(api: HfApi, target: Target) -> Snapshot:
    try:
        info = api.repo_info(**target.repo, revision=target.revision)
    except RepositoryNotFoundError:
        return Snapshot(target)
    tree = api.list_repo_tree(**target.repo, recursive=True, revision=info.sha)
    files = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    return Snapshot(target, info.sha, bool(info.private), bool(getattr(info, "gated", False)), files)


def _commit(api: HfApi, target: Target, build: Build, message: str) -> tuple[Files, str, str]:
    """The files, the commit that has them, and its page."""
    races = errors = 0
    while True:
        try:
            with junk_refused(target.repo_id):
                snapshot = _base(api, target)
            require_public_is_meant(snapshot)  # somebody else may have made it public meanwhile
            files = build(snapshot)
            with junk_refused(target.repo_id):
                return files, *_committed(api, snapshot, _operations(files, snapshot), message)
        except ERRORS as error:
            lost = status(error) == 412
            races, errors = races + lost, errors + (not lost)
            if (not lost and not is_temporary(error)) or errors >= RETRY.attempts or races >= RETRY.races:
                raise
            RETRY.wait(min(races, 4) / 2 if lost else 2.0 ** (errors - 1))


def _committed(api: HfApi, snapshot: Snapshot, operations: Operations, message: str) -> tuple[str, str]:
    """The commit that has these changes, and its page."""
    target = snapshot.target
    if target.tag:
        _require_free_tag(api, snapshot, operations)
    if target.create_pr and (proposed := _open_pull_request(api, target, operations, message)):
        return proposed
    commit = api.create_commit(
        **target.repo,
        operations=operations,
        commit_message=message,
        revision=target.revision,
        create_pr=target.create_pr,
        parent_commit=snapshot.sha,
    )
    return commit.oid, commit.pr_url or target.url


def _operations(files: Files, snapshot: Snapshot) -> Operations:
    return [
        CommitOperationDelete(path) if content is None else CommitOperationAdd(path, content)
        for path, content in sorted(files.items())
        if content is not None or path in snapshot.files
    ]


def _open_pull_request(api: HfApi, target: Target, operations: Operations, title: str) -> tuple[str, str] | None:
    """Commit and page of an own open pull request with these changes: an earlier answer may be lost."""
    me, branch = api.whoami()["name"], f"refs/heads/{target.revision or 'main'}"
    for found in api.get_repo_discussions(**target.repo, author=me, discussion_type="pull_request"):
        if (found.author, found.title) != (me, title) or found.status not in ("open", "draft"):
            continue
        snapshot = _snapshot(api, replace(target, revision=found.git_reference))
        details = api.get_discussion_details(**target.repo, discussion_num=found.num)
        if details.target_branch == branch and _changes_nothing(snapshot, operations):
            return str(snapshot.sha), found.url
    return None


def _changes_nothing(snapshot: Snapshot, operations: Operations) -> bool:
    return all(_is(snapshot.files.get(operation.path_in_repo), operation) for operation in operations)


def _is(file: RepoFile | None, operation: CommitOperationAdd | CommitOperationDelete) -> bool:
    if file is None or isinstance(operation, CommitOperationDelete):
        return file is None and isinstance(operation, CommitOperationDelete)
    if file.lfs:
        return bool(file.lfs.sha256 == operation.upload_info.sha256.hex())
    with operation.as_file() as content:
        return bool(file.blob_id == git_hash(content.read()))


def _tags(api: HfApi, target: Target) -> dict[str, str]:
    """The commit of each tag."""
    return {ref.name: ref.target_commit for ref in api.list_repo_refs(**target.repo).tags}


def _require_free_tag(api: HfApi, snapshot: Snapshot, operations: Operations) -> None:
    """Before the commit: stops where the tag exists, unless it names this very state."""
    target = snapshot.target
    at = _tags(api, target).get(str(target.tag))
    if at is not None and not (at == snapshot.sha and _changes_nothing(snapshot, operations)):
        raise ConfigError(
            f"--tag {target.tag}: {target.repo_id} has this tag on another state ({at[:8]}), and a tag never moves; "
            "nothing was committed there, repeat with another --tag"
        )


def _tag(api: HfApi, target: Target, commit: str) -> None:
    tags = _tags(api, target)
    if tags.get(str(target.tag), commit) != commit:  # somebody was faster
        raise ConfigError(
            f"--tag {target.tag}: {target.repo_id} has this tag on another state, and a tag never moves; the data is "
            f"pushed ({commit[:8]}), give it another --tag"
        )
    if target.tag not in tags:
        api.create_tag(**target.repo, tag=str(target.tag), revision=commit)


@contextlib.contextmanager
def without_debug_logs() -> Iterator[None]:
    """Under HF_DEBUG the client logs its requests, and with them secrets and the first bytes of each data file."""
    before, constants.HF_DEBUG = constants.HF_DEBUG, False
    try:
        yield
    finally:
        constants.HF_DEBUG = before
