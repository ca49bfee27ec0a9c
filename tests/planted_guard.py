"""What the planted-text test sends to a guard that is served: marked texts wherever a request has room for one."""

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator

import marked
from marked import TYPED, traces
from planted import World

TEXT = marked.marked(TYPED)
GUARDRAIL = "/beta/litellm_basic_guardrail_api"


def asked(step: str, audit: str) -> Callable[[World], bool]:
    """Once the guard is there: asks for verdicts and for every error, and looks for the text in what is answered."""

    def ask(world: World) -> bool:
        said = (world.root / "printed" / f"{step}.err").read_text(encoding="utf-8", errors="replace")
        found = re.search(r"the guard is at http://127\.0\.0\.1:(\d+)", said)
        if not found or not answer(int(found[1]), request("GET", "/ready")).startswith(b"HTTP/1.1 200"):
            return False
        statuses = set()
        for sent in requests():
            replied = answer(int(found[1]), sent)
            assert traces(replied) == [], sent
            statuses |= {int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", replied)}
        assert statuses == {200, 400, 404, 405, 413, 422}, statuses
        lines = (world.work / audit).read_text().splitlines()
        assert {json.loads(line)["text"] for line in lines} == {0, 1}
        return True

    return ask


def request(method: str, path: str, body: object = b"", *fields: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: guard", "Connection: close", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, *fields]).encode() + b"\r\n\r\n" + content


def requests() -> Iterator[bytes]:
    """Good ones first, the figures last."""
    yield request("POST", "/v1/moderations", {"input": [TEXT, f"{TEXT} \ud800"], "model": TEXT})
    yield request("POST", "/v1/moderations", {"input": [{"type": "text", "text": TEXT}]}, f"X-Text: {TEXT}")
    messages = [{"role": "system", "content": TEXT}, {"role": "user", "content": TEXT}]
    yield request("POST", GUARDRAIL, {"texts": [TEXT], "structured_messages": messages, "request_data": TEXT})
    for path in ("/predict", "/"):
        yield request("POST", path, {"inputs": TEXT, "parameters": {"top_k": 1}})
    image = {"type": "image_url", "image_url": {"url": TEXT}}
    for path in ("/v1/moderations", GUARDRAIL, "/predict", "/"):
        for value in ({TEXT: TEXT}, [TEXT, 1], [[TEXT, TEXT]], [image], [[[TEXT]]], None):
            keys = dict.fromkeys(("input", "inputs", "texts", "structured_messages", "parameters"), value)
            yield request("POST", path, keys | {TEXT: TEXT, "raw_scores": TEXT})
        for body in (f'{{"input": "{TEXT}'.encode(), TEXT.encode("utf-16")):
            yield request("POST", path, body)
        yield request("PUT", path, {"input": TEXT})
        yield f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9999999\r\n\r\n{TEXT}".encode()
    word = TEXT.split()[0]
    yield request("POST", f"/{word}?text={word}", {"input": TEXT})
    yield request("POST", f"/v1/{word}", {"input": TEXT})
    yield request("GET", "/ready", b"", f"Upgrade: {word}", "Connection: Upgrade")
    yield f"{TEXT}\r\n\r\n".encode()
    yield request("POST", "/predict", b"", "Transfer-Encoding: chunked") + f"{TEXT}\r\n".encode()
    yield request("POST", "/predict", {"inputs": TEXT})[:-5]  # and nothing more
    yield request("GET", "/metrics")


def answer(port: int, sent: bytes) -> bytes:
    """What comes back until nothing comes any more."""
    said = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        connection.settimeout(10 if b"\r\n\r\n" in sent and sent[-1:] == b"}" else 0.5)
        while piece := connection.recv(1 << 16):
            said += piece
    return said
