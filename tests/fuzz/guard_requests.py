"""Mutated requests to a guard that is served, as bytes on a socket: never a 500, and every reply in its shape."""

import contextlib
import functools
import io
import json
import logging
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from by_word import OWN
from guard_server import served
from serve import schemas
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from fuzz import blocks
from fuzz.blocks import NOBODY, Act
from fuzz.http_requests import FIELDS, METHODS, QUIET
from fuzz.mutators import Rng, bytes_mutated, choice, head_mutated, json_mutated, value_mutated
from rarecase.guard.guard import Guard
from rarecase.models.checkpoint import quiet, resolve

CASES = 10_000
KEY, MOST = "right", 100_000
TEXTS = [NOBODY, f"{NOBODY} " * 200, f"{NOBODY} \ud800", f"w h y {NOBODY} ѕаd", f"{NOBODY}\0", "", "a" * 5000]
TEXTS.append("\u0323\u0301" * 300)
PATHS = [
    *("/v1", "/v1/models", "//v1/moderations", "http://x/predict", "/v1%2Fmoderations", "/V1/moderations"),
    *("/predict/", "/predict?a=b", "/metrics", "/ready", "/health", "/", "/..", "/%00", "*", "/é"),
    *("/" * 500, "/v1/" + "a" * 9000),
]
WRONG_KEYS = ["X: y", "x-api-key: ключ", "Authorization: Basic cmlnaHQ=", f"x-api-key: {KEY * 2000}"]


class World:
    """A guard with random weights that is served, and all that is logged."""

    def __init__(self) -> None:
        self.within, folder = ExitStack(), Path(tempfile.mkdtemp(prefix="fuzz-guard-"))
        self.within.callback(shutil.rmtree, folder)
        sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(resolve("packaged"))
            config = BertConfig(vocab_size=len(tokenizer), id2label=dict(enumerate(OWN.names)), **sizes)
            BertForSequenceClassification(config).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            guard = Guard.from_pretrained(folder, taxonomy=OWN)
        self.audit = folder / "audit.jsonl"
        there = self.within.enter_context(served(guard, key=KEY, max_body=MOST, audit=self.audit))
        self.address, self.log = ("127.0.0.1", there.port), io.StringIO()
        self.within.callback(logging.getLogger().setLevel, logging.getLogger().level)
        logging.getLogger().setLevel(logging.DEBUG)
        for logger in (logging.getLogger(), logging.getLogger("uvicorn")):
            logger.addHandler(handler := logging.StreamHandler(self.log))
            self.within.callback(logger.removeHandler, handler)


@functools.cache
def world() -> World:
    """That of this process."""
    return World()


@dataclass
class Sent:
    """What is sent; whether all of it is HTTP, and whether it is what a client sends."""

    method: str
    path: str
    content: bytes
    request: bytes = b""
    patience: float = blocks.LONGEST
    is_good: bool = True
    is_whole: bool = True
    is_slow: bool = False


def good(rng: Rng) -> tuple[str, Any]:
    """A path and the body of a request as a client of it sends it."""
    texts = [choice(rng, TEXTS) for _ in range(int(rng.integers(1, 4)))]
    path = choice(rng, schemas.POSTED)
    if path == "/v1/moderations":
        parts = [{"type": "text", "text": text} for text in texts]
        return path, {"model": "omni-moderation-latest", "input": choice(rng, [texts[0], texts, parts])}
    if path == schemas.GUARDRAIL:
        roles = ("system", "user", "assistant", "user")
        contents = [choice(rng, [text, [{"type": "text", "text": text}]]) for text in texts]
        messages = [{"role": role, "content": one} for role, one in zip(roles, contents, strict=False)]
        return path, {
            "texts": texts,
            "structured_messages": choice(rng, [messages, None]),
            "input_type": choice(rng, ["request", "response"]),
            "images": None,
            "litellm_call_id": "a",
        }
    if path == "/predict":
        inputs = choice(rng, [texts[0], [[text] for text in texts]])
        return path, {"inputs": inputs, "truncate": True, "raw_scores": False}
    return path, {"inputs": choice(rng, [texts[0], texts]), "parameters": {"top_k": 2, "function_to_apply": "none"}}


def case(rng: Rng, folder: Path) -> tuple[str, Act]:
    path, body = good(rng)
    sent = Sent("POST", path, json.dumps(body).encode())
    fields = ["Host: 127.0.0.1", choice(rng, [f"x-api-key: {KEY}", f"Authorization: Bearer {KEY}"])]
    if rng.random() < 0.9:
        mutate(rng, sent, body)
        if rng.random() < 0.1:
            fields[1] = choice(rng, WRONG_KEYS)
        if rng.random() < 0.1:
            fields.append(choice(rng, FIELDS))
    content = sent.content
    if chunked := rng.random() < 0.1:
        half = len(content) // 2
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (content[:half], content[half:]) if piece]
        content = b"".join(pieces) + b"0\r\n\r\n"
    fields.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(content)}")
    head = "\r\n".join([f"{sent.method} {sent.path} HTTP/1.1", *fields]).encode("utf-8", "replace")
    if len(content) > MOST:  # a connection that is closed while it is sent may bring no answer
        sent.request, sent.patience = head + b"\r\n\r\n" + content, 5 * QUIET
    else:
        before = head + b"\r\n\r\n" + content
        sent.request = before * choice(rng, [0, 0, 0, 0, 0, 2]) + head + b"\r\nConnection: close\r\n\r\n" + content
    mutated = not sent.is_good and rng.random() < 0.25
    if mutated or sent.method in ("", "G\0T") or fields[-2].startswith("Host: evil"):
        sent.is_whole, sent.patience = False, QUIET  # no HTTP: the connection may end before all of it is read
    if mutated:
        sent.request = choice(rng, [head_mutated, head_mutated, bytes_mutated])(rng, sent.request)
    sent.is_slow = rng.random() < 0.03
    return f"{sent.method[:8]} {sent.path[:60]}", lambda: tried(sent)


def mutate(rng: Rng, sent: Sent, body: Any) -> None:
    """Makes it one that no client sends."""
    sent.is_good = False
    by_value = rng.random() < 0.7
    sent.content = json.dumps(value_mutated(rng, body)).encode() if by_value else json_mutated(rng, sent.content)
    if rng.random() < 0.03:
        sent.content += b" " * choice(rng, [MOST - len(sent.content), MOST, 20 * MOST])
    if rng.random() < 0.1:
        sent.path = choice(rng, PATHS)
    if rng.random() < 0.1:
        sent.method = choice(rng, METHODS)


def tried(sent: Sent) -> list[int]:
    """Sends it and checks the replies: nothing failed in the server, and each is in the shape of its path."""
    world().log.seek(0)
    world().log.truncate()
    path = schemas.path_of(sent.path) if sent.is_whole else None
    statuses = []
    for status, kind, body in replies(answered(sent), sent.method):
        statuses.append(status)
        assert status < 500, f"answers {status}"
        if kind.startswith("application/json") and body:
            schemas.check(path, status, json.loads(body))
        elif not kind.startswith("application/json"):
            assert status == 400 or path in (None, "/", "/health", "/ready", "/metrics"), f"{path} answers {kind}"
    said = world().log.getvalue()
    assert not any(sign in said for sign in ("Traceback", " in /", NOBODY)), said.strip()[-400:]
    assert NOBODY.encode() not in world().audit.read_bytes()
    assert statuses or not sent.is_whole, "no answer"
    assert not sent.is_good or {*statuses} == {200}, f"a good request is answered {statuses}"
    return statuses


def answered(sent: Sent) -> bytes:
    """What comes back, to the end of the connection or of patience."""
    answer = b""
    with socket.create_connection(world().address, timeout=sent.patience) as connection, contextlib.suppress(OSError):
        if sent.is_slow:
            for _ in range(3):
                connection.sendall(sent.request[:9])
                sent.request = sent.request[9:]
                time.sleep(0.01)
        connection.sendall(sent.request)
        while piece := connection.recv(1 << 16):
            answer += piece
    return answer


class Stream(io.BytesIO):
    """What several replies are read from: the end of one closes nothing."""

    def makefile(self, mode: str) -> "Stream":
        return self

    def close(self) -> None:
        pass


def replies(answer: bytes, method: str) -> Iterator[tuple[int, str, bytes]]:
    """Status, type and body of each that is whole."""
    stream = Stream(answer)
    while stream.tell() < len(answer):
        try:
            reply = HTTPResponse(stream, method=method)  # type: ignore[arg-type]
            reply.begin()
            body = reply.read()
        except HTTPException:
            return
        yield reply.status, reply.headers.get("content-type", ""), body


def main() -> None:
    blocks.main(case, CASES, world)


if __name__ == "__main__":
    main()
