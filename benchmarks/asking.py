"""
How fast an endpoint is asked; the server is a process of its own, and answers 200 ms after a request came.

    2,000 requests at concurrency 64: at most 1.15 x the ideal time, 2,000 / 64 x 0.2 s
    800 requests where 20 a second are allowed: at most 1.25 x the ideal time, fewer than 5 % of the requests refused
    no reply is lost, and memory grows by less than 50 MB

    python benchmarks/asking.py [--curator PYTHON] [--distilabel PYTHON]

asks the same of Bespoke Labs' curator and of distilabel, each in an environment of its own, whose PYTHON is given (see
`ask_curator.py` and `ask_distilabel.py`; they have no marks to keep).
"""

import argparse
import asyncio
import collections
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

from rarecase.llm.endpoint import Endpoint
from rarecase.llm.replies import Replies, Request

DELAY, CONCURRENCY, LIMIT = 0.2, 64, 20
SLOWER, SLOWER_LIMITED, REFUSED, MORE_KILOBYTES = 1.15, 1.25, 0.05, 50_000
OTHERS = ("curator", "distilabel")
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "apple words here"}, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 100, "completion_tokens": 4, "total_tokens": 104}
REPLY = {"id": "a", "object": "chat.completion", "created": 0, "model": "words", "choices": [CHOICE], "usage": USAGE}


class Server(asyncio.Protocol):
    """Answers each request after the delay; 429 at once to what is more than the limit within a second."""

    limit: ClassVar = 0
    counts: ClassVar = collections.Counter[str]()
    taken: ClassVar = collections.deque[float]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.came = transport, b""

    def data_received(self, data: bytes) -> None:
        self.came += data
        while (end := self.came.find(b"\r\n\r\n")) >= 0:
            head = self.came[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            if len(self.came) < end + 4 + length:
                return
            self.came = self.came[end + 4 + length :]
            self.answer(head)

    def answer(self, head: bytes) -> None:
        if head.startswith(b"get /counts"):
            self.say("200 OK", json.dumps(self.counts))
        elif self.is_over_limit():
            self.counts["refused"] += 1
            self.say("429 Too Many Requests", '{"error": {"message": "busy"}}')
        else:
            self.counts["answered"] += 1
            asyncio.get_running_loop().call_later(DELAY, self.say, "200 OK", json.dumps(REPLY))

    def is_over_limit(self) -> bool:
        now = time.monotonic()
        while self.taken and self.taken[0] <= now - 1:
            self.taken.popleft()
        if self.limit and len(self.taken) >= self.limit:
            return True
        self.taken.append(now)
        return False

    def say(self, status: str, body: str) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write((head + body).encode())


async def serve(limit: int) -> None:
    Server.limit = limit
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def requests(number: int) -> list[Request]:
    text = "Say this post in different words: my knee clicks " + "word " * 60
    messages = [{"role": "user", "content": text}]
    return [
        {"model": "words", "messages": messages, "temperature": 0.4, "seed": seed, "max_tokens": 200}
        for seed in range(number)
    ]


def ours(port: int, number: int, folder: Path) -> tuple[float, int]:
    """The seconds that it took, and the replies that are stored."""
    replies = Replies(folder / "replies.sqlite")
    model = Endpoint(f"http://127.0.0.1:{port}/v1", "words", replies=replies, seed=0, concurrency=CONCURRENCY)
    begun = time.monotonic()
    model.ask(requests(number))
    seconds = time.monotonic() - begun
    stored = number - len(replies.missing(requests(number)))
    replies.close()
    return seconds, stored


def others(name: str, python: str, port: int, number: int, a_minute: int, folder: Path) -> tuple[float, int]:
    """The seconds that another tool took, and the replies that it gave back."""
    script = Path(__file__).with_name(f"ask_{name}.py")
    command = [python, str(script), str(port), str(number), str(a_minute), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("asked ")]
    if not lines:
        raise SystemExit(f"{name} failed: {done.stderr.strip()[-500:]}")
    return float(lines[0][1]), int(lines[0][2])


def measured(number: int, limit: int, beside: dict[str, str]) -> list[str]:
    """Prints a line for each client; the marks that ours has missed."""
    ideal = number / limit if limit else number / CONCURRENCY * DELAY
    missed = []
    for name in ["rarecase", *beside]:
        with (
            tempfile.TemporaryDirectory() as folder,
            subprocess.Popen(
                [sys.executable, __file__, "--serve", str(limit)], stdout=subprocess.PIPE, text=True
            ) as process,
        ):
            assert process.stdout is not None
            port = int(process.stdout.readline())
            try:
                if name == "rarecase":
                    seconds, stored = ours(port, number, Path(folder))
                else:
                    # Neither adapts to the limit: curator has it as a setting, and needs a number in any case.
                    a_minute = limit * 60 or 10**6
                    seconds, stored = others(name, beside[name], port, number, a_minute, Path(folder))
                counts = counts_of(port)
            finally:
                process.kill()
        refused = counts.get("refused", 0) / max(sum(counts.values()), 1)
        print(
            f"  {name}: {seconds / ideal:.2f} x the ideal {ideal:.2f} s, {refused:.1%} refused, {number - stored} lost"
        )
        if name == "rarecase":
            slower = SLOWER_LIMITED if limit else SLOWER
            missed += [f"time, at most {slower} x"] * (seconds > slower * ideal)
            missed += ["refused, fewer than 5 %"] * (refused >= REFUSED) + ["a reply is lost"] * (stored < number)
    return missed


def counts_of(port: int) -> dict[str, int]:
    from urllib.request import ProxyHandler, build_opener

    with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/counts") as answer:
        return json.load(answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in OTHERS:
        parser.add_argument(f"--{name}", metavar="PYTHON")
    parser.add_argument("--serve", type=int, metavar="LIMIT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return
    beside = {name: python for name in OTHERS if (python := getattr(options, name))}
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, __file__, "--serve", "0"], stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        ours(int(process.stdout.readline()), 200, Path(folder))  # what is imported on the way
        process.kill()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("2,000 requests of 200 ms, 64 at a time:")
    missed = measured(2000, 0, beside)
    print("800 requests of 200 ms, 20 a second allowed:")
    missed += measured(800, LIMIT, beside)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"memory: {more / 1024:.0f} MB more")
    missed += [f"memory, less than {MORE_KILOBYTES // 1000} MB more"] * (more > MORE_KILOBYTES)
    if missed:
        raise SystemExit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
