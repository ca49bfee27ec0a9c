"""Any OpenAI-compatible endpoint: a local server, a company's own, or a vendor's."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rarecase.core.errors import GeneratorError
from rarecase.core.progress import bar, say
from rarecase.llm.address import is_loopback, key_of, proxy_of
from rarecase.llm.groups import Groups
from rarecase.llm.replies import Replies, Request, no_reply_because

if TYPE_CHECKING:
    from rarecase.llm.client import Answer, Client
    from rarecase.llm.outcomes import Failure
    from rarecase.llm.pace import Pace

DEADLINE = 600.0  # seconds for the whole of a reply: a large model on a slow machine takes minutes for 512 tokens
LIST_DEADLINE = 15.0  # seconds for the list of models, which no model has to write
LONGEST_PAUSE = 120.0  # seconds; a server that asks for more is a case for going on later
# What is sent instead of a format that the server does not take: any JSON, and then whatever the prompt asks for.
INSTEAD: tuple[dict[str, str] | None, ...] = ({"type": "json_object"}, None)


class Endpoint:
    """
    Asks an OpenAI-compatible server for chat completions, as many at a time as it takes; every reply is stored.

    The order in which replies come changes nothing, and what is stored already is not asked again. The key is read
    from `OPENAI_API_KEY` alone.

    Args:
        url (`str`): the address, usually ending in `/v1`. Posts leave the machine only where it is not loopback, and
            then only if `send_to` allows it.
        name (`str`): the model's name there.
        replies (`Replies`): the store of replies.
        seed (`int`): of the jitter between tries.
        concurrency (`int`): requests in flight, at most; fewer where the server does not take as many.
        send_to (`str`, *optional*): the host that posts may be sent to, if it is not this machine.
        deadline (`float`): seconds in which a reply has to be there whole.
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
    ):
        self.url, self.name, self.replies, self.seed = url, name, replies, seed
        self.concurrency, self.deadline = concurrency, deadline
        self._loopback = is_loopback(url, send_to)
        self._level = 0  # how many of the formats before it in `INSTEAD` this server refuses
        key_of(self._loopback)

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
            asyncio.run(self._ask_all(missing, has_answered=len(missing) < len(every)))

    def check(self) -> None:
        """Asks for the list of models, so that a dead address or a wrong key is known before a run; sends no post."""
        asyncio.run(self._check())

    async def _check(self) -> None:
        from rarecase.llm import outcomes

        within, failure = min(self.deadline, LIST_DEADLINE), outcomes.no_answer()
        async with self._client() as client:
            for attempt in range(failure.at_first):
                try:
                    answer = await client.get("/models", within)
                except TimeoutError:
                    raise self._given_up(outcomes.late(within)) from None
                if answer is None:
                    await asyncio.sleep(0.5 * 2**attempt)
                    continue
                if answer.status != 404:
                    self._require_access(answer)
                if answer.is_too_long:
                    raise self._given_up(outcomes.failure_of(answer, ()))
                if answer.is_reply and not answer.text.lstrip().startswith(("{", "[")):
                    raise self._given_up(outcomes.no_reply("is not JSON"))
                return  # alive: perhaps busy, or a server that keeps no list
        raise self._given_up(failure)

    async def _ask_all(self, requests: list[Request], *, has_answered: bool) -> None:
        from rarecase.llm.pace import Pace

        queue, groups = iter(requests), Groups(self.replies)
        pace = Pace(self.concurrency, self.deadline, self.seed, has_answered=has_answered)
        failed: list[Failure] = []

        async def worker(client: "Client") -> None:
            for request in queue:
                if failure := await self._ask(client, request, pace, groups):
                    failed.append(failure)
                progress.update()

        with bar(len(requests), "replies", "reply", delay=2) as progress:
            try:
                async with self._client() as client, asyncio.TaskGroup() as tasks:
                    writing = tasks.create_task(groups.write())
                    workers = range(min(self.concurrency, len(requests)))
                    await asyncio.wait([tasks.create_task(worker(client)) for _ in workers])
                    writing.cancel()
            except ExceptionGroup as errors:  # the group has ended the other workers; the first is what to act on
                raise errors.exceptions[0] from None
            finally:
                groups.flush()
        if failed and not pace.has_answered:
            raise self._given_up(failed[-1])
        if failed:
            reasons = Counter(failure.reason for failure in failed)
            counted = ", ".join(f"{reason}: {number:,}" for reason, number in reasons.most_common())
            say(f"{self.url}: {len(failed):,} of {len(requests):,} requests stay without a reply ({counted})")

    async def _ask(self, client: "Client", request: Request, pace: "Pace", groups: Groups) -> "Failure | None":
        """Stores the reply to a request, or the reason why there is none, which it gives."""
        tries: Counter[str] = Counter()
        while True:
            sent, level = await pace.turn(), self._level
            try:
                outcome = await self._try(client, request, level)
            finally:
                pace.ended()
            if outcome is None:
                continue
            reply, failure = outcome
            if reply is not None:
                groups.add(request, self.url, reply)  # also one that turns out to be none
            if failure is None:
                pace.answered(sent)
                return None
            if failure.wait is not None and failure.wait > LONGEST_PAUSE:
                found = f"still busy ({failure.reason}, asks to wait {failure.wait:.0f} s)"
                raise self._given_up(replace(failure, found=found))
            pace.failed(sent, failure)
            if pace.failures >= (failure.in_a_row if pace.has_answered else failure.at_first):
                raise self._given_up(failure)
            tries[failure.reason] += 1
            if tries[failure.reason] >= failure.tries:
                groups.add(request, self.url, no_reply_because(failure.reason))
                return failure
            if not failure.is_busy:
                await pace.before_another_try(tries.total())

    async def _try(self, client: "Client", request: Request, level: int) -> "tuple[str | None, Failure | None] | None":
        """The reply that a request gets, and what is wrong with it; None where it is to be sent in another form."""
        from rarecase.llm import outcomes

        try:
            answer = await client.post("/chat/completions", _in_format(request, level), self.deadline)
        except TimeoutError:
            return None, outcomes.late(self.deadline)
        if answer is None:
            return None, outcomes.no_answer()
        if answer.is_reply and not answer.is_too_long:
            # The body as it came: the store keeps what the server said, and parsing comes after.
            lacks = outcomes.unreadable(answer.text)
            return answer.text, None if lacks is None else outcomes.no_reply(lacks)
        if reply := outcomes.declined(answer):  # an answer about this post, not a failure of the endpoint
            return reply, None
        if level < len(INSTEAD) and outcomes.rejects_format(answer, request):
            self._level = max(self._level, level + 1)
            return None
        self._require_access(answer)
        return None, outcomes.failure_of(answer, request)

    def _client(self) -> "Client":
        from rarecase.llm.client import Client

        # A proxy from the environment must not see what is meant for this machine.
        return Client(self.url, key_of(self._loopback), None if self._loopback else proxy_of(self.url))

    # What an error says is made of the address, the model's name and a status: what a server sends back can hold the
    # post or the key, so none of it is shown, and the causes are cut off.

    def _require_access(self, answer: "Answer") -> None:
        status = answer.status
        if status in (401, 403):
            found, way = f"rejects the key ({status})", "set OPENAI_API_KEY to a key that is valid there"
        elif status == 404:
            found = f"has no model {self.name!r}, or no chat completions (404)"
            way = "check --generator-model, and that --generator-url is complete (it usually ends in /v1)"
        elif 100 <= status < 200 or 300 <= status < 400:
            found = f"redirects to another address ({status})"
            way = "give the final address as --generator-url (posts are sent to no other)"
        else:
            return
        raise GeneratorError(f"{self.url}: {found}; {way}") from None

    def _given_up(self, failure: "Failure") -> GeneratorError:
        return GeneratorError(f"{self.url}: {failure.found}; {failure.way}")


def _in_format(request: Request, level: int) -> Mapping[str, object]:
    """The body of a request for a server that refuses so many formats."""
    if not level or "response_format" not in request:
        return request
    instead = INSTEAD[level - 1]
    rest = {name: value for name, value in request.items() if name != "response_format"}
    return rest if instead is None else rest | {"response_format": instead}
