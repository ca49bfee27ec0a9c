"""A label store's files to and from its private data set repository; what stands in them, `hub.py` beside it says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from rarecase.core.errors import ConfigError
from rarecase.hub.commit import Files, Place, Standing, look, persistently, push
from rarecase.hub.errors import answers

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
    standing = look(Place(kind="dataset", repo_id=repo_id))
    require_private(standing)
    new = ledger.outgoing()
    if new:
        push(standing.place, _additions(new), _message(new))
        ledger.flushed(new)
    unread = ledger.unread(standing.files)
    if unread:
        ledger.read(contents(standing, unread))


def require_private(standing: Standing) -> None:
    """
    Stops before a text or a name reaches a repository that everybody sees.

    Raises:
        `ConfigError`: where it is public.
    """
    if not standing.private:
        raise ConfigError(
            f"{standing.place.repo_id} is public, and labeling is about texts and names; make it private, or name "
            "another one"
        )


def _additions(new: dict[str, bytes]) -> Callable[[Standing], Files]:
    """
    What is not there yet. A file that stands there came from here, since no two have one name, and is not written
    again, whatever got lost in between.
    """

    def build(standing: Standing) -> Files:
        card = {} if "README.md" in standing.files else {"README.md": CARD.encode()}
        return {**card, **{path: content for path, content in new.items() if path not in standing.files}}

    return build


def _message(new: dict[str, bytes]) -> str:
    return f"Add {', '.join(sorted({path.split('/')[0] for path in new}))}"


def contents(standing: Standing, paths: list[str]) -> dict[str, bytes]:
    """
    Files of a repository as they stand, several at once.

    Raises:
        `HubError`: where the Hub refuses or does not answer, after a few attempts.
    """

    def content(path: str) -> bytes:
        found: Path = persistently(lambda: standing.read(path))
        return found.read_bytes()

    with answers(standing.place.repo_id), ThreadPoolExecutor(8) as pool:  # after a restart it is hundreds of files
        return dict(zip(paths, pool.map(content, paths), strict=True))
