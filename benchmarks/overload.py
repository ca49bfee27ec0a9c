"""
A guard with a base-size encoder that gets four times what it can do: titles arrive by the clock, half of them over new
connections, sent by this process over raw sockets; a route that does nothing, in a process of its own, gets the same
beside it. Latencies count from the moment at which the clock says that a title arrives.

    of what is admitted, 99 % are answered within the bound that the queue states (`BOUND`)
    of what is refused, 99 % are within 2 x what 99 % of the empty route's replies take
    no reply is lost, and each has the scores that `guard.scores` gives its title
    the server's memory stays within 5 % or 50 MB
    what was sent before the server is stopped is answered

    python benchmarks/overload.py [--seconds 60]
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from served import (
    Connection,
    Process,
    empty_served,
    guard_served,
    is_busy,
    percentile,
    titles,
    write_classifier,
)

from rarecase.guard.guard import Guard
from rarecase.serve.batching import BOUND

OVERLOAD, REFUSED, SAME, MORE_MEMORY, MORE_KILOBYTES = 4.0, 2.0, 1e-3, 1.05, 50_000
TITLES, AT_ONCE, LAST = 200, 32, 40
WARM_UP = 0.2  # of the seconds, before memory is looked at


@dataclass
class Replies:
    """What came back: seconds by status, what was no reply, and what had the scores of another title."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    mixed_up: int = 0

    @property
    def count(self) -> int:
        return sum(map(len, self.seconds.values()))


class Load:
    """Requests to one server: each title has its scores in `expected`, or nothing is looked at."""

    def __init__(self, port: int, texts: list[str], expected: np.ndarray | None, names: tuple[str, ...] = ()):
        self.port, self.texts, self.expected, self.names = port, texts, expected, names
        self.idle: list[Connection] = []
        self.replies = Replies()

    async def send(self, number: int, due: float) -> None:
        """One title; every second of them over a new connection."""
        connection = self._kept() if number % 2 else Connection(self.port)
        place = number % len(self.texts)
        try:
            status, said = await connection.ask("/predict", {"inputs": self.texts[place]})
        except (OSError, EOFError) as error:
            self.replies.lost[type(error).__name__] += 1
            return
        self.replies.seconds.setdefault(status, []).append(time.perf_counter() - due)
        if status == 200 and self.expected is not None:
            scores = {one["label"]: one["score"] for one in json.loads(said)}
            found = np.array([scores[name] for name in self.names])
            self.replies.mixed_up += bool(np.abs(found - self.expected[place]).max() > SAME)
        if number % 2:
            self.idle.append(connection)
        else:
            connection.close()

    def _kept(self) -> Connection:
        """The one that was used last of those that are still open, as clients do; else another."""
        while self.idle:
            if (connection := self.idle.pop()).is_open:
                return connection
        return Connection(self.port)


async def capacity(load: Load, seconds: float) -> float:
    """Titles a second while many connections send the next one as soon as they are answered."""
    begun = time.perf_counter()

    async def one_after_another(number: int) -> None:
        while time.perf_counter() < begun + seconds:
            await load.send(number, time.perf_counter())
            number += 2 * AT_ONCE

    await asyncio.gather(*(one_after_another(2 * number + 1) for number in range(AT_ONCE)))
    return len(load.replies.seconds.get(200, [])) / (time.perf_counter() - begun)


async def arrivals(loads: list[Load], rate: float, seconds: float, guard: Process) -> int:
    """Titles by the clock to all of them; gives the memory of the guard once it is warm, in kB."""
    begun, tasks, before = time.perf_counter(), set(), 0
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        for load in loads:
            tasks.add(task := asyncio.create_task(load.send(number, due)))
            task.add_done_callback(tasks.discard)
        if not before and number >= WARM_UP * rate * seconds:
            before = guard.kilobytes()
    await asyncio.gather(*tasks)
    return before


async def drained(load: Load, guard: Process) -> None:
    """Sends more than is answered at once, and tells the server to end while they wait."""
    tasks = [asyncio.create_task(load.send(number, time.perf_counter())) for number in range(LAST)]
    await asyncio.sleep(0.3)
    guard.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*tasks)


def told(name: str, replies: Replies) -> None:
    """Prints what came back."""
    for status, seconds in sorted(replies.seconds.items()):
        shares = ", ".join(f"{100 * share:g} % within {percentile(seconds, share):.3f} s" for share in (0.5, 0.99))
        print(f"{name}, {len(seconds)} answered {status}: {shares}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long titles arrive")
    seconds = parser.parse_args().seconds
    busy, texts = is_busy(), titles(TITLES)
    with tempfile.TemporaryDirectory() as folder:
        model = write_classifier(Path(folder) / "guard")
        guard = Guard.from_pretrained(model)
        expected, names = guard.scores(texts).probs, guard.names
        del guard
        with guard_served(model) as there, empty_served() as beside:
            first = Load(there.port, texts, expected, names)
            rate = OVERLOAD * asyncio.run(capacity(first, max(seconds / 6, 3)))
            load, empty = Load(there.port, texts, expected, names), Load(beside.port, texts, None)
            print(
                f"capacity: {rate / OVERLOAD:.0f} titles a second; {rate:.0f} arrive for {seconds:.0f} s", flush=True
            )
            before = asyncio.run(arrivals([load, empty], rate, seconds, there))
            after = there.kilobytes()
            last = Load(there.port, texts, expected, names)
            asyncio.run(drained(last, there))
            ended = there.process.wait(60)

    for name, replies in (("guard", load.replies), ("empty route", empty.replies), ("at the end", last.replies)):
        told(name, replies)
    admitted, refused, nothing = (
        percentile(found.get(status, []), 0.99)
        for found, status in ((load.replies.seconds, 200), (load.replies.seconds, 429), (empty.replies.seconds, 200))
    )
    lost = load.replies.lost + first.replies.lost
    mixed_up = load.replies.mixed_up + first.replies.mixed_up + last.replies.mixed_up
    others = {*load.replies.seconds, *last.replies.seconds} - {200, 429}
    marks = {
        f"admitted: {admitted:.2f} s (at most {BOUND:g})": admitted <= BOUND,
        f"refused: {refused / nothing:.2f} x the empty route (at most {REFUSED:g})": refused <= REFUSED * nothing,
        f"lost: {lost.total()} {dict(lost)}; mixed up: {mixed_up}; other statuses: {sorted(others)} (none)": not (
            lost or mixed_up or others
        ),
        f"memory: {before // 1000} to {after // 1000} MB": after <= max(MORE_MEMORY * before, before + MORE_KILOBYTES),
        f"lost in the end: {last.replies.lost.total()} of {LAST} (none); it ended with {ended}": not last.replies.lost,
    }
    for line, held in marks.items():
        print(line + " MISSED" * (not held))
    return 0 if busy or all(marks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
