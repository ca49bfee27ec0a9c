"""Taking rows down: with their variations, in a new commit, and with `purge` out of everything older as well."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from huggingface_hub import HfApi

from rarecase.core.errors import ConfigError, shown_id
from rarecase.core.progress import Progress
from rarecase.data.parquet import parquet_bytes, read_parquet
from rarecase.data.schema import hash_of, label_names
from rarecase.demo_space.data import SETTINGS
from rarecase.hub.commit import Files, Pushed, Snapshot, Target, push, read_snapshot
from rarecase.hub.errors import retried
from rarecase.publish.catalog import (
    content_digest,
    described,
    file_facts,
    filled,
    paths,
    require_rows,
    stored,
    without,
)
from rarecase.publish.facts import config_facts


@dataclass(frozen=True)
class Removed:
    """
    What was taken down.

    Args:
        pushed (`Pushed`): the state without the rows.
        rows (`int`): those that were named.
        variations (`int`): those that went with them.
        purged (`bool`): whether older revisions are gone, too.
        demo (`str`, *optional*): the demo Space of the data set, which shows an older revision until it is published
            again.
    """

    pushed: Pushed
    rows: int
    variations: int
    purged: bool
    demo: str | None


def remove(repo_id: str, ids: Iterable[str], *, purge: bool = False) -> Removed:
    """
    Takes rows and their variations out of every config and split of a dataset repository.

    The repository stays as public as it is, and remembers a hash of the ids: no later push brings the rows back.

    Args:
        repo_id (`str`): `owner/name`.
        ids (`Iterable[str]`): of the rows.
        purge (`bool`): also squash the history, drop the tags on older states, and delete the files behind them.

    Raises:
        `ConfigError`: naming an id that no row has; or, with `purge`, a branch or an open pull request that could
            still hold the rows.
        `HubError`: where the Hub refuses or does not answer. The same call again goes on.

    Example:
        >>> remove("acme/safety", ["cluster-017"], purge=True).variations
        5
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise ConfigError("--ids is empty: expected ids separated by commas, such as cluster-017,cluster-041")
    target = Target(kind="dataset", repo_id=repo_id)
    snapshot = read_snapshot(target)
    if snapshot.sha is None:
        raise ConfigError(f"{repo_id}: no such data set on the Hub, or not for this token; check --repo and HF_TOKEN")
    if purge:
        _require_one_branch(target)
    gone = {"rows": 0, "variations": 0}

    def build(snapshot: Snapshot) -> Files:
        files, rows, variations = _files(snapshot, wanted)
        # Where the answer to a commit was lost, it is built once more, and the rows are gone already.
        gone.update(rows=max(rows, gone["rows"]), variations=max(variations, gone["variations"]))
        return files

    pushed = push(replace(target, public=not snapshot.private), build, f"Take down {_several(len(wanted), 'row')}")
    if purge:
        _purge(target)
        pushed = replace(pushed, revision=str(read_snapshot(target).sha))
    return Removed(pushed, **gone, purged=purge, demo=_demo_of(repo_id))


def counted(rows: int, variations: int) -> str:
    """How much went, in words: `1 row and 5 variations`."""
    return f"{_several(rows, 'row')} and {_several(variations, 'variation')}"


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _files(snapshot: Snapshot, ids: Collection[str]) -> tuple[Files, int, int]:
    """The data files that change, with card and release.json; how many rows and variations are gone."""
    known = stored(snapshot)
    gone = {hash_of(id_) for id_ in ids}
    tables: dict[str, Any] = {}
    data: dict[str, bytes] = {}
    seen = set(known["removed"])
    rows = variations = 0
    for path in sorted(paths(known["configs"])):
        table = read_parquet(snapshot.read(path))
        seen |= gone & {hash_of(id_) for id_ in table["id"][:]}
        tables[path], named, varied = without(table, gone)
        rows, variations = rows + named, variations + varied
        if tables[path] is not table:
            data[path] = parquet_bytes(tables[path])
    unknown = [id_ for id_ in ids if hash_of(id_) not in seen]
    if unknown:
        raise ConfigError(
            f"--ids{shown_id(unknown[0])}: no row of {snapshot.target.repo_id} has this id; use one of its column `id`"
        )
    recounted = {name: _recounted(config, tables, data) for name, config in known["configs"].items()}
    configs = {name: config for name, config in recounted.items() if config["splits"]}
    require_rows(configs, snapshot)
    facts = {key: value for key, value in known.items() if key not in ("version", "changelog")}
    facts |= {
        "configs": configs,
        "default": known["default"] if known["default"] in configs else next(iter(configs)),
        "removed": sorted(set(known["removed"]) | gone),
    }
    data = {path: content for path, content in data.items() if path in paths(configs)}
    return {**data, **described(facts, known, f"took down {counted(rows, variations)}")}, rows, variations


def _recounted(config: dict[str, Any], tables: dict[str, Any], data: dict[str, bytes]) -> dict[str, Any]:
    """What is said of a config, after its files have changed."""
    if not any(split["path"] in data for split in config["splits"].values()):
        return config
    splits = filled({name: tables[split["path"]] for name, split in config["splits"].items()})
    if not splits:
        return {**config, "splits": {}}
    facts = config_facts(splits, label_names(next(iter(splits.values()))))
    for name, split in facts["splits"].items():
        before = config["splits"][name]
        content = data.get(before["path"])
        split |= {"path": before["path"], **({k: before[k] for k in ("file_bytes", "sha256")})}
        split |= file_facts(content) if content is not None else {}
    return {**config, **facts, "digest": content_digest(facts["splits"])}


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
            f"--purge: {target.repo_id} has the branch {other[0]!r}, which may hold the rows; delete it first (`hf "
            "repos branch delete`)"
        )
    # Those that were merged or closed lose the files behind them like every older state.
    still = [request for request in requests if request.status in ("open", "draft")]
    if still:
        raise ConfigError(
            f"--purge: {target.repo_id} has the open pull request {still[0].num}, which may hold the rows; merge or "
            f"close it first ({still[0].url})"
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
