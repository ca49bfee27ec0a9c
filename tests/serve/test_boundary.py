"""What every request passes: the key, a body that ends, one error shape a contract, and no text anywhere."""

import json
import logging
import socket
import time

import pytest
from by_word import OWN, ByWord
from guard_server import served

import rarecase.web.bodies
import rarecase.web.connections
from rarecase.guard.guard import Guard

TEXT = "zqxvj for nobody's eyes"


class Failing(ByWord):
    """Fails on some texts as a library could, with the text in its message."""

    def score(self, dataset):
        if any(TEXT in text for text in dataset):
            raise RuntimeError(f"cannot read {[*dataset]}")
        return super().score(dataset)


@pytest.fixture(scope="module")
def server():
    with served(Guard(Failing(), OWN), key="right", max_body=10_000) as there:
        yield there


def test_every_path_but_those_of_health_asks_for_the_key(server):
    for path, body in (
        ("/v1/moderations", {"input": "x"}),
        ("/predict", {"inputs": "x"}),
        ("/metrics", None),
        ("/no", None),
    ):
        for wrong in (
            {"x-api-key": "wrong"},
            {"x-api-key": "", "authorization": "Bearer wrong"},
            {"x-api-key": "ключ"},
        ):
            sent = {name: value.encode().decode("latin-1") for name, value in wrong.items()}
            status, _, headers = server.ask(path, body, **sent)
            assert status == 401
            assert headers["www-authenticate"] == "Bearer"
    assert (
        server.ask("/v1/moderations", {"input": "x"}, **{"x-api-key": "", "authorization": "bearer right"})[0] == 200
    )
    for path in ("/", "/health", "/ready"):
        assert server.ask(path, **{"x-api-key": ""})[0] == 200


def test_a_key_may_have_any_letters():
    sent = "ключ".encode().decode("latin-1")  # as clients send it
    with served(key="ключ", sends=sent) as there:
        assert there.ask("/v1/moderations", {"input": "x"})[0] == 200


@pytest.mark.parametrize(("path", "keys"), [("/v1/moderations", {"error"}), ("/predict", {"error", "error_type"})])
def test_what_is_too_large_or_no_json_is_refused_in_the_shape_of_its_path(server, path, keys):
    for body, status in (
        (b"x" * 10_001, 413),
        (b"{", {400, 422}),
        (b"[" * 9000, {400, 422}),
        (b"\xff\xfe", {400, 422}),
    ):
        found, said, _ = server.ask(path, body)
        assert found in ({status} if isinstance(status, int) else status)
        assert set(said) == keys


def test_a_body_that_is_far_too_large_is_refused_when_its_client_has_sent_it(server):
    assert server.ask("/v1/moderations", b"x" * 20_000_000)[0] == 413  # else its connection is reset meanwhile


def test_more_texts_than_are_answered_soon_are_refused():
    with served() as there:
        for path, body in (("/v1/moderations", {"input": [""] * 1001}), ("/predict", {"inputs": [[""]] * 1001})):
            assert there.ask(path, body)[0] == 413
        assert len(there.ask("/v1/moderations", {"input": [""] * 1000})[1]["results"]) == 1000


@pytest.mark.parametrize(
    "path", ["//v1/moderations", "http://guard.example/v1/moderations", "HTTPS://x//v1/moderations"]
)
def test_a_whole_address_and_slashes_before_it_are_the_path(server, path):
    assert server.ask(path, {"input": "x 0.9 0 0 0"})[0] == 200


def test_a_client_that_reads_no_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(rarecase.web.connections, "UNREAD", 0.3)
    body = json.dumps({"input": ["x"] * 1000}).encode()
    with served() as there, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", there.port))
        head = f"POST /v1/moderations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(8):
            connection.sendall(head.encode() + body)
        until = time.monotonic() + 20
        while (there.server.server_state.connections or there.batcher.waiting) and time.monotonic() < until:
            time.sleep(0.02)
        assert not there.server.server_state.connections
        assert there.batcher.waiting == 0


def test_half_a_character_is_read(server):
    status, found, _ = server.ask("/v1/moderations", b'{"input": "\\ud800 0.9 0 0 0.1"}')
    assert status == 200
    assert found["results"][0]["flagged"]


def test_a_slow_body_is_refused(server, monkeypatch):
    monkeypatch.setattr(rarecase.web.bodies, "SLOWEST", 0.2)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nx-api-key: right\r\nContent-Length: 100\r\n\r\n{")
        connection.settimeout(20)
        said = b""
        while piece := connection.recv(65536):
            said += piece
    assert said.startswith(b"HTTP/1.1 408 ")


def test_a_model_that_fails_is_a_500_without_a_text(server, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        for path, body in (("/v1/moderations", {"input": TEXT}), ("/predict", {"inputs": TEXT})):
            status, found, headers = server.ask(path, body)
            assert status == (424 if path == "/predict" else 500)
            assert TEXT not in json.dumps(found) + str(headers)
    said = capfd.readouterr()
    assert TEXT not in caplog.text + said.out + said.err
    assert "RuntimeError in " in caplog.text
    assert server.ask("/v1/moderations", {"input": "x 0.9 0 0 0"})[0] == 200  # the next one is judged


def test_every_reply_has_an_id_which_the_audit_has_too(tmp_path):
    with served(audit=tmp_path / "audit.jsonl") as there:
        _, found, headers = there.ask("/v1/moderations", {"input": [f"{TEXT} 0.9 0 0 0.1", f"{TEXT} 0 0 0 1"]})
        _, _, other = there.ask("/predict", {"inputs": TEXT})
    written = (tmp_path / "audit.jsonl").read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["id"] for line in lines] == [found["id"], found["id"], other["x-request-id"]]
    assert headers["x-request-id"] == found["id"]
    assert [line["label"] for line in lines] == ["threat", "fine", "fine"]
    assert {line["model"] for line in lines} == {"guard@1"}
    assert TEXT not in written
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_figures_have_paths_classes_and_times(server):
    server.ask("/v1/moderations", {"input": "x 0.9 0 0 0.1"})
    server.ask("/a-path-of-nobody")
    server.ask("/v1/moderations", {"input": "x"}, **{"x-api-key": "wrong"})
    server.ask("/v1/moderations", b"x" * 10_001)
    _, found, _ = server.ask("/metrics")
    for status in (200, 401, 413):
        assert f'rarecase_requests_total{{path="/v1/moderations",status="{status}"}}' in found
    assert 'rarecase_requests_total{path="other",status="404"}' in found
    assert 'rarecase_texts_total{action="block",label="threat"}' in found
    assert "nobody" not in found
    for name in ("queue", "tokenize", "inference"):
        assert f"rarecase_{name}_seconds_count" in found
