"""
What may be spent on a language model, and a stop before it can be crossed.

Each request counts at its upper bound from before it is sent until it is answered, so the sum of all can only become
smaller. A request that does not fit waits for those that are open; where none is, the work stops.
"""

import asyncio
from dataclasses import dataclass

from rarecase.core.errors import GeneratorError
from rarecase.llm.ledger import Entry, Ledger, upper_bounds
from rarecase.llm.prices import Price
from rarecase.llm.replies import Change, Request, request_key


@dataclass(frozen=True)
class Limits:
    """The most that may be spent in all, earlier commands with the same replies included; None where it is open."""

    cost: float | None = None
    tokens: int | None = None
    requests: int | None = None


class Budget:
    """The accounts of one call that asks for so many requests; the price is None where it is not known."""

    def __init__(self, ledger: Ledger, price: Price | None, limits: Limits, requests: int):
        self._price, self._limits, self._asked, self._done = price, limits, requests, 0
        self._number, before = ledger.next_number(), ledger.totals()
        cost = before.cost
        if cost is None:  # of what was asked while the price was not known
            cost = price.of(before.prompt, before.completion) if price else 0.0
        self._before = {"cost": cost, "tokens": before.prompt + before.completion, "requests": before.requests}
        self._spent = dict(self._before)
        self._open: dict[Entry, bool] = {}  # whether it was sent
        self._settled = asyncio.Event()

    async def enter(self, request: Request) -> Entry:
        """The entry of a request, once there is room for it; an error where there will be none."""
        prompt, completion = upper_bounds(request)
        cost = self._cost_of(prompt, completion)
        bound = {"cost": cost or 0.0, "tokens": prompt + completion, "requests": 1}
        while limit := next((name for name in bound if self._crosses(name, bound[name])), None):
            if not self._open:
                raise self._reached(limit, bound[limit])
            self._settled.clear()
            await self._settled.wait()
        entry = Entry(self._number, request_key(request), prompt, completion, cost)
        self._number += 1
        for name, amount in bound.items():
            self._spent[name] += amount
        self._open[entry] = False
        return entry

    def sent(self, entry: Entry) -> None:
        """The request leaves."""
        self._open[entry] = True

    def settle(self, entry: Entry, usage: tuple[int, int] | None) -> Change:
        """An answer came, with the tokens that it counts; where it counts none, the upper bound stays."""
        prompt, completion = usage or (entry.prompt, entry.completion)
        cost = self._cost_of(prompt, completion)
        self._spent["cost"] += (cost or 0.0) - (entry.cost or 0.0)
        self._spent["tokens"] += prompt + completion - entry.prompt - entry.completion
        self.lost(entry)
        return entry.settled(prompt, completion, cost)

    def lost(self, entry: Entry) -> None:
        """No answer came: what the server has charged is not known, and the upper bound stays."""
        del self._open[entry]
        self._settled.set()

    def withdraw(self) -> list[Change]:
        """Takes back the entries of what was not sent when the work ended."""
        return [entry.withdrawn for entry, was_sent in self._open.items() if not was_sent]

    def done(self) -> int:
        """One more of the requests has its reply, or the reason why there is none; how many have."""
        self._done += 1
        return self._done

    @property
    def projection(self) -> str | None:
        """What was spent so far, and about what it will be in all; None where that is nothing, or not known yet."""
        spent = self._spent["cost"] - sum(entry.cost or 0.0 for entry in self._open)
        if not self._done or spent <= self._before["cost"]:
            return None
        each = (spent - self._before["cost"]) / self._done
        in_all = spent + each * (self._asked - self._done)
        return f"so far ${spent:,.4f}, with all {self._asked:,} requests about ${in_all:,.4f}"

    def _crosses(self, name: str, amount: float) -> bool:
        limit = getattr(self._limits, name)
        return limit is not None and self._spent[name] + amount > limit

    def _reached(self, name: str, next_: float) -> GeneratorError:
        left, spent = self._asked - self._done, self._spent[name]
        # By the mean of those that are done; before there is one, by the upper bound of the next.
        each = (spent - self._before[name]) / self._done if self._done else next_
        flag, shown = f"--max-{name}", ("${:,.4f}" if name == "cost" else "{:,.0f}").format
        limit, in_all = getattr(self._limits, name), spent + max(each * left, next_)
        return GeneratorError(
            f"{flag} {shown(limit)}: {shown(spent)} are spent, and the next request may take {shown(next_)}; with all "
            f"{left:,} that are left it would be about {shown(in_all)}: continue with a higher {flag} (the replies so "
            "far are kept)"
        )

    def _cost_of(self, prompt: int, completion: int) -> float | None:
        return None if self._price is None else self._price.of(prompt, completion)
