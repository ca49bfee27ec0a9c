"""A Hub that says nothing, hardly anything or nonsense is one line, soon; a slow one is waited for."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
import releases
from hostile_server import HostileServer, answer, endless, silent
from hub_server.client import environment
from hub_server.server import free_port
from huggingface_hub.errors import OfflineModeIsEnabled

from rarecase.core.errors import HubError
from rarecase.hub import client

COMMANDS = """
import contextlib, io, json, sys, time
from rarecase.cli.main import command
from rarecase.hub import client
client.SILENCE = 1.0
for arguments in json.loads(sys.stdin.readline()):
    client.Client.given_up.clear()
    begun, said = time.monotonic(), io.StringIO()
    with contextlib.redirect_stderr(said):
        status = command(arguments)
    print(json.dumps([status, said.getvalue().splitlines(), time.monotonic() - begun]))
"""
SAMPLE = Path(client.__file__).parents[1] / "sample"
NO_ANSWER = "127.0.0.1: no answer from the Hub for 1 s (HF_ENDPOINT?); repeat the command later"
NO_HUB = "acme/{}: the answer is not a Hub's; check HF_ENDPOINT"
NO_DATA = "acme/{}: no such file or folder, and no data set on the Hub that can be read"
OFFLINE = "acme/{}: no such file or folder, and the Hub does not answer (HF_ENDPOINT, HF_HUB_OFFLINE?)"
NO_MODEL = "acme/{}: neither a folder nor in the cache, and the Hub cannot be reached"
SAYS = {
    "silent": (silent, NO_ANSWER, OFFLINE),
    "slow": (lambda: endless(part=b" ", wait=0.05), NO_ANSWER, NO_DATA),
    "endless": (endless, "127.0.0.1: an answer of over 16 MiB (HF_ENDPOINT?)", NO_DATA),
    "list": (lambda: answer(b"[1, 2]"), NO_HUB, NO_DATA),
    "empty": (lambda: answer(b"{}"), NO_HUB, NO_DATA),
    "html": (lambda: answer(b"<html>Welcome to the network"), NO_HUB, NO_DATA),
    "deep": (lambda: answer(b"[" * 100_000 + b"]" * 100_000), NO_HUB, NO_DATA),
}


def test_a_command_that_writes_or_reads_at_such_a_hub_ends_with_one_line_soon(tmp_path):
    release = str(releases.write(tmp_path / "release", 12))
    sets = " ".join(f"--{name} {SAMPLE / name}.csv" for name in ("pool", "bootstrap", "dev", "test"))
    run = f"run {sets} --strategy random --annotator gold --generator none --budget 10 --batch 10 --out {tmp_path}/out"
    commands, expected = [], []
    for name, (_, published, read) in SAYS.items():
        commands.append(
            f"publish dataset {release} --repo acme/{name} --license cc-by-4.0 --accept-no-license".split()
        )
        expected.append(published.format(name))
        if name in ("silent", "html"):  # reading is asked about the others by `publish` as well
            commands += [
                f"train acme/{name} --config-name a --out {tmp_path}/out".split(),
                f"{run} --model acme/{name}".split(),
            ]
            expected += [read.format(name), NO_MODEL.format(name)]
    with HostileServer(lambda line: SAYS[line.split("acme/")[1].split("/")[0].split()[0]][0]()) as server:
        done = subprocess.run(
            [sys.executable, "-c", COMMANDS],
            input=json.dumps(commands),
            env={**environment(server.address, "hf_alice", str(tmp_path)), "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=300,
        )
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(results) == len(commands), done.stderr
    for arguments, line, (status, said, seconds) in zip(commands, expected, results, strict=True):
        assert status == 2, arguments
        assert said[-1].startswith(f"rarecase: {line}"), arguments
        assert sum(one.startswith("rarecase: ") for one in said) == 1
        assert seconds < 15, arguments
    assert all("acme/" in head for head in server.heard)


@pytest.fixture
def asked(monkeypatch):
    """Asks a server that says this, with limits of one second and two."""
    monkeypatch.setattr(client, "SILENCE", 1.0)
    monkeypatch.setattr(client, "WORK", 2.0)

    def asked(say, method="GET", path="/api/datasets", times=1, **options):
        with HostileServer(lambda line: say()) as server, client.Client() as made:
            for _ in range(times - 1):
                with pytest.raises(httpx2.TimeoutException):
                    made.request(method, server.address + path, **options)
            return made.request(method, server.address + path, **options)

    return asked


@pytest.mark.parametrize("options", [{}, {"timeout": None}, {"timeout": 100.0}])
def test_silence_is_not_waited_for_twice_whatever_a_library_asks_for(options, asked):
    begun = time.monotonic()
    with pytest.raises(HubError, match="no answer from the Hub") as said:
        asked(silent, times=2, **options)
    assert said.value.temporary, "a new repository stays, as after every error that may pass"
    assert time.monotonic() - begun < 10


def test_a_host_that_lets_nobody_connect_is_silent_too(monkeypatch):
    monkeypatch.setattr(client, "SILENCE", 0.3)
    address = f"http://127.0.0.1:{free_port()}"
    with client.Client() as made:
        with pytest.raises(httpx2.ConnectError):
            made.get(address)
        time.sleep(0.4)
        with pytest.raises(HubError, match="no answer from the Hub"):
            made.get(address)
        with pytest.raises(OfflineModeIsEnabled):  # what the libraries know
            made.get(address)


def test_what_comes_hardly_at_all_is_silence(asked):
    with pytest.raises(HubError, match="no answer from the Hub"):
        asked(lambda: endless(part=b" ", wait=0.02), path="/datasets/acme/safety/resolve/main/release.json")


@pytest.mark.parametrize("path", ["/datasets/acme/safety/resolve/main/a.parquet", "/api/datasets"])
def test_a_download_that_stops_in_the_middle_is_not_begun_again(asked, path):
    begun = time.monotonic()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 120000\r\n\r\n"
    with pytest.raises(HubError, match="no answer from the Hub for 1 s"):
        asked(lambda: [head, bytes(60_000), 60.0], path=path)
    assert time.monotonic() - begun < 10


def test_a_hub_that_works_on_what_it_was_sent_is_waited_for(asked):
    assert asked(lambda: [1.3, *answer(b"{}")], method="POST").json() == {}
    with pytest.raises(httpx2.ReadTimeout):
        asked(silent, method="POST")


def test_a_large_file_on_a_slow_line_comes_whole(asked):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 120000\r\n\r\n"
    slowly = [head, *[part for _ in range(6) for part in (bytes(20_000), 0.4)]]
    assert len(asked(lambda: slowly, path="/datasets/acme/safety/resolve/main/a.parquet").content) == 120_000
