"""Replies stored in groups, by a thread: one transaction for all that came while the one before was written."""

import asyncio

from rarecase.llm.replies import Replies, Request

GATHERING = 0.02  # seconds that the first of a group waits for others: a transaction costs as much as they do together


class Groups:
    """Stores what coroutines hand in. A kill loses the group that is being written, and the one that gathers."""

    def __init__(self, replies: Replies):
        self._replies = replies
        self._gathered: list[tuple[Request, str, str]] = []
        self._wake = asyncio.Event()

    def add(self, request: Request, address: str, reply: str) -> None:
        """Hands in a reply, or what stands for one."""
        self._gathered.append((request, address, reply))
        self._wake.set()

    async def write(self) -> None:
        """Stores group after group until it is cancelled; a `DiskFullError` where that is what ends it."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHERING)
            await asyncio.to_thread(self._replies.put_all, self._take())

    def flush(self) -> None:
        """Stores what is left, after a group that is still being written."""
        self._replies.put_all(self._take())

    def _take(self) -> list[tuple[Request, str, str]]:
        group, self._gathered = self._gathered, []
        self._wake.clear()
        return group
