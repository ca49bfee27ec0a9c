"""
What serving costs, beside the guard itself, with a classifier of the packaged encoder's size and titles of 60
characters; the server is a process of its own.

    one request over a connection that is kept alive: at most 1.2 x the forward pass (`guard.scores` of the same text)
    and a request to a route that does nothing, or 3 ms more, whichever is larger
    eight connections, each of which sends its next request when it is answered, of 1 title or of 16: at least 0.85 x
    the texts a second of `guard.check` on the same titles

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
REQUESTS, ROUNDS, TITLES, CONNECTIONS = 100, 5, 400, 8
EACH = 1, 16  # titles in a request


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


async def at_once(there: Process, texts: list[str], each: int) -> float:
    """Texts a second over several connections, so many in each request."""
    left = iter([texts[begin : begin + each] for begin in range(0, len(texts), each)])

    async def send() -> None:
        connection = Connection(there.port)
        for some in left:
            status, _ = await connection.ask("/v1/moderations", {"input": some})
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
            asyncio.run(at_once(there, texts, 1))
            alone = asyncio.run(one_by_one(guard, there, texts[:REQUESTS]))
            check: list[float] = []
            rates: dict[int, list[float]] = {each: [] for each in EACH}
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                guard.check(texts)
                check.append(len(texts) / (time.perf_counter() - begun))
                for each, found in rates.items():
                    found.append(asyncio.run(at_once(there, texts, each)))

    apart = alone["forward pass"] + alone["empty route"]
    most = max(TIMES * apart, apart + MORE)
    print(", ".join(f"{name} {1000 * value:.2f} ms" for name, value in alone.items()))
    print(
        f"one request: {alone['request'] / apart:.2f} x both apart, {1000 * (alone['request'] - apart):+.2f} ms "
        f"(at most {TIMES} x or {1000 * MORE:.0f} ms)"
    )
    print(f"guard.check: {statistics.median(check):.0f} texts a second")
    shares = {each: statistics.median(found) / statistics.median(check) for each, found in rates.items()}
    for each, share in shares.items():
        print(f"{CONNECTIONS} connections, {each} in a request: {share:.2f} x guard.check (at least {SHARE})")
    return 0 if busy or (alone["request"] <= most and min(shares.values()) >= SHARE) else 1


if __name__ == "__main__":
    sys.exit(main())
