"""
One repository filled in one commit, whatever happens in between.

A push reads what stands on the branch, builds what should stand there, and commits the difference with the commit it
read as parent. Readers see the old state or the new one. Where somebody else was faster (412), or the answer got lost,
it reads and builds again: so two people can push different things at once, and a push that was killed is repeated.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, hf_hub_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.sha import git_hash

from rarecase.core.errors import ConfigError, HubError
from rarecase.hub.errors import ERRORS, answers, passing, status

Kind = Literal["dataset", "model", "space"]
# Path in the repo → its bytes, the local file that holds them, or None where it is to go.
Files = Mapping[str, bytes | Path | None]
Operations = list[CommitOperationAdd | CommitOperationDelete]

ATTEMPTS = 6  # with an error of the Hub or the connection, waiting 1, 2, 4, … seconds
RACES = 40  # lost to other people's commits, before it must be something else


@dataclass(frozen=True, kw_only=True)
class Place:
    """
    Where something goes, and who may see it there.

    Args:
        kind (`str`): `dataset`, `model` or `space`.
        repo_id (`str`): `owner/name`.
        public (`bool`): a repository that is private is made public once it is filled and tagged.
        gated (`str`, *optional*): `auto` or `manual`: readers ask for access first. Not for Spaces.
        revision (`str`, *optional*): the branch, made where there is none; by default `main`.
        tag (`str`, *optional*): the name that the new state gets; not with `create_pr`.
        create_pr (`bool`): open a pull request instead of committing to the branch. `public` then only says that a
            repository which is public already may get it.

    Raises:
        `ConfigError`: where a setting would have no effect.
    """

    kind: Kind
    repo_id: str
    public: bool = False
    gated: Literal["auto", "manual"] | None = None
    revision: str | None = None
    tag: str | None = None
    create_pr: bool = False

    def __post_init__(self) -> None:
        if self.create_pr and self.tag:
            raise ConfigError(
                f"--tag {self.tag}: a pull request gets no tag, only what is merged; leave out --tag or --create-pr"
            )
        if self.kind == "space" and self.gated:
            raise ConfigError(f"--gated {self.gated}: there are no gated Spaces; leave it out, a Space can be private")


@dataclass(frozen=True)
class Standing:
    """
    What stands on a branch now; nothing, where there is no such repository yet.

    Args:
        place (`Place`): where.
        sha (`str`, *optional*): the commit that was read.
        private (`bool`): whether only members see it.
        gated (`bool`): whether readers have to ask first.
        files (`Mapping[str, RepoFile]`): by path.
    """

    place: Place
    sha: str | None = None
    private: bool = True
    gated: bool = False
    files: Mapping[str, RepoFile] = field(default_factory=dict)

    def read(self, path: str) -> Path:
        """The file as it stood at that commit, in the cache."""
        place = self.place
        return Path(hf_hub_download(place.repo_id, path, repo_type=place.kind, revision=self.sha))


@dataclass(frozen=True)
class Pushed:
    """
    What came of it; `rarecase publish --format json` prints these.

    Args:
        kind (`str`): `dataset`, `model` or `space`.
        repo_id (`str`): `owner/name`.
        revision (`str`): the commit that holds it.
        url (`str`): for people; of the pull request where one was opened.
        private (`bool`): whether only members see it.
        files (`tuple[str, ...]`): what stands in the repository by this push, sorted.
        changed (`bool`): whether anything had to be uploaded.
    """

    kind: Kind
    repo_id: str
    revision: str
    url: str
    private: bool
    files: tuple[str, ...]
    changed: bool


def push(place: Place, build: Callable[[Standing], Files], message: str) -> Pushed:
    """
    Fills a repository: created private, gated, filled in one commit, tagged, and only then made public.

    Args:
        place (`Place`): where to.
        build (`Callable`): what should stand there, given what does; called again after a lost race, so it merges.
        message (`str`): of the commit.

    Raises:
        `ConfigError`: where the repository is public and `place.public` was not said, or the tag names another state.
        `HubError`: where the Hub refuses or does not answer, in one line.

    Example:
        >>> push(Place(kind="model", repo_id="acme/guard"), lambda standing: {"README.md": b"# Guard"}, "A guard")
    """
    api = HfApi()
    with answers(place.repo_id), discreet():
        standing = persistently(lambda: _open(api, place))
        before = standing.sha
        files, commit, url = _commit(api, place, build, message)
        if place.tag:
            persistently(lambda: _tag(api, place, commit))
        private = standing.private
        if place.public and private:
            persistently(lambda: api.update_repo_settings(place.repo_id, repo_type=place.kind, private=False))
            private = False
    return Pushed(
        kind=place.kind,
        repo_id=place.repo_id,
        revision=commit,
        url=url,
        private=private,
        files=tuple(sorted(path for path, content in files.items() if content is not None)),
        changed=commit != before,
    )


def look(place: Place) -> Standing:
    """
    What stands at a place, without changing anything.

    Raises:
        `ConfigError`: where the repository has no such branch, tag or commit.
        `HubError`: where the Hub does not answer.
    """
    try:
        with answers(place.repo_id):
            return persistently(lambda: _stand(HfApi(), place))
    except HubError as error:
        if isinstance(error.__cause__, RevisionNotFoundError):
            raise ConfigError(
                f"{place.repo_id}@{place.revision}: no such branch, tag or commit; take one that is there"
            ) from None
        raise


def base(place: Place) -> Standing:
    """
    What a push to a place begins with, without changing anything: a branch that is yet to be made is made from main.

    Raises:
        `HubError`: where the Hub does not answer.
    """
    with answers(place.repo_id):
        return persistently(lambda: _base(HfApi(), place))


def require_public_is_meant(standing: Standing) -> None:
    """
    Stops before anything reaches a repository that everybody sees, or all see what nobody asked to show them.

    Raises:
        `ConfigError`: where it is public and `place.public` was not said, or was said of a pull request to a private
            one: what would become public is not what is proposed, but what stands there.
    """
    place = standing.place
    if not standing.private and not place.public:
        raise ConfigError(
            f"{place.repo_id} is public already, and what is pushed can be read by anybody; repeat with --public if "
            "that is meant, or name another --repo"
        )
    if standing.private and place.public and place.create_pr:
        raise ConfigError(
            f"{place.repo_id} is private, and a pull request makes nothing public; leave out --public or --create-pr"
        )


def refuse_foreign(standing: Standing) -> None:
    """
    Stops before files of somebody else are overwritten: to be called where nothing of ours is among them.

    Raises:
        `ConfigError`: where the repository holds more than what the Hub puts there itself.
    """
    foreign = sorted(set(standing.files) - {".gitattributes", "README.md"})
    if foreign:
        raise ConfigError(
            f"{standing.place.repo_id}: holds {foreign[0]}, which rarecase did not write; name another --repo"
        )


def url_of(place: Place) -> str:
    """Where people look at it."""
    return f"{HfApi().endpoint}/{'' if place.kind == 'model' else place.kind + 's/'}{place.repo_id}"


def _open(api: HfApi, place: Place) -> Standing:
    """The repository as it stands, made where there is none; nothing is made public here."""
    standing = _base(api, place)
    require_public_is_meant(standing)
    repo: dict[str, Any] = {"repo_id": place.repo_id, "repo_type": place.kind}
    if standing.sha is None:
        api.create_repo(**repo, private=True, exist_ok=True, space_sdk="gradio" if place.kind == "space" else None)
    if place.gated and place.kind != "space":
        api.update_repo_settings(**repo, gated=place.gated)
    if place.revision:
        api.create_branch(**repo, branch=place.revision, exist_ok=True)
    return standing if standing.sha else _base(api, place)


def _base(api: HfApi, place: Place) -> Standing:
    try:
        return _stand(api, place)
    except RevisionNotFoundError:
        return replace(_stand(api, replace(place, revision=None)), place=place)


def _stand(api: HfApi, place: Place) -> Standing:
    repo: dict[str, Any] = {"repo_id": place.repo_id, "repo_type": place.kind}
    try:
        info = api.repo_info(**repo, revision=place.revision)
    except RepositoryNotFoundError:
        return Standing(place)
    tree = api.list_repo_tree(**repo, recursive=True, revision=info.sha)
    files = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    return Standing(place, info.sha, bool(info.private), bool(getattr(info, "gated", False)), files)


def _commit(api: HfApi, place: Place, build: Callable[[Standing], Files], message: str) -> tuple[Files, str, str]:
    """What was to stand there, the commit that holds it, and where people look at that."""
    races = errors = 0
    while True:
        try:
            standing = _base(api, place)
            files = build(standing)
            operations = _operations(files, standing)
            if place.tag:
                _require_free_tag(api, standing, operations)
            asked = _asked(api, place, operations, message) if place.create_pr else None
            if asked:
                return files, *asked
            commit = api.create_commit(
                place.repo_id,
                repo_type=place.kind,
                operations=operations,
                commit_message=message,
                revision=place.revision,
                create_pr=place.create_pr,
                parent_commit=standing.sha,
            )
            return files, commit.oid, commit.pr_url or url_of(place)
        except ERRORS as error:
            lost = status(error) == 412
            races, errors = races + lost, errors + (not lost)
            if (not lost and not passing(error)) or errors >= ATTEMPTS or races >= RACES:
                raise
            _wait(min(races, 4) / 2 if lost else 2.0 ** (errors - 1))


def _operations(files: Files, standing: Standing) -> Operations:
    return [
        CommitOperationDelete(path) if content is None else CommitOperationAdd(path, content)
        for path, content in sorted(files.items())
        if content is not None or path in standing.files
    ]


def _asked(api: HfApi, place: Place, operations: Operations, title: str) -> tuple[str, str] | None:
    """
    The commit and the address of an open pull request of one's own that asks for just this: the answer to an earlier
    attempt, or to an earlier command, may have been lost.
    """
    repo: dict[str, Any] = {"repo_id": place.repo_id, "repo_type": place.kind}
    me, branch = api.whoami()["name"], f"refs/heads/{place.revision or 'main'}"
    for found in api.get_repo_discussions(**repo, author=me, discussion_type="pull_request"):
        if (found.author, found.title) != (me, title) or found.status not in ("open", "draft"):
            continue
        standing = _stand(api, replace(place, revision=found.git_reference))
        details = api.get_discussion_details(**repo, discussion_num=found.num)
        if details.target_branch == branch and _holds(standing, operations):
            return str(standing.sha), found.url
    return None


def _holds(standing: Standing, operations: Operations) -> bool:
    """Whether a commit of these would change nothing."""
    return all(_is(standing.files.get(operation.path_in_repo), operation) for operation in operations)


def _is(file: RepoFile | None, operation: CommitOperationAdd | CommitOperationDelete) -> bool:
    if file is None or isinstance(operation, CommitOperationDelete):
        return file is None and isinstance(operation, CommitOperationDelete)
    if file.lfs:
        return bool(file.lfs.sha256 == operation.upload_info.sha256.hex())
    with operation.as_file() as content:
        return bool(file.blob_id == git_hash(content.read()))


def _tags(api: HfApi, place: Place) -> dict[str, str]:
    """The commit of each tag."""
    refs = api.list_repo_refs(place.repo_id, repo_type=place.kind)
    return {ref.name: ref.target_commit for ref in refs.tags}


def _require_free_tag(api: HfApi, standing: Standing, operations: Operations) -> None:
    """Before the commit: stops where the tag stands already, unless it is on just this state."""
    place = standing.place
    at = _tags(api, place).get(str(place.tag))
    if at is not None and not (at == standing.sha and _holds(standing, operations)):
        raise ConfigError(
            f"--tag {place.tag}: {place.repo_id} has this tag on another state ({at[:8]}), and a tag never moves; "
            "nothing was committed there, repeat with another --tag"
        )


def _tag(api: HfApi, place: Place, commit: str) -> None:
    tags = _tags(api, place)
    if tags.get(str(place.tag), commit) != commit:  # somebody was faster
        raise ConfigError(
            f"--tag {place.tag}: {place.repo_id} has this tag on another state, and a tag never moves; the data is "
            f"pushed ({commit[:8]}), give it another --tag"
        )
    if place.tag not in tags:
        api.create_tag(place.repo_id, repo_type=place.kind, tag=str(place.tag), revision=commit)


@contextlib.contextmanager
def discreet() -> Iterator[None]:
    """Under HF_DEBUG the client logs its requests, and with them secrets and the first bytes of each data file."""
    before, constants.HF_DEBUG = constants.HF_DEBUG, False
    try:
        yield
    finally:
        constants.HF_DEBUG = before


def persistently(call: Callable[[], Any]) -> Any:
    """Repeats a call that changes nothing when it is made twice, until the Hub answers it."""
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except ERRORS as error:
            if not passing(error) or attempt == ATTEMPTS - 1:
                raise
            _wait(2.0**attempt)
    raise AssertionError("unreachable")


def _wait(seconds: float) -> None:
    # Two that were refused at the same moment must not come back at the same moment.
    time.sleep(seconds * np.random.default_rng().uniform(0.5, 1.5))
