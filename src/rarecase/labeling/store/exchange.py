"""A label store's files to and from its private data set repository; what stands in them, `hub.py` beside it says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rarecase.core.errors import ConfigError
from rarecase.hub.commit import Files, Snapshot, Target, push, read_snapshot

if TYPE_CHECKING:
    from rarecase.labeling.store.hub import Ledger

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


def exchange(repo_id: str, ledger: "Ledger") -> None:
    """
    Brings what is new in a log to the Hub, then fetches what others brought there.

    Args:
        repo_id (`str`): `owner/name` of the data set repository; it is made, private, where there is none yet and
            something to bring there.
        ledger (`Ledger`): of the log.

    Raises:
        `ConfigError`: where anybody can read the repository; nothing is sent then.
        `HubError`: where the Hub refuses or does not answer, after a few attempts.
        `DataError`: where a file there is not what rarecase wrote; what is new here has been sent all the same.

    Example:
        >>> exchange("acme/safety-labels", Ledger(desk))
    """
    snapshot = read_snapshot(Target(kind="dataset", repo_id=repo_id))
    require_private(snapshot)
    new = ledger.outgoing()
    if new:
        push(snapshot.target, _additions(new), _message(new))
        ledger.flushed(new)
    unread = ledger.unread(snapshot.files)
    if unread:
        ledger.read(contents(snapshot, unread))


def require_private(snapshot: Snapshot) -> None:
    """
    Stops before a text or a name reaches a repository that everybody sees.

    Raises:
        `ConfigError`: where it is public.
    """
    if not snapshot.private:
        raise ConfigError(
            f"{snapshot.target.repo_id} is public, and labeling is about texts and names; make it private, or name "
            "another one"
        )


def _additions(new: dict[str, bytes]) -> Callable[[Snapshot], Files]:
    """
    What is not there yet. A file that stands there came from here, since no two have one name, and is not written
    again, whatever got lost in between.
    """

    def build(snapshot: Snapshot) -> Files:
        card = {} if "README.md" in snapshot.files else {"README.md": CARD.encode()}
        return {**card, **{path: content for path, content in new.items() if path not in snapshot.files}}

    return build


def _message(new: dict[str, bytes]) -> str:
    return f"Add {', '.join(sorted({path.split('/')[0] for path in new}))}"


def contents(snapshot: Snapshot, paths: list[str]) -> dict[str, bytes]:
    """
    Files of a repository as they stand, several at once.

    Raises:
        `HubError`: where the Hub refuses or does not answer, after a few attempts.
    """

    def content(path: str) -> bytes:
        return snapshot.read(path).read_bytes()

    with ThreadPoolExecutor(8) as pool:  # after a restart it is hundreds of files
        return dict(zip(paths, pool.map(content, paths), strict=True))
