"""What is stored in groups, by a thread: one transaction for all that came while the one before was written."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from rarecase.llm.replies import Change, Replies

GATHERING = 0.02  # seconds that the first of a group waits for others: a transaction costs as much as they do together


class Groups:
    """Stores what coroutines hand in. A kill loses the group that is being written, and the one that gathers."""

    def __init__(self, replies: Replies):
        self._replies = replies
        self._gathered: list[Change] = []
        self._stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1)

    def add(self, *changes: Change) -> "asyncio.Future[None]":
        """Hands in changes that belong together; done once they are on the disk."""
        self._gathered += changes
        self._wake.set()
        return self._stored

    async def write(self) -> None:
        """Stores group after group until it is cancelled; a `DiskFullError` where that is what ends it."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHERING)
            stored, self._stored = self._stored, asyncio.get_running_loop().create_future()
            job = self._thread.submit(self._replies.write, self._take())
            await asyncio.shield(asyncio.wrap_future(job))  # a group that was handed over is written in any case
            stored.set_result(None)

    def flush(self) -> None:
        """Stores what is left, after a group that is still being written."""
        with self._thread:
            self._thread.submit(self._replies.write, self._take()).result()

    def _take(self) -> list[Change]:
        group, self._gathered = self._gathered, []
        self._wake.clear()
        return group
