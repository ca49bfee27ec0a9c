"""Taking rows down: with their variations, in a new commit, and with `purge` out of everything older as well."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from datasets import Dataset
from huggingface_hub import HfApi

from rarecase.core.errors import ConfigError, shown_id
from rarecase.core.progress import Progress
from rarecase.data.parquet import parquet_bytes, read_parquet
from rarecase.data.release import ALL, Config
from rarecase.data.schema import hash_of, public_id
from rarecase.demo_space.data import SETTINGS
from rarecase.hub.commit import Files, Pushed, Snapshot, Target, push, read_snapshot
from rarecase.hub.errors import retried
from rarecase.publish.repository import counted_anew, loadable, release_files, release_in, without_rows
from rarecase.publish.summary import DataFile, summarize


@dataclass(frozen=True)
class Removed:
    """What was taken down: the rows that were named, and the variations that went with them."""

    pushed: Pushed
    rows: int
    variations: int
    purged: bool  # whether older revisions are gone, too
    demo: str | None  # the demo Space, which shows an older revision until it is published again


@dataclass(frozen=True)
class PlannedRemoval:
    """What `remove` would take down: ids (those that could be a post as a hash) and, with `purge`, what is older."""

    repo_id: str
    rows: tuple[str, ...]
    variations: tuple[str, ...]
    files: tuple[str, ...]  # that change or go
    commits: int = 0  # of the history that would be squashed
    tags: tuple[str, ...] = ()
    old_files: tuple[str, ...] = ()  # of older states, by what they were called

    def __str__(self) -> str:
        """A line for each thing that would go."""
        listed = {"row": self.rows, "variation": self.variations, "file": self.files}
        listed |= {"tag": self.tags, "old file": self.old_files}
        lines = [f"{what:>10}  {name}" for what, names in listed.items() for name in names]
        squashed = [f"{'history':>10}  {_several(self.commits, 'commit')}, squashed into one"] if self.commits else []
        return "\n".join([f"{self.repo_id}: {counted(len(self.rows), len(self.variations))}", *lines, *squashed])


def remove(repo_id: str, ids: Iterable[str], *, purge: bool = False) -> Removed:
    """
    Takes rows and their variations out of all of a data set, which keeps a hash of the ids: no later push brings them
    back. `purge` also squashes the history, drops tags, and deletes the files behind them. The same call again
    continues.
    """
    wanted, snapshot = _wanted(repo_id, ids, purge)
    target = snapshot.target
    demo = _demo_of(repo_id)  # asked first: what fails after the purge would call a finished removal failed
    rows = variations = 0

    def build(snapshot: Snapshot) -> Files:
        nonlocal rows, variations
        files, *gone = _files(snapshot, wanted)
        # Where the answer to a commit was lost, it is built once more, and the rows are gone already.
        rows, variations = max(rows, len(gone[0])), max(variations, len(gone[1]))
        return files

    pushed = push(replace(target, public=not snapshot.private), build, f"Take down {_several(len(wanted), 'row')}")
    if purge:
        _purge(target)
        pushed = replace(pushed, revision=str(read_snapshot(target).sha))
    return Removed(pushed, rows, variations, purge, demo)


def plan_removal(repo_id: str, ids: Iterable[str], *, purge: bool = False) -> PlannedRemoval:
    """What `remove` would do; changes nothing."""
    wanted, snapshot = _wanted(repo_id, ids, purge)
    target, api, ask = snapshot.target, HfApi(), partial(retried, repo_id)
    files, *gone = _files(snapshot, wanted)
    rows, variations = (tuple(map(public_id, some)) for some in gone)
    plan = PlannedRemoval(repo_id, rows, variations, tuple(sorted(files)))
    if not purge:
        return plan
    refs, commits = ask(lambda: api.list_repo_refs(**target.repo)), ask(lambda: api.list_repo_commits(**target.repo))
    kept = {file.lfs.sha256 for path, file in snapshot.files.items() if file.lfs and path not in files}
    old = [file.filename for file in ask(lambda: list(api.list_lfs_files(**target.repo))) if file.file_oid not in kept]
    tags = tuple(ref.name for ref in refs.tags)
    return replace(plan, commits=len(commits), tags=tags, old_files=tuple(sorted(old)))


def _wanted(repo_id: str, ids: Iterable[str], purge: bool) -> tuple[list[str], Snapshot]:
    """The ids, each once, and the repository, once all that can be refused is."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise ConfigError("--ids is empty: expected ids separated by commas, such as cluster-017,cluster-041")
    target = Target(kind="dataset", repo_id=repo_id)
    snapshot = read_snapshot(target)
    if snapshot.sha is None:
        raise ConfigError(
            f"{repo_id}: no such data set on the Hub, or this token may not read it; check --repo and HF_TOKEN"
        )
    if purge:
        _require_one_branch(target)
    return wanted, snapshot


def counted(rows: int, variations: int) -> str:
    """How much was taken down, such as `1 row and 5 variations`."""
    return f"{_several(rows, 'row')} and {_several(variations, 'variation')}"


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _files(snapshot: Snapshot, ids: Collection[str]) -> tuple[Files, list[str], list[str]]:
    """The data files that change, with card and release.json; the ids of the rows and variations that are gone."""
    known, gone = counted_anew(release_in(snapshot), snapshot), {hash_of(id_) for id_ in ids}
    before = {path: read_parquet(snapshot.read(path)) for path in sorted(known.paths)}
    after = {path: without_rows(table, gone) for path, table in before.items()}
    tables = {path: left.table for path, left in after.items()}
    data = {path: parquet_bytes(table) for path, table in tables.items() if table is not before[path]}
    rows = list(dict.fromkeys(id_ for left in after.values() for id_ in left.rows))  # several files may have one
    variations = list(dict.fromkeys(id_ for left in after.values() for id_ in left.variations))
    seen = {*known.removed, *(hash_of(id_) for table in before.values() for id_ in table["id"][:])}
    unknown = [id_ for id_ in ids if hash_of(id_) not in seen]
    if unknown:
        raise ConfigError(
            f"--ids{shown_id(unknown[0])}: no row of {snapshot.target.repo_id} has this id; use one of its column `id`"
        )
    configs = {name: _recounted(config, tables, data, known.names) for name, config in known.configs.items()}
    left = replace(known, configs={name: config for name, config in configs.items() if config.splits})
    default = known.default if known.default in (ALL, *left.configs) else next(iter(left.configs), "")
    texts = {text for path in left.paths for text in tables[path]["text"][:]}
    left = replace(left, default=default, texts=len(texts), removed=tuple(sorted({*known.removed, *gone})))
    data = {path: content for path, content in data.items() if path in left.paths}
    change = f"took down {counted(len(rows), len(variations))}"
    return {**data, **release_files(left, known, change)}, rows, variations


def _recounted(
    config: Config, tables: Mapping[str, Dataset], data: Mapping[str, bytes], names: Sequence[str]
) -> Config:
    """A config after its files have changed; without splits where nothing is left to learn from."""
    if not any(split.path in data for split in config.splits.values()):
        return config
    left = loadable({name: tables[split.path] for name, split in config.splits.items()})
    files = {
        name: DataFile.of(split.path, data[split.path])
        if split.path in data
        else DataFile(split.path, split.file_bytes, split.sha256)
        for name, split in config.splits.items()
    }
    return summarize(config, left, names, files)


def _demo_of(repo_id: str) -> str | None:
    """The Space that `publish all` made beside the data set, if there is one."""
    snapshot = read_snapshot(Target(kind="space", repo_id=f"{repo_id}-demo"))
    return snapshot.target.repo_id if SETTINGS in snapshot.files else None


def _require_one_branch(target: Target) -> None:
    api, ask = HfApi(), partial(retried, target.repo_id)
    refs = ask(lambda: api.list_repo_refs(**target.repo))
    requests = ask(lambda: list(api.get_repo_discussions(**target.repo, discussion_type="pull_request")))
    other = [ref.name for ref in refs.branches if ref.name != "main"]
    if other:
        raise ConfigError(
            f"--purge: {target.repo_id} has the branch {other[0]!r}, which may contain the rows; delete it first (`hf "
            "repos branch delete`)"
        )
    # Those that were merged or closed lose the files behind them like every older state.
    pending = [request for request in requests if request.status in ("open", "draft")]
    if pending:
        raise ConfigError(
            f"--purge: {target.repo_id} has the open pull request {pending[0].num}, which may contain the rows; merge "
            f"or close it first ({pending[0].url})"
        )


def _purge(target: Target) -> None:
    """Drops the tags, all of which name older states, squashes the history, and deletes the files behind them."""
    api, ask = HfApi(), partial(retried, target.repo_id)
    with Progress(3, "step") as progress:
        progress.step("dropping tags")
        for ref in ask(lambda: api.list_repo_refs(**target.repo)).tags:
            ask(partial(api.delete_tag, **target.repo, tag=ref.name))
        progress.step("squashing the history")
        ask(lambda: api.super_squash_history(**target.repo, branch="main"))
        progress.step("deleting files")
        # In this order: what somebody uploads from here on is not listed, and what they commit until then is kept.
        listed = ask(lambda: list(api.list_lfs_files(**target.repo)))
        kept = {file.lfs.sha256 for file in read_snapshot(target).files.values() if file.lfs}
        old = [file for file in listed if file.file_oid not in kept]
        if old:
            ask(lambda: api.permanently_delete_lfs_files(**target.repo, lfs_files=old))
