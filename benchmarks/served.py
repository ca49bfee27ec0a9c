"""
A guard with random weights and an empty route, each served by a process of its own, and requests over raw sockets.

    python benchmarks/served.py    # serves the empty route
"""

import asyncio
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from rarecase.data.taxonomy import Taxonomy
from rarecase.models.checkpoint import quiet, resolve
from rarecase.web.address import bound
from rarecase.web.connections import BACKLOG, ImpatientProtocol

NAMES = Taxonomy.default().names
SMALL = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
FADES = 120.0  # seconds after which the mean load of the last minute tells no more of the benchmark before
WORDS = (
    "my",
    "how",
    "can",
    "I",
    "the",
    "landlord",
    "bank",
    "doctor",
    "if",
    "should",
    "leave",
    "money",
    "help",
    "pain",
)


@dataclass(frozen=True)
class Process:
    """A server: its process, and its port on this machine."""

    process: subprocess.Popen
    port: int

    def kilobytes(self) -> int:
        """Of memory that is its own."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"RssAnon:\s*(\d+)", status)[0])


class Connection:
    """One that is kept alive."""

    def __init__(self, port: int):
        self.port = port
        self.opened: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the other side has not ended it yet, as servers do with one that is idle for long."""
        return self.opened is not None and not self.opened[0].at_eof()

    async def ask(self, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of the reply; raises `OSError` or `EOFError` where there is none."""
        if self.opened is None:
            self.opened = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.opened
        content = b"" if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        said = await reader.readexactly(int(length[1]) if length else 0)
        if b"onnection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), said

    def close(self) -> None:
        """Ends it; the next request opens another."""
        if self.opened is not None:
            self.opened[1].close()
            self.opened = None


def write_classifier(folder: Path, **sizes: int) -> Path:
    """A text classifier as `transformers` saves it; without sizes that of bert-base."""
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(resolve("packaged"))
        config = BertConfig(vocab_size=len(tokenizer), id2label=dict(enumerate(NAMES)), **sizes)
        BertForSequenceClassification(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def titles(count: int) -> list[str]:
    """Texts of sixty characters, no two alike."""
    draws = random.Random(0)
    return [f"{number} {' '.join(draws.choices(WORDS, k=30))}"[:60] for number in range(count)]


@contextlib.contextmanager
def served(*command: object) -> Iterator[Process]:
    """A server that says on stderr where it is, once it is there; it is killed in the end, if it has not ended."""
    with subprocess.Popen([sys.executable, *map(str, command)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r" is at http://127\.0\.0\.1:(\d+)", line):
                    break
                print(line, end="", file=sys.stderr)
            else:
                raise RuntimeError("the server did not begin")
            there = Process(process, int(found[1]))
            asyncio.run(_ready(there.port))
            yield there
        finally:
            process.kill()


def guard_served(folder: Path) -> contextlib.AbstractContextManager[Process]:
    """The guard, by its command."""
    return served("-m", "rarecase", "guard", "serve", folder, "--port", 0)


def empty_served() -> contextlib.AbstractContextManager[Process]:
    """The empty route."""
    return served(__file__)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so many are not above; infinite where there is none."""
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)] if ranked else float("inf")


def is_busy() -> bool:
    """
    Whether others use this machine so much that a mark missed means nothing; says so. Waits first, `FADES` seconds at
    most, for the load of what ran before to fade.
    """
    cores, until = os.cpu_count() or 1, time.monotonic() + FADES
    while (load := os.getloadavg()[0]) > cores / 2 and time.monotonic() < until:
        time.sleep(1)
    print(f"{cores} cores, load {load:.1f} before the benchmark begins" + ", too busy for marks" * (load > cores / 2))
    return load > cores / 2


async def _ready(port: int) -> None:
    connection = Connection(port)
    while (await connection.ask("/ready"))[0] != 200:
        await asyncio.sleep(0.1)
    connection.close()


def main() -> None:
    async def empty(request: object) -> PlainTextResponse:
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/predict", empty, methods=["POST"]), Route("/ready", empty)])
    listening = bound("127.0.0.1", 0)
    print(f"the empty route is at http://127.0.0.1:{listening.getsockname()[1]}", file=sys.stderr, flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, backlog=BACKLOG, http=ImpatientProtocol)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
