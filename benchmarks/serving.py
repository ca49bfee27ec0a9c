"""
What serving costs, beside the guard itself, with a classifier of the packaged encoder's size and titles of 60
characters; the server is a process of its own.

    one request over a connection that is kept alive: at most 1.2 x the forward pass (`guard.scores` of the same text)
    and a request to a route that does nothing, or 3 ms more, whichever is larger
    eight connections, each of which sends the next title when it is answered: at least 0.85 x the texts a second of
    `guard.check` on the same titles

    python benchmarks/serving.py
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from served import SMALL, Connection, Process, guard_served, is_busy, titles, write_classifier

from rarecase.guard.guard import Guard

TIMES, MORE, SHARE = 1.2, 0.003, 0.85
REQUESTS, ROUNDS, TITLES, CONNECTIONS = 100, 5, 200, 8


async def one_by_one(guard: Guard, there: Process, texts: list[str]) -> dict[str, float]:
    """The median seconds of a forward pass, an empty route and a whole request, which take turns."""
    connection = Connection(there.port)
    seconds: dict[str, list[float]] = {"forward pass": [], "empty route": [], "request": []}
    for text in texts:
        moments = [time.perf_counter()]
        guard.scores([text])
        moments.append(time.perf_counter())
        await connection.ask("/ready")
        moments.append(time.perf_counter())
        status, _ = await connection.ask("/v1/moderations", {"input": text})
        moments.append(time.perf_counter())
        assert status == 200
        for name, begun, ended in zip(seconds, moments, moments[1:], strict=False):
            seconds[name].append(ended - begun)
    connection.close()
    return {name: statistics.median(values) for name, values in seconds.items()}


async def at_once(there: Process, texts: list[str]) -> float:
    """Texts a second over several connections."""
    left = iter(texts)

    async def send() -> None:
        connection = Connection(there.port)
        for text in left:
            status, _ = await connection.ask("/v1/moderations", {"input": text})
            assert status == 200
        connection.close()

    begun = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return len(texts) / (time.perf_counter() - begun)


def main() -> int:
    busy = is_busy()
    with tempfile.TemporaryDirectory() as folder:
        model = write_classifier(Path(folder) / "guard", **SMALL)
        guard = Guard.from_pretrained(model)
        texts = titles(TITLES)
        guard.check(texts)
        with guard_served(model) as there:
            asyncio.run(at_once(there, texts))
            alone = asyncio.run(one_by_one(guard, there, texts[:REQUESTS]))
            rates: dict[str, list[float]] = {"guard.check": [], "served": []}
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                guard.check(texts)
                rates["guard.check"].append(len(texts) / (time.perf_counter() - begun))
                rates["served"].append(asyncio.run(at_once(there, texts)))

    apart = alone["forward pass"] + alone["empty route"]
    most = max(TIMES * apart, apart + MORE)
    print(", ".join(f"{name} {1000 * value:.2f} ms" for name, value in alone.items()))
    print(
        f"one request: {alone['request'] / apart:.2f} x both apart, {1000 * (alone['request'] - apart):+.2f} ms "
        f"(at most {TIMES} x or {1000 * MORE:.0f} ms)"
    )
    check, served = (statistics.median(values) for values in rates.values())
    print(
        f"{CONNECTIONS} connections: {served:.0f} texts a second, {served / check:.2f} x the {check:.0f} of "
        f"guard.check (at least {SHARE})"
    )
    return 0 if busy or (alone["request"] <= most and served >= SHARE * check) else 1


if __name__ == "__main__":
    sys.exit(main())
