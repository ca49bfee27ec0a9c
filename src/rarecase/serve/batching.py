"""One thread reads and scores what requests bring, many together; more than it can do soon is refused at once."""

import asyncio
import heapq
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from rarecase.guard.guard import Guard, Reading, Scores
from rarecase.serve.metrics import Metrics
from rarecase.serve.refused import Refused
from rarecase.web.failures import log_place

BOUND = 5.0  # seconds within which a short text that was admitted is answered
_ADMITTED = BOUND / 2  # seconds of work that may wait before it, since the speed is an estimate
MOST_TEXTS = 1_000  # in a request: the thread that takes requests makes their verdicts, and does nothing else then
MOST_WAITING = 16_000_000  # characters of all requests that wait, which is what they take of the memory
BATCH = 16_000  # characters that are scored together at most, about 4,000 tokens
_LEAST_BATCH = 1_300  # about one window
_LONGEST_BATCH = BOUND / 5  # seconds
EACH = 40  # characters that a text costs beside its own
_LONG = 1_000  # characters from which on windows overlap, so that a text is read twice
_KEEP = 0.9  # of the measured speed with each batch; the rest is that of the batch
WARM_UP = "The weather was fine, and nobody had anything to say about it. " * 10
_NICE = 5  # below the thread that takes requests, so that a refusal is quick


@dataclass
class Job:
    """A request: its texts, and where its scores go."""

    texts: Sequence[str]
    done: asyncio.Future[Scores]
    arrived: float = field(default_factory=time.monotonic)
    failed: bool = False  # which the thread knows before the loop, where `done` is set

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for scores any more."""
        return self.failed or self.done.done()


@dataclass
class Work:
    """A request that is read, and the probabilities of its windows so far."""

    job: Job
    reading: Reading
    probs: list[np.ndarray] = field(default_factory=list)


@dataclass(order=True)
class Part:
    """Some windows of a request, in the order in which they are scored."""

    number: int
    order: int
    work: Work = field(compare=False)
    windows: Sequence[str] = field(compare=False)
    is_last: bool = field(compare=False)


def cost(texts: Collection[str]) -> int:
    """About how much work texts are, in characters."""
    return sum(EACH + len(text) * (1 + (len(text) > _LONG)) for text in texts)


class Batcher:
    """
    Scores of a guard for many requests at once.

    A request is admitted while the work before it will take at most half of `BOUND`, at the speed measured so far;
    else it is refused with 429 and the seconds after which there is room. Long requests are read one between two
    batches and scored in parts, the first parts of all before the second ones, so that a short text does not wait for
    long ones.
    """

    def __init__(self, guard: Guard, metrics: Metrics):
        self.guard, self.metrics = guard, metrics
        self.speed = 1.0  # characters a second, once it is warm
        self.waiting, self.first = 0, 0  # characters of all that wait, and of the first parts of each
        self.arrived: SimpleQueue[Job | None] = SimpleQueue()
        self.numbers = count()
        self.reading_seconds = 0.0  # since the last batch
        self.ready = False
        self.thread = threading.Thread(target=self._run, name="guard", daemon=True)
        self.thread.start()

    async def scores(
        self, texts: Sequence[str], gone: Callable[[], Coroutine[Any, Any, object]] | None = None
    ) -> Scores:
        """
        The scores of the texts of one request; `gone` ends when nobody waits for them any more. `Refused` with 503
        where the model is not warm yet, 413 and 429 where there is too much, 499 where nobody waits.
        """
        if not self.ready:
            raise Refused(503, "the model is being loaded; try again soon", headers={"Retry-After": "2"})
        work = cost(texts)
        first = min(work, self._most())
        self._admit(len(texts), work)
        loop = asyncio.get_running_loop()
        job = Job(texts, loop.create_future())
        self.waiting, self.first = self.waiting + work, self.first + first
        self.metrics.waiting.set(self.waiting)
        self.arrived.put(job)
        watching = None if gone is None else loop.create_task(gone())
        if watching is not None:
            watching.add_done_callback(lambda _: job.done.cancel())
        try:
            return await job.done
        except asyncio.CancelledError:
            if watching is None or not watching.done():  # the server ends
                raise
            raise Refused(499, "the client has gone") from None
        finally:
            if watching is not None:
                watching.cancel()
            self.waiting, self.first = self.waiting - work, self.first - first
            self.metrics.waiting.set(self.waiting)

    def close(self) -> None:
        """Ends the thread, after all that waits."""
        self.arrived.put(None)
        self.thread.join()

    def _most(self) -> int:
        """Characters that are scored together: fewer by a slow model, so that no short text waits for long."""
        return int(min(BATCH, max(_LEAST_BATCH, self.speed * _LONGEST_BATCH)))

    def _admit(self, texts: int, work: int) -> None:
        if texts > MOST_TEXTS or work > MOST_WAITING:
            raise Refused(413, f"too many texts in one request; send at most {MOST_TEXTS:,}, or shorter ones")
        wait = self.first / self.speed
        if wait <= _ADMITTED and self.waiting + work <= MOST_WAITING:
            return
        seconds = min(max(wait - _ADMITTED / 2, 0.05), 120.0)
        headers = {"retry-after-ms": str(round(1000 * seconds)), "Retry-After": str(max(1, round(seconds)))}
        raise Refused(429, "too many requests wait already; try again later", headers=headers)

    def _run(self) -> None:
        """The thread."""
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        self._warm_up()
        parts: list[Part] = []
        long: deque[Job] = deque()
        open_ = True
        while open_ or parts or long:
            open_ = self._take(parts, long, wait=not parts and not long) and open_
            if long:
                self._read(long.popleft(), parts)
            if batch := self._batch(parts):
                self._score(batch)

    def _warm_up(self) -> None:
        """The first batches are slow; the last one says how fast it is."""
        texts = [f"{number} {WARM_UP}" for number in range(8)]
        for _ in range(3):
            began = time.monotonic()
            self.guard.scores(texts)
            self.speed = cost(texts) / (time.monotonic() - began)
        self.ready = True

    def _take(self, parts: list[Part], long: deque[Job], *, wait: bool) -> bool:
        """Takes what has come, and reads what is not long; False where no more will come."""
        while True:
            try:
                job = self.arrived.get(block=wait)
            except Empty:
                return True
            if job is None:
                return False
            wait = False
            if cost(job.texts) > BATCH:
                long.append(job)
            else:
                self._read(job, parts)

    def _read(self, job: Job, parts: list[Part]) -> None:
        """Normalises the texts of a request and cuts them into windows, unless nobody waits for it any more."""
        if job.is_over:
            return
        now = time.monotonic()
        self.metrics.queue_seconds.observe(now - job.arrived)
        try:
            work = Work(job, self.guard.read(job.texts))
        except Exception as error:  # of a library, on some text; the thread goes on
            self._fail(job, error)
            return
        seconds = time.monotonic() - now
        self.reading_seconds += seconds
        self.metrics.tokenize_seconds.observe(seconds)
        for part in self._parts(work, work.reading.windows):
            heapq.heappush(parts, part)

    def _parts(self, work: Work, windows: Sequence[str]) -> list[Part]:
        order, starts, size, most = next(self.numbers), [0], 0, self._most()
        for place, window in enumerate(windows):
            if size > most:
                starts, size = [*starts, place], 0
            size += len(window) + EACH
        ends = [*starts[1:], len(windows)]
        return [
            Part(number, order, work, windows[start:end], end == len(windows))
            for number, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]

    def _batch(self, parts: list[Part]) -> list[Part]:
        """The next parts, as many as are scored together, without those of requests that failed."""
        batch, size, most = [], 0, self._most()
        while parts and size < most:
            part = heapq.heappop(parts)
            if not part.work.job.is_over:
                batch.append(part)
                size += cost(part.windows)
        return batch

    def _score(self, batch: list[Part]) -> None:
        windows = [window for part in batch for window in part.windows]
        began = time.monotonic()
        try:
            probs = self.guard.probabilities(windows)
        except Exception as error:
            for part in batch:
                self._fail(part.work.job, error)
            return
        seconds = time.monotonic() - began
        self.metrics.inference_seconds.observe(seconds)
        # Equal windows are scored once.
        self.speed = _KEEP * self.speed + (1 - _KEEP) * cost({*windows}) / (seconds + self.reading_seconds)
        self.reading_seconds = 0.0
        start = 0
        for part in batch:
            part.work.probs.append(probs[start : start + len(part.windows)])
            start += len(part.windows)
            if part.is_last:
                scores = self.guard.combined(part.work.reading, np.concatenate(part.work.probs))
                _end(part.work.job.done, part.work.job.done.set_result, scores)

    def _fail(self, job: Job, error: Exception) -> None:
        log_place(error)
        job.failed = True
        _end(job.done, job.done.set_exception, Refused(500, "the model failed on this"))


def _end(done: asyncio.Future[Scores], give: Callable[[Any], None], result: Scores | Refused) -> None:
    """Gives a request what its thread found, in the loop that waits for it, unless nobody waits any more."""
    done.get_loop().call_soon_threadsafe(lambda: None if done.done() else give(result))
