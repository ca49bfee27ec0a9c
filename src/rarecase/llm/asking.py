"""
One call that asks for many requests: each is entered into the ledger, sent when its turn comes, and stored.

A request goes from `_todo` by `_enter`, which waits for room in the budget and writes the entry, to `_ready`, and from
there a worker sends it; its reply and the settlement are stored together. One that fails goes back to `_todo`.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tqdm import tqdm

from rarecase.core.progress import bar, say
from rarecase.llm import outcomes
from rarecase.llm.budget import Budget
from rarecase.llm.client import Client
from rarecase.llm.formats import Format
from rarecase.llm.groups import Groups
from rarecase.llm.ledger import Entry
from rarecase.llm.outcomes import Failure
from rarecase.llm.pace import Pace
from rarecase.llm.replies import Replies, Request, no_reply_because, reply_stored

LONGEST_PAUSE = 120.0  # seconds; a server that asks for more is a case for going on later
TOLD_AT = 0.1  # of the requests: what all will cost is said, once


@dataclass
class Task:
    """A request, and how often it failed, by the reason."""

    request: Request
    tries: Counter[str] = field(default_factory=Counter)


class Asking:
    """What one call needs; `url` and `name` are for the store and for errors."""

    def __init__(
        self,
        client: Client,
        url: str,
        name: str,
        requests: Sequence[Request],
        replies: Replies,
        pace: Pace,
        budget: Budget,
        format_: Format,
    ):
        self._client, self._url, self._name = client, url, name
        self._pace, self._budget, self._format = pace, budget, format_
        self._groups = Groups(replies)
        self._number = len(requests)
        self._failed: list[Failure] = []
        self._todo: asyncio.Queue[Task] = asyncio.Queue()
        for request in requests:
            self._todo.put_nowait(Task(request))

    async def run(self, workers: int) -> None:
        """Asks, so many at a time; each request then has a stored reply, or a reason why there is none."""
        self._ready: asyncio.Queue[tuple[Task, Entry, asyncio.Future[None]]] = asyncio.Queue(workers)
        with bar(self._number, "replies", "reply", delay=2) as progress:
            try:
                async with asyncio.TaskGroup() as group:
                    running = [group.create_task(self._groups.write()), group.create_task(self._enter())]
                    running += [group.create_task(self._work(progress)) for _ in range(workers)]
                    await self._todo.join()
                    for task in running:
                        task.cancel()
            except ExceptionGroup as errors:  # the group has ended the others; the first is what to act on
                raise errors.exceptions[0] from None
            finally:
                self._groups.add(*self._budget.withdraw())
                self._groups.flush()
        if self._failed and not self._pace.has_answered:
            raise outcomes.given_up(self._url, self._failed[-1])
        if self._failed:
            reasons = Counter(failure.reason for failure in self._failed)
            counted = ", ".join(f"{reason}: {number:,}" for reason, number in reasons.most_common())
            say(f"{self._url}: {len(self._failed):,} of {self._number:,} requests stay without a reply ({counted})")

    async def _enter(self) -> None:
        """Enters what is to be asked, a few requests ahead of the workers, so that none waits for the disk."""
        while True:
            task = await self._todo.get()
            entry = await self._budget.enter(task.request)
            await self._ready.put((task, entry, self._groups.add(entry.entered)))

    async def _work(self, progress: tqdm) -> None:
        while True:
            task, entry, is_stored = await self._ready.get()
            await is_stored
            if await self._ask(task, entry):
                self._show(progress)
            else:
                self._todo.put_nowait(task)
            self._todo.task_done()

    def _show(self, progress: tqdm) -> None:
        done = self._budget.done()
        progress.update()
        if projection := self._budget.projection:
            progress.set_postfix_str(projection, refresh=False)
            if done == max(round(TOLD_AT * self._number), 10):
                say(projection)

    async def _ask(self, task: Task, entry: Entry) -> bool:
        """Sends a request; whether it is done with, by a reply or by a reason why there is none."""
        sent = await self._pace.turn()
        self._budget.sent(entry)
        try:
            reply, failure = await self._try(task.request, entry)
        finally:
            self._pace.ended()
        if failure is None:
            if reply:
                self._pace.answered(sent)
            return reply
        if failure.wait is not None and failure.wait > LONGEST_PAUSE:
            found = f"still busy ({failure.reason}, asks to wait {failure.wait:.0f} s)"
            raise outcomes.given_up(self._url, replace(failure, found=found))
        self._pace.failed(sent, failure)
        if self._pace.failures >= (failure.in_a_row if self._pace.has_answered else failure.at_first):
            raise outcomes.given_up(self._url, failure)
        task.tries[failure.reason] += 1
        if task.tries[failure.reason] >= failure.tries:
            self._groups.add(reply_stored(task.request, self._url, no_reply_because(failure.reason)))
            self._failed.append(failure)
            return True
        if not failure.is_busy:
            await self._pace.before_another_try(task.tries.total())
        return False

    async def _try(self, request: Request, entry: Entry) -> tuple[bool, Failure | None]:
        """Whether a reply came, and what is wrong; neither where the request is to be sent in another form."""
        body, refused = self._format.body(request)
        try:
            answer = await self._client.chat(body)
        except TimeoutError:
            self._budget.lost(entry)
            return False, outcomes.late(self._client.deadline)
        if answer is None:
            self._budget.lost(entry)
            return False, outcomes.no_answer()
        settled = self._budget.settle(entry, outcomes.usage_of(answer))
        if (reply := outcomes.reply_of(answer)) is not None:
            # As it came, and before it is read: the store keeps what the server said.
            self._groups.add(settled, reply_stored(request, self._url, reply))
            lacks = outcomes.unreadable(reply)
            return lacks is None, None if lacks is None else outcomes.no_reply(lacks)
        self._groups.add(settled)
        if outcomes.rejects_format(answer, request) and self._format.give_way(refused):
            return False, None
        if outcomes.rejects_logprobs(answer, body):
            self._format.has_logprobs = False
            return False, None
        outcomes.require_access(answer, self._url, self._name)
        return False, outcomes.failure_of(answer, request)
