"""
An OpenAI-compatible endpoint for tests: it answers as a function of the request, keeps a log, and fails when told to.

    python tests/endpoint.py --port 0 --log requests.jsonl --delay 0.05

prints the port it listens on and serves until it is ended. In a test, in a thread of the same process:

    with Server(delay=0.05, fault="429", times=2) as server:
        Endpoint(server.url, "words", ...)

The log is JSONL, one line when a request arrives and one when its reply leaves: `event` (`arrival` or `reply`),
`request` (blake2b of its canonical JSON), `time` (seconds), `in_flight`, `status`. A line is flushed before the
request goes on.
"""

import argparse
import asyncio
import hashlib
import json
import math
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

# Answers about one post, in the words of OpenAI and of vLLM.
REFUSALS = ("content_filter", "context_length_exceeded", "too_long")
FAULTS = ("429", "no-format", "500", "401", "404", "301", "html", "drop", "no-choices", "empty", *REFUSALS)


def request_hash(body: dict[str, Any]) -> str:
    """The request's blake2b hash: what a store of replies is keyed by, computed here on its own."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def answer(body: dict[str, Any]) -> str:
    """
    The words of the last message's lines that begin with ">", or else of what is behind its first colon, shuffled; in
    JSON, as often as its `response_format` asks for. It is a function of the request and of nothing else.
    """
    content = body["messages"][-1]["content"]
    quoted = [line[1:] for line in content.splitlines() if line.startswith(">")]
    words = (" ".join(quoted) or content.split(":", 1)[-1]).split()
    draw = random.Random(request_hash(body))
    if "response_format" not in body:
        return " ".join(draw.sample(words, len(words)))
    [[name, wanted]] = body["response_format"]["json_schema"]["schema"]["properties"].items()
    return json.dumps({name: [" ".join(draw.sample(words, len(words))) for _ in range(wanted["minItems"])]})


def by_hash(post: str) -> dict[str, float]:
    """The letters A and B, more or less likely for each post."""
    likely = random.Random(post).uniform(0.01, 0.99)
    return {"A": likely, "B": 1 - likely}


@dataclass
class Behaviour:
    """
    How the endpoint behaves.

    Args:
        delay (`float`): seconds before each reply.
        vary (`bool`): the delay is drawn between 0 and `delay`, so that replies come in another order each time.
        fault (`str`): one of `FAULTS`, for `times` requests, once `after` of them were answered well.
        says (`str`): what every reply says, where it is not made of the request.
        only (`str`): the fault hits requests that hold this, and no other; all where it is empty.
        limit (`int`): requests that are taken within a second, of which more get 429; 0 for no limit.
        retry_after (`str`): the header that goes with 429 and 500, none where it is empty.
        log (`Path`, *optional*): where the log goes.
        judge (`Callable`, *optional*): answers what stands between `<post>` and `</post>`: gives tokens with their
            probabilities, of which the likeliest is the answer. By default, where log-probabilities are asked for,
            `by_hash`, and else the words are shuffled.
        logprobs (`bool`): whether their log-probabilities are given where they are asked for.
    """

    delay: float = 0.0
    vary: bool = False
    fault: str = ""
    times: int = 10**9
    after: int = 0
    says: str = ""
    only: str = ""
    limit: int = 0
    retry_after: str = ""
    log: Path | None = None
    judge: Callable[[str], dict[str, float]] | None = None
    logprobs: bool = True


class App:
    """The application: chat completions, and the list of models."""

    def __init__(self, behaviour: Behaviour):
        self.behaviour = behaviour
        self.lines: list[dict[str, Any]] = []
        self.in_flight = self.arrived = 0
        self.taken: list[float] = []
        routes = [
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
        ]
        self.starlette = Starlette(routes=routes)

    async def chat(self, request: Request) -> Response:
        body = json.loads(await request.body())
        behaviour, key = self.behaviour, request_hash(body)
        place = self.arrived
        self.arrived += 1
        self.in_flight += 1
        self.write("arrival", key)
        if self.is_over_limit():
            self.in_flight -= 1
            self.write("reply", key, 429)
            return self.refuse(429)
        try:
            await asyncio.sleep(behaviour.delay * (random.random() if behaviour.vary else 1.0))
        finally:
            self.in_flight -= 1
        faulty = behaviour.fault and behaviour.after <= place < behaviour.after + behaviour.times
        faulty = faulty and behaviour.only in json.dumps(body, ensure_ascii=False)
        response = self.fail(request, body) if faulty else self.answered(body)
        self.write("reply", key, response.status_code)
        return response

    def answered(self, body: dict[str, Any]) -> Response:
        judge = self.behaviour.judge or (by_hash if body.get("logprobs") else None)
        if judge is None:
            return (streamed if body.get("stream") else completion)(body, self.behaviour.says or answer(body))
        post = body["messages"][-1]["content"].rpartition("<post>\n")[2].partition("\n</post>")[0]
        tokens = sorted(judge(post).items(), key=lambda token: -token[1])
        given = self.behaviour.logprobs and body.get("logprobs")
        return completion(body, tokens[0][0], tokens[: body["top_logprobs"]] if given else ())

    async def models(self, request: Request) -> Response:
        if self.behaviour.fault in ("401", "301", "html") and not self.behaviour.after:
            return self.fail(request, {})
        return JSONResponse({"object": "list", "data": [{"id": "words", "object": "model"}]})

    def fail(self, request: Request, body: dict[str, Any]) -> Response:
        fault = self.behaviour.fault
        if fault in ("429", "500"):
            return self.refuse(int(fault))
        if fault == "no-format":
            kind = body.get("response_format", {}).get("type")
            if kind is None:
                return completion(body, answer(body))
            message = f"response_format {kind} is not supported by this model"
            return JSONResponse({"error": {"message": message, "param": "response_format"}}, 400)
        if fault == "too_long":
            message = "This model's maximum context length is 4096 tokens. However, you requested 4300 tokens"
            return JSONResponse({"error": {"message": message, "type": "BadRequestError", "code": 400}}, 400)
        if fault in REFUSALS:
            return JSONResponse({"error": {"message": f"refused: {json.dumps(body)}", "code": fault}}, 400)
        if fault in ("401", "404"):  # as unkind as a server can be: the key and the post come back in the message
            message = f"refused {request.headers.get('authorization')} for {json.dumps(body)}"
            return JSONResponse({"error": {"message": message, "code": "refused"}}, int(fault))
        if fault == "301":
            return Response(status_code=301, headers={"Location": "http://localhost:9/v1/chat/completions"})
        if fault == "html":
            return HTMLResponse("<html><body>Welcome to the router</body></html>")
        if fault == "drop":
            return StreamingResponse(broken(), headers={"Content-Length": "1000"}, media_type="application/json")
        return JSONResponse({"object": "chat.completion"}) if fault == "no-choices" else completion(body, "")

    def refuse(self, status: int) -> Response:
        headers = {"Retry-After": self.behaviour.retry_after} if self.behaviour.retry_after else {}
        return JSONResponse({"error": {"message": "busy"}}, status, headers)

    def is_over_limit(self) -> bool:
        """Whether so many were taken within the last second that this one is not."""
        now = time.monotonic()
        self.taken = [moment for moment in self.taken if moment > now - 1]
        if not self.behaviour.limit or len(self.taken) < self.behaviour.limit:
            self.taken.append(now)
            return False
        return True

    def write(self, event: str, key: str, status: int | None = None) -> None:
        line = {"event": event, "request": key, "time": time.time(), "in_flight": self.in_flight, "status": status}
        self.lines.append(line)
        if self.behaviour.log is not None:
            with self.behaviour.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def completion(body: dict[str, Any], text: str, tokens: Sequence[tuple[str, float]] = ()) -> JSONResponse:
    """A chat completion with one choice, a token where their probabilities are known."""
    message = {"role": "assistant", "content": text}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    if tokens:
        listed = [{"token": token, "logprob": math.log(probability)} for token, probability in tokens]
        choice["logprobs"] = {"content": [{**listed[0], "top_logprobs": listed}]}
    return JSONResponse(
        {"id": "words", "object": "chat.completion", "created": 0, "model": body.get("model"), "choices": [choice]}
    )


def streamed(body: dict[str, Any], text: str) -> StreamingResponse:
    """The same, as events of a word each."""

    async def events() -> AsyncIterator[str]:
        for word in [*text.split(), None]:
            delta = {} if word is None else {"role": "assistant", "content": f"{word} "}
            choice = {"index": 0, "delta": delta, "finish_reason": "stop" if word is None else None}
            chunk = {"id": "words", "object": "chat.completion.chunk", "created": 0, "model": body.get("model")}
            yield f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def broken() -> AsyncIterator[bytes]:
    """The beginning of a reply, after which the connection is closed."""
    yield b'{"choices": ['


class Server:
    """
    The endpoint in a thread, for a `with` block.

    Args:
        behaviour: the fields of `Behaviour`.

    Attributes:
        url (`str`): its address, ending in `/v1`.
        lines (`list[dict]`): its log so far.
    """

    def __init__(self, **behaviour: Any):
        self.app = App(Behaviour(**behaviour))
        self.socket = listening(0)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/v1"
        self.server = uvicorn.Server(uvicorn.Config(self.app.starlette, log_level="critical"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.app.lines

    @property
    def asked(self) -> list[str]:
        """The hashes of the requests that arrived, in order."""
        return [line["request"] for line in self.lines if line["event"] == "arrival"]

    def __enter__(self) -> "Server":
        self.thread.start()
        while not self.server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(timeout=10)
        self.socket.close()


def listening(port: int) -> socket.socket:
    """A socket that listens on this machine alone; port 0 finds a free one."""
    # With its protocol named, asyncio sends each part of an answer at once; else every answer waits 40 ms for an ACK.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    bound.listen(128)
    return bound


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--vary", action="store_true", help="draw each delay between 0 and --delay")
    parser.add_argument("--fault", choices=FAULTS, default="")
    parser.add_argument("--times", type=int, default=10**9, help="how many requests the fault hits")
    parser.add_argument("--after", type=int, default=0, help="how many are answered well before it")
    parser.add_argument("--says", default="", help="what every reply says")
    parser.add_argument("--retry-after", default="")
    options = vars(parser.parse_args())
    bound = listening(options.pop("port"))
    print(bound.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(App(Behaviour(**options)).starlette, log_level="critical")).run(sockets=[bound])


if __name__ == "__main__":
    main()
