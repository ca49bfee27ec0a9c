"""A label store's files to and from its private data set repository on the Hub; `sync.py` says what they hold."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rarecase.core.errors import ConfigError
from rarecase.hub import commit
from rarecase.hub.commit import Files, Snapshot, Target, read_snapshot

if TYPE_CHECKING:
    from rarecase.labeling.store.sync import EventFiles

CARD = """---
viewer: false
tags: [rarecase, not-for-all-audiences]
---

# Labels by people

> **Content warning.** The texts that were given out to be labelled stand in here, and some are hard to read.

What a labeling page of the software rarecase is given, and what it brings back: texts under `queue/`, and under
`events/` who said what of them. Keep this repository private: it holds texts, and the names of who labelled them.

Files are added and never rewritten. Do not edit them; the page and the run read them as they are.
"""


def exchange(repo_id: str, files: "EventFiles", push: Callable[..., object] | None = None) -> None:
    """
    Uploads what is new in a log, then reads what others have uploaded, and raises a `DataError` where rarecase did not
    write that. The data set is made, private, where there is none, and refused where it is public.
    """
    snapshot = read_snapshot(Target(kind="dataset", repo_id=repo_id))
    require_private(snapshot)
    if new := files.to_upload():
        wanted, folders = {"README.md": CARD.encode(), **new}, sorted({path.split("/")[0] for path in new})
        (push or commit.push)(snapshot.target, lambda now: missing(now, wanted), f"Add {', '.join(folders)}")
        files.mark_uploaded(new)
    if unread := files.unread(snapshot.files):
        files.read(contents(snapshot, unread))


def require_private(snapshot: Snapshot) -> None:
    """Stops with a `ConfigError` before a text or a name reaches a repository that everybody sees."""
    if not snapshot.private:
        raise ConfigError(
            f"{snapshot.target.repo_id} is public, and labeling is about texts and names; make it private, or name "
            "another one"
        )


def contents(snapshot: Snapshot, paths: Sequence[str]) -> dict[str, bytes]:
    """Downloads files of a repository, several at once; raises a `HubError` after a few attempts."""
    with ThreadPoolExecutor(8) as pool:  # after a restart it is hundreds of files
        return dict(zip(paths, pool.map(lambda path: snapshot.read(path).read_bytes(), paths), strict=True))


def missing(snapshot: Snapshot, files: Mapping[str, bytes]) -> Files:
    """
    The files that the repository does not have. One that is there came from here, since no two have one name, and is
    not written again, whatever got lost in between.
    """
    return {path: content for path, content in files.items() if path not in snapshot.files}
