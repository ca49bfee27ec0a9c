"""Connections to the label server that bring nothing, too much, too slowly or no HTTP, and too many of them."""

import contextlib
import resource
import socket
import time

import labelers
import pytest
from labelers import Client

import rarecase.web.bodies
import rarecase.web.connections
from rarecase.web.connections import BACKLOG, MOST, most_connections


@pytest.fixture
def store(tmp_path):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(3))
    return tmp_path / "labels.sqlite"


@pytest.fixture
def impatient(store, monkeypatch):
    """A page whose deadlines are short."""
    monkeypatch.setattr(rarecase.web.connections, "HEAD", 0.5)
    monkeypatch.setattr(rarecase.web.bodies, "SLOWEST", 0.5)
    with labelers.running(store) as url:
        yield url.removeprefix("http://")


def test_connections_that_bring_nothing_or_too_slowly_are_closed(impatient):
    host, port = impatient.split(":")
    head = f"POST /sign-in HTTP/1.1\r\nHost: {impatient}\r\nContent-Length: 9000\r\n".encode()
    whole = f"GET /health HTTP/1.1\r\nHost: {impatient}\r\n\r\n".encode()
    begun = {
        "silent": b"",
        "half a head": head,
        "slow body": head + b"\r\nname=",
        "idle": whole,
        "next": whole + b"GET /",
    }
    with contextlib.ExitStack() as stack:
        connections = {name: stack.enter_context(socket.create_connection((host, int(port)))) for name in begun}
        for name, sent in begun.items():
            connections[name].sendall(sent)
        still, until = set(begun), time.monotonic() + 20
        while still and time.monotonic() < until:
            for name in list(still):
                connections[name].settimeout(0.1)
                with contextlib.suppress(TimeoutError, ConnectionError):
                    if connections[name].recv(65536):
                        continue
                    still.remove(name)
                with contextlib.suppress(ConnectionError):
                    if name in ("half a head", "slow body"):
                        connections[name].sendall(b"a")  # a byte now and then
                    elif name == "next":
                        connections[name].sendall(b"a")
        assert not still


def test_one_connection_too_many_is_closed_and_the_others_are_answered(store, monkeypatch):
    monkeypatch.setattr(rarecase.web.connections, "MOST", 3)
    with labelers.running(store) as url, contextlib.ExitStack() as stack:
        netloc = url.removeprefix("http://")
        host, port = netloc.split(":")
        opened = [stack.enter_context(socket.create_connection((host, int(port)), timeout=20)) for _ in range(9)]
        assert [connection.recv(1) for connection in opened[3:]] == [b""] * 6
        for connection in opened[:3]:
            connection.sendall(f"GET /health HTTP/1.1\r\nHost: {netloc}\r\nConnection: close\r\n\r\n".encode())
            assert connection.makefile("rb").read().startswith(b"HTTP/1.1 200")
        assert Client(url, "ann").say()["me"] == "ann"


def test_connections_are_fewer_than_the_files_of_the_process(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (200, 200))
    assert 0 < most_connections() < 200 - BACKLOG
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert most_connections() == MOST


def test_a_body_that_is_no_http_ends_its_request_and_nothing_fails(impatient, caplog):
    ann, (host, port) = Client(f"http://{impatient}", "ann"), impatient.split(":")
    cookie = "; ".join(f"{name}={value}" for name, value in ann.http.cookies.items())
    head = f" HTTP/1.1\r\nHost: {impatient}\r\nCookie: {cookie}\r\nTransfer-Encoding: chunked\r\n\r\n"
    for asked, begun, told in (
        ("POST /gradio_api/component_server/", b"", b"HTTP/1.1 400 Bad Request"),
        ("HEAD /gradio_api/component_server/", b"", b"HTTP/1.1 40"),
        ("GET /health", b"HTTP/1.1 200 OK", b""),
    ):
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"{asked}{head}".encode())
            answer = connection.recv(100) if begun else b""
            connection.sendall(b"no size\r\n")
            assert answer.startswith(begun)
            assert b"".join(iter(lambda: connection.recv(65536), b"")).startswith(told)
    assert ann.say()["me"] == "ann"
    assert "LocalProtocolError" not in caplog.text


def test_whoever_uses_the_page_is_not_cut_off(impatient):
    ann = Client(f"http://{impatient}", "ann")
    for _ in range(3):
        time.sleep(0.3)
        assert ann.say()["me"] == "ann"
