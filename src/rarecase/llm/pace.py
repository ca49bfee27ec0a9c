"""
How fast a server is asked: as many requests at a time as it takes, and no more a second than it allows.

- The requests in flight grow with each reply, up to a ceiling, and are halved where the server is busy (429, 503) or a
  reply is late: additive increase, multiplicative decrease.
- What a server allows a second is not known before it refuses. Then the rate is set to nine tenths of what was taken
  in the seconds before, and grows along a cubic curve, flat where it was refused and steep beyond that, until the next
  refusal (CUBIC of TCP, which the AWS SDKs use likewise).
- A pause is one for all: when a server is busy, every request waits, not only the one that was told.
- A server that fails again and again, with nothing answered in between, is given up.

A local server with a few slots lets requests queue instead of refusing them. That costs it nothing, as long as no
reply gets late for the queue before it: so the number in flight stays where it is once replies take an eighth of the
deadline.
"""

import asyncio
import math
import time
from collections import deque

from rarecase.core import randomness
from rarecase.llm.outcomes import Failure

START = 32  # requests in flight to begin with
SHARE = 0.9  # of the requests a second that were taken before a refusal, which are sent after it
BACK = 5.0  # seconds until there are as many again
SLOWEST = 0.5  # requests a second
WINDOW = 2.0  # seconds in which they are counted
SLOW = 1 / 8  # of the deadline: replies that take longer wait in a queue, and more of them would wait longer
FIRST_PAUSE = 0.25  # seconds; doubled with each failure in a row


class Pace:
    """The pace of all requests to one server; `has_answered` is whether a good reply ever came, before this too."""

    def __init__(self, ceiling: int, deadline: float, seed: int, *, has_answered: bool = False):
        self.failures = 0  # of the server, in a row: of those in flight at a time, one counts
        self.has_answered = has_answered
        self._ceiling, self._slow = ceiling, deadline * SLOW
        self._limit = float(min(START, ceiling))
        self._top = math.inf  # requests a second that were taken before the last refusal
        self._in_flight, self._was_cut = 0, False
        self._begun = self._lowered = time.monotonic()
        self._until = self._next = self._noted = -math.inf
        self._taken: deque[float] = deque()  # when those left that were not refused
        self._gate, self._freed = asyncio.Lock(), asyncio.Event()
        self._jitter = randomness.generator(seed, "jitter")

    async def turn(self) -> float:
        """Waits until the next request may leave; the moment, which the outcome is reported with."""
        async with self._gate:  # in the order in which they came
            while self._in_flight >= int(self._limit):
                self._freed.clear()
                await self._freed.wait()
            while (left := max(self._until, self._next) - time.monotonic()) > 0:  # may have grown in the meantime
                await asyncio.sleep(left)
            now = time.monotonic()
            self._next = now + 1 / self._rate(now)
            self._in_flight += 1
            self._taken.append(now)
            self._forget(now)
            return now

    def ended(self) -> None:
        """A request is not in flight any more, whatever came of it."""
        self._in_flight -= 1
        self._freed.set()

    def answered(self, sent: float) -> None:
        """A good reply came."""
        now = time.monotonic()
        self.failures, self.has_answered = 0, True
        if now - sent < self._slow:
            self._limit = min(self._limit + (1 / self._limit if self._was_cut else 1), self._ceiling)

    def failed(self, sent: float, failure: Failure) -> None:
        """A request failed; of those that were in flight when the server began to fail, one counts."""
        is_news = sent > self._noted
        if failure.is_busy and sent in self._taken:
            self._taken.remove(sent)
        if is_news:
            self.failures, self._noted = self.failures + 1, time.monotonic()
            if failure.is_busy or failure.is_late:
                self._limit, self._was_cut = max(min(self._limit, self._in_flight + 1) / 2, 1.0), True
            if failure.is_busy:
                self._lower_rate()
        if failure.wait is not None:
            self._pause(failure.wait)
        elif is_news and failure.is_busy:
            self._pause(_doubled(self.failures))
        elif is_news and self.failures > 1:  # one failure of another kind concerns its request alone
            self._pause(_doubled(self.failures - 1))

    async def before_another_try(self, tries: int) -> None:
        """What one request waits by itself after it has failed so often."""
        await asyncio.sleep(_doubled(tries) * (0.5 + 0.5 * self._jitter.random()))

    def _rate(self, now: float) -> float:
        """The requests a second."""
        return self._top * (1 + (1 - SHARE) * ((now - self._lowered) / BACK - 1) ** 3)

    def _lower_rate(self) -> None:
        now = time.monotonic()
        if math.isfinite(self._top) and now - self._lowered < 1:
            return  # what was sent before still counts there
        self._forget(now)
        rate, taken = self._rate(now), len(self._taken) / min(max(now - self._begun, 1.0), WINDOW)
        known = rate / 2 if math.isfinite(rate) else 0.0  # after a long pause nothing was taken
        self._top, self._lowered = max(min(rate, max(taken, known)), SLOWEST), now

    def _pause(self, seconds: float) -> None:
        self._until = max(self._until, time.monotonic() + seconds * (1 + 0.1 * self._jitter.random()))

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0] < now - WINDOW:
            self._taken.popleft()


def _doubled(times: int) -> float:
    return FIRST_PAUSE * 2 ** (times - 1)
