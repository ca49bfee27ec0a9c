"""
A chat completions server on plain sockets that fails in every way, for tests in which whoever asks is killed.

    python tests/faulty_server.py LOG SHARE SEED

prints its port. Of all replies, SHARE are faulty, at random. LOG has two kinds of lines, each flushed before the reply
begins: `arrival KEY` of a request that came whole, and `reply KEY KIND PROMPT COMPLETION` with what a vendor would
charge for it, in tokens; KEY is the hash of the request.
"""

import asyncio
import json
import random
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from endpoint import listening, request_hash  # it is a script too

FAULTS = (
    "latency",
    "429",
    "503",
    "500",
    "reset",
    "cut",
    "shorter",
    "refusal",
    "filtered",
    "content_filter",
    "html",
    "lists",
    "drip",
    "endless",
)
FREE = ("429", "503", "500", "filtered")  # an error costs nothing


class Faulty:
    """The server, with its log."""

    def __init__(self, log: Path, share: float, seed: int):
        self.log, self.share, self.random = log.open("a", encoding="utf-8"), share, random.Random(seed)

    def write(self, *words: object) -> None:
        print(*words, file=self.log, flush=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
                body = json.loads(await reader.readexactly(length))
                key = request_hash(body)
                self.write("arrival", key)
                kind = self.random.choice(FAULTS) if self.random.random() < self.share else "well"
                await asyncio.sleep(self.random.uniform(0.02, 0.1))
                prompt = 0 if kind in FREE else len(json.dumps(body["messages"])) // 4
                self.write("reply", key, kind, prompt, 0 if kind in FREE else 12)
                await self.reply(kind, completion(kind, prompt), writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def reply(self, kind: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if kind in ("429", "503", "500"):
            writer.write(answer(b'{"error": {"message": "busy"}}', f"{kind} Busy", b"Retry-After-Ms: 50"))
        elif kind == "filtered":
            writer.write(answer(b'{"error": {"code": "content_filter"}}', "400 Bad"))
        elif kind == "reset":
            writer.transport.abort()
        elif kind == "cut":
            writer.write(answer(body)[:-20])
            writer.close()
        elif kind == "shorter":
            writer.write(answer(body[:-20]))
        elif kind in ("html", "lists"):
            writer.write(answer(b"<html>" if kind == "html" else b"[[1]]"))
        elif kind in ("drip", "endless"):
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            part, wait = (b" ", 0.1) if kind == "drip" else (b" " * 500_000, 0.0)
            for _ in range(100):
                writer.write(b"%x\r\n%s\r\n" % (len(part), part))
                await writer.drain()
                await asyncio.sleep(wait)
            writer.close()
        else:
            await asyncio.sleep(1.0 if kind == "latency" else 0.0)
            writer.write(answer(body))


def completion(kind: str, prompt: int) -> bytes:
    content = None if kind == "refusal" else "My knee makes a noise"
    message = {"role": "assistant", "content": content, "refusal": "No." if content is None else None}
    choice = {"message": message, "finish_reason": kind if kind == "content_filter" else "stop"}
    usage = {"prompt_tokens": prompt, "completion_tokens": 12, "total_tokens": prompt + 12}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


def answer(body: bytes, status: str = "200 OK", *headers: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}".encode(), *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def main() -> None:
    faulty = Faulty(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
    bound = listening(0)
    server = await asyncio.start_server(faulty.serve, sock=bound)
    print(bound.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
