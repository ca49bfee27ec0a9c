"""
What the planted-text test asks of a guard: its commands, and one that is served, with marked texts wherever a request
has room for one.
"""

import contextlib
import json
import re
import signal
import socket
from collections.abc import Callable, Iterator

import marked
from marked import NAMES, TYPED, traces
from planted import Step, World

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


PLAN = "guard plan guard --heldout ../given/test.csv --max-alarm 0.99 " + " ".join(
    f"--recall {name}=0.02" for name in NAMES[:5]
)

# Once a model is trained, in order.
STEPS = [
    Step("calibrate", "guard calibrate guard --heldout run/data:cluster/test --dev ../given/dev.csv"),
    Step("plan", "guard plan guard --heldout run/data:cluster/test --pool ../given/pool.csv --format json"),
    Step(
        "calibrate on what a strategy chose",
        "guard calibrate guard --heldout run/data:cluster",
        2,
        r"run/data:cluster: \d+ of \d+ rows were chosen by a strategy",
    ),
    Step(
        "calibrate on what was trained on",
        "guard calibrate guard --heldout run/data:cluster/validation",
        2,
        r"run/data:cluster/validation: \d+ of \d+ rows were trained on, or chosen on, by the model",
    ),
    Step(
        "calibrate on posts as labels",
        "guard calibrate guard --heldout ../given/pool.csv --label-column text",
        2,
        r"\S+pool\.csv row 2: label.* is not in the taxonomy",
    ),
    Step(
        "calibrate on what was trained on, with texts as ids",
        "guard calibrate guard --heldout ../given/dev.csv --heldout ../given/bootstrap.csv --id-column text",
        2,
        r"\S+ and \S+bootstrap\.csv: \d+ of \d+ rows were trained on, or chosen on, by the model; leave them out",
    ),
    Step(
        "calibrate twice on the same",
        "guard calibrate guard --heldout ../given/test.csv --heldout run/data:cluster/test",
        2,
        r"\S+test\.csv and run/data:cluster/test have texts in common",
    ),
    Step(
        "temperature on certification rows",
        "guard calibrate guard --heldout ../given/test.csv --dev ../given/test.csv",
        2,
        r"\S+test\.csv: \d+ of its texts are certification rows too",
    ),
    Step("plan in words", PLAN + " --pool ../given/pool.csv"),
    Step(
        "plan on what was trained on",
        "guard plan guard --heldout ../given/dev.csv",
        2,
        r"\S+dev\.csv: \d+ of \d+ rows were trained on, or chosen on, by the model",
    ),
    Step(
        "plan on posts as labels",
        "guard plan guard --heldout ../given/pool.csv --label-column text",
        2,
        r"\S+pool\.csv row 2: label.* is not in the taxonomy",
    ),
    Step(
        "plan with a pool that a strategy chose",
        PLAN + " --pool run/data:cluster",
        2,
        r"run/data:cluster: \d+ of \d+ rows were chosen by a strategy",
    ),
    Step("guard check", "guard check guard ../given/pool.csv"),
    Step(
        "guard check with a certificate required",
        "guard check guard ../given/pool.csv --require-certificate",
        2,
        "--require-certificate: the certificate of guard refuses every class",
    ),
    Step(
        "calibrate two classes",
        "guard calibrate guard --heldout run/data:cluster/test --recall self-harm=0.05,legal-advice=0.05 "
        "--confidence 0.5 --max-alarm 0.99",
    ),
    Step(
        "guard check with posts as classes",
        "guard check guard ../given/pool.csv --taxonomy ../given/labels.json",
        2,
        r"\S+labels\.json: expected a list `classes`",
    ),
    Step("guard check of lists", "guard check guard ../given/lists.jsonl", 2, r"\S+ row 1: 'text' is a list"),
    Step("guard check with texts as ids", "guard check guard ../given/pool.csv --id-column text --out {case}.jsonl"),
    Step(
        "guard serve",
        "guard serve guard --port 0 --audit {case}.jsonl",
        -signal.SIGTERM,
        kill=(signal.SIGTERM, asked("guard-serve", "guard-serve.jsonl")),
    ),
]
