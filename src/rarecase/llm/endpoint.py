"""Any OpenAI-compatible endpoint: a local server, a company's own, or a vendor's."""

import asyncio
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from rarecase.llm.address import is_loopback, key_of, proxy_of
from rarecase.llm.budget import Budget, Limits
from rarecase.llm.formats import Format
from rarecase.llm.ledger import Ledger
from rarecase.llm.prices import price_of, require_price
from rarecase.llm.replies import Replies, Request

if TYPE_CHECKING:
    from rarecase.llm.client import Client

DEADLINE = 600.0  # seconds for the whole of a reply: a large model on a slow machine takes minutes for 512 tokens
LIST_DEADLINE = 15.0  # seconds for the list of models, which no model has to write


class Endpoint:
    """
    Asks an OpenAI-compatible server for chat completions, as many at a time as it takes; every reply is stored.

    The order in which replies come changes nothing, and what is stored already is not asked again. The key is read
    from `OPENAI_API_KEY` alone. Posts leave the machine only where the address is not loopback, and then only to the
    host `send_to`. The seed is of the jitter between tries, and a reply has `deadline` seconds to be there whole.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        replies: Replies,
        seed: int,
        concurrency: int = 16,
        send_to: str | None = None,
        deadline: float = DEADLINE,
        limits: Limits | None = None,
        prices: str | None = None,
    ):
        self.url, self.name, self.replies, self.seed = url, name, replies, seed
        self.concurrency, self.deadline = concurrency, deadline
        self._loopback = is_loopback(url, send_to)
        self.leaves_machine = not self._loopback
        self._format = Format()
        key_of(self._loopback)
        self._proxy()
        self.limits = limits or Limits()
        self._price = price_of(name, prices, is_here=self._loopback)
        if self.limits.cost is not None:
            require_price(name, self._price)

    def ask(self, requests: Iterable[Request]) -> None:
        """
        Asks for what is not stored yet; replies that have come stay stored if it fails.

        A request that fails again and again, while others do not, gets a reason in place of a reply
        (`Replies.reason`). It still counts as missing, so the next call asks again.
        """
        every = list(requests)
        if missing := self.replies.missing(every):
            # Those that have failed before come last: what they fail by does not look like a server that is down.
            missing.sort(key=lambda request: self.replies.reason(request) is not None)
            _run(self._ask_all(missing, has_answered=len(missing) < len(every)))

    def check(self) -> None:
        """Asks for the list of models, so that a dead address or a wrong key is known before a run; sends no post."""
        _run(self._check())

    async def _check(self) -> None:
        from rarecase.llm import outcomes

        within, failure = min(self.deadline, LIST_DEADLINE), outcomes.no_answer()
        async with self._client() as client:
            for attempt in range(failure.at_first):
                try:
                    answer = await client.models(within)
                except TimeoutError:
                    raise outcomes.given_up(self.url, outcomes.late(within)) from None
                if answer is None:
                    await asyncio.sleep(0.5 * 2**attempt)
                    continue
                if answer.status != 404:
                    outcomes.require_access(answer, self.url, self.name)
                if answer.is_too_long:
                    raise outcomes.given_up(self.url, outcomes.failure_of(answer, ()))
                if answer.is_reply and not answer.text.lstrip().startswith(("{", "[")):
                    raise outcomes.given_up(self.url, outcomes.no_reply("is not JSON"))
                return  # alive: perhaps busy, or a server that keeps no list
        raise outcomes.given_up(self.url, failure)

    async def _ask_all(self, requests: list[Request], *, has_answered: bool) -> None:
        from rarecase.llm.asking import Asking
        from rarecase.llm.pace import Pace

        budget = Budget(Ledger(self.replies), self._price, self.limits, len(requests))
        pace = Pace(self.concurrency, self.deadline, self.seed, has_answered=has_answered)
        async with self._client() as client:
            asking = Asking(client, self.url, self.name, requests, self.replies, pace, budget, self._format)
            await asking.run(min(self.concurrency, len(requests)))

    def _client(self) -> "Client":
        from rarecase.llm.client import Client

        return Client(self.url, key_of(self._loopback), self._proxy(), self.deadline)

    def _proxy(self) -> str | None:
        # A proxy from the environment must not see what is meant for this machine.
        return None if self._loopback else proxy_of(self.url)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Runs it to its end; in a thread of its own where this one has a loop already, as that of a notebook has."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None] | None]] = Future()

    async def in_thread() -> None:
        begun.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        await work

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(asyncio.run, in_thread())
        try:
            ended.result()
        except KeyboardInterrupt:  # which only the main thread gets
            loop, task = begun.result()
            if task:
                loop.call_soon_threadsafe(task.cancel)
            raise
