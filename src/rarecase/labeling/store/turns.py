"""
Turns of many threads, several in one commit.

A commit waits for the disk and takes much longer than what it holds. When a server comes back, everybody sends at once
what was not answered, and with a commit for each the last of them would wait for seconds. So whoever has had a turn
leaves the log open for those who wait for theirs, a moment at most, and one of them commits for all. Nobody is told
that something has happened before it is committed.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rarecase.core.errors import DataError, RarecaseError
from rarecase.labeling.store.log import Log, Turn

LINGER = 0.05  # seconds that a turn waits for others at most


class Turns:
    """
    Gives out turns, one thread at a time.

    Args:
        log (`Log`): what they append to.
        undone (`Callable`): called where turns have failed, and nothing of them is in the log.

    Example:
        >>> with Turns(log, undone=lambda: None).turn() as turn:
        ...     turn.append(Event("vote", item="3f2a", person="ann", data={"label": "legal-advice"}))
    """

    def __init__(self, log: Log, undone: Callable[[], None]):
        self._log = log
        self._undone = undone
        self._lock = threading.RLock()
        self._coming: set[int] = set()  # threads that wait for a turn
        self._open: _Open | None = None

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """
        As `Log.turn`: when the block has ended, what it appended is in the log.

        Raises:
            `DataError`: where the database fails, or a turn that was to be committed with this one.
        """
        self._coming.add(threading.get_ident())
        with self._lock:
            self._coming.discard(threading.get_ident())
            mine = self._open = self._open or _Open(self._log)
            mine.turn.now = self._log.clock()
            try:
                yield mine.turn
            except BaseException as error:
                self._end(error)
                raise
        if self._coming:
            mine.ended.wait(LINGER)
        with self._lock:
            if not mine.ended.is_set():
                self._end()
        if isinstance(mine.failed, RarecaseError):
            raise mine.failed
        if mine.failed is not None:
            raise DataError(f"label store: what was to be written with this failed ({type(mine.failed).__name__})")

    def _end(self, error: BaseException | None = None) -> None:
        """Commits, or where something was raised takes all of it back."""
        ended, self._open = self._open, None
        assert ended is not None  # noqa: S101
        try:
            if error is None:
                ended.manager.__exit__(None, None, None)
            else:
                ended.manager.__exit__(type(error), error, error.__traceback__)
            ended.failed = error
        except BaseException as failure:  # whoever shares this commit has to know
            ended.failed = failure
        if ended.failed is not None:
            self._undone()
        ended.ended.set()
        if error is not None and ended.failed is not None and ended.failed is not error:
            raise ended.failed from None  # what the log says of an error of its database


class _Open:
    """A turn of the log that is not committed yet."""

    def __init__(self, log: Log):
        self.manager: AbstractContextManager[Turn] = log.turn()
        self.turn = self.manager.__enter__()
        self.ended = threading.Event()
        self.failed: BaseException | None = None
