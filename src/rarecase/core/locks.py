"""One process at a time: a lock beside a folder, which the system releases when its process ends, killed or not."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from rarecase.core.errors import InUseError
from rarecase.core.files import writable
from rarecase.core.processes import on_main
from rarecase.core.progress import say


@contextlib.contextmanager
def locked(folder: Path, waiting_for: str = "") -> Iterator[None]:
    """
    Holds the lock `.NAME.lock` beside `folder`, which need not exist.

    Where another process holds it, raises `InUseError`; or says on stderr what it waits for, and waits. Of several
    processes of one launcher (`rarecase.core.processes`) the main one holds it for all.
    """
    with contextlib.ExitStack() as held:
        on_main(lambda: held.enter_context(_locked(folder, waiting_for)))
        yield


@contextlib.contextmanager
def _locked(folder: Path, waiting_for: str) -> Iterator[None]:
    place = folder.resolve()  # by whatever path others name it
    path = place.with_name(f".{place.name}.lock")
    if place.exists() and not os.access(place.parent, os.W_OK):  # such as one that is mounted into a container
        path = place / ".lock"
    missing = [above for above in place.parents if not above.exists()]
    with writable(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if not waiting_for:
                raise InUseError(
                    f"{folder}: another process works in it; wait until it has ended, or name another folder"
                ) from None
            say(f"waiting for {waiting_for}")
            lock.acquire()
    try:
        yield
    finally:
        # While it is held: filelock makes sure that the file which it has locked is still there, and else tries again.
        with contextlib.suppress(OSError):  # Windows keeps what is open
            path.unlink()
        lock.release()
        if not place.exists():  # nothing was begun, so nothing stays
            for above in missing:
                with contextlib.suppress(OSError):
                    above.rmdir()
