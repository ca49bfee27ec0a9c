"""A language model's server that answers without end, slowly, or with nonsense: one line, soon, and little memory."""

import gzip
import json
import re
import sys
import time
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from rarecase.core.errors import GeneratorError
from rarecase.data.taxonomy import Taxonomy
from rarecase.generate.writer import Writer
from rarecase.llm.endpoint import Endpoint
from rarecase.llm.replies import Replies
from rarecase.verify.policy import accepted

sys.path.append(str(Path(__file__).parents[1]))
from hostile_server import HostileServer, answer, endless, silent  # it is beside the folders of tests

TAXONOMY = Taxonomy.default()
FEATURES = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=list(TAXONOMY.names))})
SEEDS = Dataset.from_dict({"id": ["a", "b"], "text": ["My knee clicks", "The river rises"], "label": [1, 2]}, FEATURES)


def reply(text: str = "apple words here", **more: object) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}], **more}).encode()


@pytest.fixture
def generate(tmp_path):
    """What comes of two posts where the server says this, and the server."""

    def generate(say, **options):
        with HostileServer(say) as server:
            store = Replies(tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite")
            model = Endpoint(f"{server.address}/v1", "words", replies=store, seed=0, concurrency=1, **options)
            made = Writer(model, TAXONOMY, seed=0)
            try:
                return made.generate(SEEDS, 1), server
            except GeneratorError as error:
                return str(error), server
            finally:
                store.close()

    return generate


LONG = "the reply is longer than 4 MiB; --generator-url takes"
LATE = "no whole reply within 1 s; continue later"
NO_JSON = "the reply is not JSON"
FALSE = b"9" * 5000
CASES = {
    "an endless body": (lambda: endless(), LONG),
    "an endless error": (lambda: endless("400 Bad Request"), LONG),
    "an endless busy answer": (lambda: endless("503 Busy"), LONG),
    "a slow drip": (lambda: endless(part=b" ", wait=0.05), LATE),
    "silence": (silent, LATE),
    "informational answers": (lambda: [b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100_000, 60.0], LATE),
    "a compressed bomb": (lambda: answer(BOMB, "200 OK", "Content-Encoding: gzip"), NO_JSON),
    "no compression": (lambda: answer(b"not gzip", "200 OK", "Content-Encoding: gzip"), NO_JSON),
    "a number of 5,000 digits": (lambda: answer(b'{"choices": %s}' % FALSE), NO_JSON),
    "lists in lists": (lambda: answer(b"[" * 100_000 + b"]" * 100_000), "the reply has no choices"),
    "an error of lists": (lambda: answer(b'{"error": ["a", {"code": [1]}]}', "400 Bad"), "rejects the request (400)"),
    "an error of another form": (
        lambda: answer(b'{"error": {"code": ["content_filter"], "param": {"a": 1}, "type": 5}}', "422 Bad"),
        "rejects the request (422)",
    ),
    "a key that is refused": (lambda: answer(b'{"error": {"metadata": {"raw": "no"}}}', "403 No"), "rejects the key"),
    "no credit": (lambda: answer(b'{"error": {"code": "insufficient_quota"}}', "429 Busy"), "no credit is left there"),
    "no credit elsewhere": (lambda: answer(b"{}", "402 Payment Required"), "no credit is left there (402); add some"),
    "a status below all": (lambda: answer(b"", "099 X"), "no answer"),
    "no HTTP": (lambda: [b"SSH-2.0-OpenSSH_9\r\n", b""], "no answer"),
    "a header of a megabyte": (lambda: [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n"], "no answer"),
}
BOMB = gzip.compress(bytes(100_000_000))


@pytest.mark.parametrize("case", CASES)
def test_an_answer_that_is_no_reply_is_one_line_soon_and_is_not_read_to_its_end(case, generate):
    say, says = CASES[case]
    begun = time.monotonic()
    said, server = generate(lambda request: say(), **({"deadline": 1.0} if says == LATE else {}))
    assert isinstance(said, str)
    assert said.startswith(f"{server.address}/v1: ")
    assert says in said
    assert "\n" not in said
    assert time.monotonic() - begun < 30
    assert server.sent < 32_000_000  # what the sockets take, and what they hold


@pytest.mark.parametrize(
    "error",
    [{"code": 403, "metadata": {"reasons": ["x"], "flagged_input": "knee"}}, {"code": "content_policy_violation"}],
)
def test_a_post_that_a_moderation_layer_declines_is_a_refusal_and_the_others_are_asked(error, generate):
    answers = iter([answer(json.dumps({"error": error}).encode(), "403 Forbidden")])
    made, server = generate(lambda request: next(answers, answer(reply())))
    assert [text == "" for text in made["text"][:]] == [True, False]
    assert {"check": "refusal", "passed": False, "value": None} in made["checks"][0]
    assert len(server.heard) == 2


@pytest.mark.parametrize("header", ["-5", "1e309", "nan", "9" * 5000, "Fri, 31 Dec 999999 23:59:59 GMT", "\xff"])
def test_a_pause_that_is_none_is_one_of_our_own(header, generate):
    answers = iter([answer(b"", "429 Busy", f"Retry-After: {header}")])
    made, server = generate(lambda request: next(answers, answer(reply())))
    assert len(made) == 2
    assert len(server.heard) == 3


def test_a_pause_of_thousands_of_years_is_not_waited_for(generate):
    said, server = generate(lambda request: answer(b"", "503 Busy", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"))
    assert re.search(r"still busy \(503, asks to wait \d+ s\); continue later", said)
    assert len(server.heard) == 1


@pytest.mark.parametrize("charset", ["hex", "idna", "undefined", "rot13", "utf-7", "zip"])
def test_a_reply_is_utf_8_whatever_it_says(charset, generate):
    made, _ = generate(lambda request: answer(reply(), "200 OK", f"Content-Type: application/json; charset={charset}"))
    assert made["text"][:] == ["apple words here"] * 2


def test_a_text_that_no_release_may_hold_is_a_failed_variation(generate):
    made, _ = generate(lambda request: answer(reply("word " * 400_000)))
    assert made["text"][:] == ["", ""]
    assert made["checks"][0][0] == {"check": "not-too-long", "passed": False, "value": 1_999_999.0}
    assert len(accepted(made, "strict")) == 0


def test_the_server_is_sent_no_header_that_nobody_meant_for_it(generate, monkeypatch):
    """Not even one that the server itself has set, and no key where there is none."""
    monkeypatch.setenv("OPENAI_API_KEY", "")
    for name in ("ORG_ID", "PROJECT_ID", "ADMIN_KEY", "WEBHOOK_SECRET", "CUSTOM_HEADERS", "BASE_URL", "API_TYPE"):
        monkeypatch.setenv(f"OPENAI_{name}", "X-Secret: sk-secret\nAuthorization: Bearer sk-secret\nÄ: ä")
    _, server = generate(lambda request: answer(reply(), "200 OK", "Set-Cookie: told=you; Path=/"))
    expected = [
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: {server.address.removeprefix('http://')}",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Connection: keep-alive",
        "User-Agent: rarecase",
        "Content-Type: application/json",
    ]
    assert len(server.heard) == 2
    heard = [line.lower() for line in server.heard[0].splitlines()]
    assert sorted(line for line in heard if not line.startswith("content-length: ")) == sorted(
        map(str.lower, expected)
    )
    assert "cookie" not in server.heard[1].lower()
