"""
A release folder as the files of a dataset repository, merged with what the repository has.

The repository's release.json is the record of all configs; the second publisher reads it, adds their configs, and
writes the whole card again. A file that another config uses is never overwritten: where two test sets differ, the
later one is put into the folder of its config.
"""

import itertools
import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets import Dataset

from rarecase.core.errors import ConfigError, DataError, command_line, listed
from rarecase.data.arrow import with_column
from rarecase.data.parquet import parquet_bytes, read_parquet
from rarecase.data.read.card import paths_in, require_inside
from rarecase.data.read.table import is_release
from rarecase.data.release import ALL, RELEASE, Config, Release
from rarecase.data.schema import conform, features, is_language_model, label_names
from rarecase.hub.commit import Files, Push, Pushed, Snapshot, Target, push
from rarecase.publish.repository import counted_anew, loadable, release_files, release_in, texts_in, without_rows
from rarecase.publish.summary import DataFile, summarize
from rarecase.runs.folder import Manifest, is_begun, went_on_after


@dataclass(frozen=True)
class ReleaseFolder:
    """A release on this machine, with the file of each split of each config."""

    folder: Path
    release: Release
    paths: Mapping[str, Mapping[str, str]]


def publish_dataset(
    folder: Path,
    target: Target,
    license: str,
    *,
    accept_no_license: bool = False,
    about: Mapping[str, str | None] | None = None,
    send: Push = push,
) -> Pushed:
    """
    Publishes a release, or that of a run, beside the configs that the repository has; `about` are fields of
    `rarecase.data.release.About`, `title` and `description`, and those that are left out keep their stored value.
    """
    local = read_release(folder)
    require_license(local.release, accept_no_license)
    message = f"Add {', '.join(local.paths)}"
    return send(target, lambda snapshot: dataset_files(local, snapshot, license=license, about=about or {}), message)


def read_release(folder: Path) -> ReleaseFolder:
    """The release in a folder, or that of the finished run in it; a `DataError` where there is none."""
    run = folder if is_begun(folder) else None
    if run is not None:
        Manifest.read(folder, "run")
        if not (folder / "data").is_dir():
            raise DataError(
                f"{folder}: the run is not finished; go on with: {command_line('run', '--resume', folder)}"
            )
        folder = folder / "data"
    if not folder.is_dir() or not is_release(folder) or not (folder / RELEASE).is_file():
        raise DataError(
            f"{folder}: no run and no release (README.md with configs, {RELEASE}); give a folder that `rarecase run` "
            "or `rarecase import-published` wrote"
        )
    require_inside(folder)
    release = Release.read(folder / RELEASE)
    if run is not None:
        _warn_of_later_rounds(run)
    return ReleaseFolder(folder, release, paths_in(folder / "README.md"))


def _warn_of_later_rounds(run: Path) -> None:
    """What is published is less than the run has."""
    last = went_on_after(run)
    if last is not None:
        resume = command_line("run", "--resume", run)
        warnings.warn(
            f"{run}: the run went on after round {last}, and what is published is as of that round; for the "
            f"rest, publish again once this has ended: {resume}",
            stacklevel=2,
        )


def require_license(release: Release, accepted: bool) -> None:
    """Stops where the source of the texts states no licence, unless the publisher accepts that."""
    silent = {str(config.source) for config in release.configs.values() if config.source_states_no_license}
    if silent and not accepted:
        raise ConfigError(
            f"the source states no licence ({listed(sorted(silent))}), so it permits nobody to pass its texts on; "
            "if you may do so all the same, repeat with --accept-no-license"
        )


def dataset_files(local: ReleaseFolder, snapshot: Snapshot, *, license: str, about: Mapping[str, str | None]) -> Files:
    """The files of the repository once the release is in it; its configs replace those of the same names."""
    known, repo_id = counted_anew(release_in(snapshot), snapshot), snapshot.target.repo_id
    if known.classes and known.names != local.release.names:
        raise ConfigError(
            f"{repo_id} has other classes than {local.folder} ({listed(known.names)}); name another --repo"
        )
    others = {name: config for name, config in known.configs.items() if name not in local.paths}
    if others and known.license != license:
        raise ConfigError(
            f"--license {license}: {listed(others)} of {repo_id} came under {known.license}, and one repository "
            f"has one licence; repeat with --license {known.license}, or name another --repo"
        )
    added, data, texts = _added(local, others, known.removed)
    there = {split.path for of in others.values() for split in of.splits.values()}
    elsewhere = texts_in(snapshot, there - data.keys())
    come_twice = any(not elsewhere.isdisjoint(texts[path]) for path in data.keys() - there)
    about = dict(about)
    title, description = about.pop("title", None), about.pop("description", None)
    configs = dict(sorted({**others, **added}.items()))
    _warn_of_replaced(repo_id, known.configs, configs)
    release = replace(
        known,
        title=" ".join((title or "").split()) or known.title or local.release.title or title_of(repo_id),
        description=known.description if description is None else description,
        repo_id=repo_id,
        license=license,
        default=_default(known.default, local.release.default, [*others, *added], come_twice, repo_id),
        classes=local.release.classes,
        about=replace(known.about, **about),
        configs=configs,
        texts=len(elsewhere.union(*texts.values())),
    )
    return {**data, **release_files(release, known, _change(known.configs, configs))}


def title_of(repo_id: str) -> str:
    """The title of a data set whose publisher gives none: `Flood posts` for `acme/flood-posts`."""
    words = re.sub(r"[-_]+", " ", repo_id.split("/")[-1]).strip()
    return words[:1].upper() + words[1:]


def _default(known: str, own: str, names: Sequence[str], come_twice: bool, repo_id: str) -> str:
    """
    The config that answers where none is named: `known`, that of the repository, else `own`, that of the release.

    `all` is there only where no text would come twice in it: two strategies may have chosen the same one.
    """
    if known in names:
        return known
    if ALL in (known, own) and not come_twice:
        return ALL
    chosen = [name for name in (own, *names) if name in names and name != "bootstrap"]
    default = next(iter([*chosen, *names]), "")
    if known == ALL:
        warnings.warn(
            f"{repo_id}: texts stand in several configs now, so there is no config of all of them any more; without a "
            f"name, `load_dataset` takes {default}",
            stacklevel=2,
        )
    return default


def _added(
    local: ReleaseFolder, others: Mapping[str, Config], removed: Collection[str]
) -> tuple[dict[str, Config], dict[str, bytes], dict[str, set[str]]]:
    """The configs of the release, content and texts of their files, without removed rows and names of annotators."""
    taken = {split.path: split.sha256 for config in others.values() for split in config.splits.values()}
    configs: dict[str, Config] = {}
    data: dict[str, bytes] = {}
    texts: dict[str, set[str]] = {}
    used = {path for paths in local.paths.values() for path in paths.values()}
    stored = {path: read_parquet(local.folder / path) for path in used}
    released = {path: _released(table, local.folder / path, local.release.names) for path, table in stored.items()}
    aliases = _aliases(released.values())
    for name, paths in local.paths.items():
        read = {split: released[path] for split, path in paths.items()}
        kept = {split: without_rows(_anonymous(table, aliases), removed).table for split, table in read.items()}
        tables, files = loadable(kept), {}
        for split, table in tables.items():
            path = paths[split]
            content = (local.folder / path).read_bytes() if table is stored[path] else parquet_bytes(table)
            files[split] = _placed(DataFile.of(path, content), taken, f"{name}/{split}")
            data[files[split].path] = content
            texts[files[split].path] = {*table["text"][:]}
        configs[name] = summarize(local.release.configs.get(name, Config()), tables, local.release.names, files)
    return {name: config for name, config in configs.items() if config.splits}, data, texts


def _released(table: Dataset, path: Path, names: Sequence[str]) -> Dataset:
    """The table with the columns of a release alone: what somebody has added to a file may not be for others."""
    if label_names(table) != names:
        raise DataError(f"{path}: its classes are not those of {RELEASE} ({listed(names)}); put the file back")
    if table.features == features(names):
        return table
    try:
        return conform(table, names)
    except (ValueError, TypeError, NotImplementedError):  # of Arrow, and could contain a row of the data
        raise DataError(f"{path}: a column is not of the type that it has in a release; put the file back") from None


def _warn_of_replaced(repo_id: str, before: Mapping[str, Config], after: Mapping[str, Config]) -> None:
    """Two people who use one strategy have configs of one name: the second publisher should know what is replaced."""
    for name in before.keys() & after.keys():
        splits = (config.splits.get("train") for config in (before[name], after[name]))
        (old, old_rows), (new, new_rows) = ((split.sha256, split.rows) if split else ("", 0) for split in splits)
        if old != new:
            warnings.warn(
                f"{repo_id}: {name} exists with other texts to learn from (rows: {old_rows}), which are replaced "
                f"(rows: {new_rows})",
                stacklevel=2,
            )


def _aliases(tables: Iterable[Dataset]) -> dict[str, str]:
    """Annotators leave the project as A1, A2, …: the new name of each who has another one."""
    names: set[str] = set()
    for table in tables:
        names |= {name for name in table["annotator"][:] if name}
        names |= {vote["annotator"] for votes in table["votes"][:] for vote in votes or [] if vote["annotator"]}
    known = {name for name in names if name == "gold" or is_language_model(name) or re.fullmatch(r"A\d+", name)}
    free = (alias for number in itertools.count(1) if (alias := f"A{number}") not in known)
    return dict(zip(sorted(names - known), free, strict=False))


def _anonymous(table: Dataset, aliases: Mapping[str, str]) -> Dataset:
    if not aliases:
        return table
    votes = [
        cast and [{**vote, "annotator": aliases.get(vote["annotator"], vote["annotator"])} for vote in cast]
        for cast in table["votes"][:]
    ]
    table = with_column(table, "votes", votes, table.features["votes"])
    names = [aliases.get(name, name) for name in table["annotator"][:]]
    return with_column(table, "annotator", names, table.features["annotator"])  # all of a split's may be None


def _placed(file: DataFile, taken: dict[str, str], own: str) -> DataFile:
    """The file at the path of an equal one, or at a free path; `taken`, the hash of each path, gets it."""
    equal = [path for path, sha256 in taken.items() if sha256 == file.sha256]
    free = (file.path, f"{own}.parquet", f"{own}-{file.sha256[:8]}.parquet")
    path = equal[0] if equal else next(path for path in free if path not in taken)
    taken[path] = file.sha256
    return file._replace(path=path)


def _change(before: Mapping[str, Config], after: Mapping[str, Config]) -> str:
    """The line of the changelog: which configs are new, and which are replaced."""
    added = [name for name in after if name not in before]
    replaced = [name for name in after if name in before and after[name] != before[name]]
    parts = [f"{verb} {', '.join(names)}" for verb, names in (("added", added), ("replaced", replaced)) if names]
    return "; ".join(parts) or "what is known about the data"
