"""Whoever asks is killed again and again, and the server fails in every way: nothing is lost or asked for twice."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from rarecase.llm.ledger import Ledger
from rarecase.llm.replies import Replies, request_key

TESTS = Path(__file__).parents[1]
REQUESTS, KILLS = 500, 10
ASK = f"""
import sys
from rarecase.llm.budget import Limits
from rarecase.llm.endpoint import Endpoint
from rarecase.llm.ledger import Ledger
from rarecase.llm.replies import Replies
sys.path.append({str(Path(__file__).parent)!r})
from test_killed import requests
limits = Limits(cost=float(sys.argv[4])) if len(sys.argv) > 4 else None
options = dict(concurrency=int(sys.argv[3]), limits=limits, prices={str(Path(__file__).with_name("prices.yaml"))!r})
model = Endpoint(sys.argv[1], "words", replies=Replies(sys.argv[2]), seed=0, deadline=3.0, **options)
try:
    model.ask(requests())
except Exception as error:
    sys.exit(str(error))
"""
PRICE = {"prompt": 200.0, "completion": 800.0}  # dollars per million tokens


def requests():
    return [
        {
            "model": "words",
            "messages": [{"role": "user", "content": f"Say this post in different words: knee {i} clicks"}],
            "temperature": 0.4,
            "seed": i,
            "max_tokens": 40,
        }
        for i in range(REQUESTS)
    ]


@contextlib.contextmanager
def served(log, share):
    command = [sys.executable, str(TESTS / "faulty_server.py"), str(log), str(share), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def lines_of(log, event):
    return [line.split()[1:] for line in log.read_text().splitlines() if line.startswith(event)]


def stored_in(path):
    replies = Replies(path)
    stored = {request_key(request) for request in requests() if replies.text(request) is not None}
    replies.close()
    return stored


def kill(command, log, moments):
    """Begins the command, and kills it a while after the first of its requests has arrived; whether it was alive."""
    before = len(lines_of(log, "arrival"))
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(lines_of(log, "arrival")) == before:
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 0.3))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_in_the_end_each_request_has_a_reply_or_a_reason_and_none_that_was_stored_is_asked_again(tmp_path):
    log, path, moments = tmp_path / "log", tmp_path / "replies.sqlite", random.Random(0)
    log.touch()
    with served(log, 0.3) as url:
        command = [sys.executable, "-c", ASK, url, str(path), "16"]
        for _ in range(KILLS):
            stored, asked = stored_in(path), len(lines_of(log, "arrival"))
            assert kill(command, log, moments)
            assert not stored & {key for key, *_ in lines_of(log, "arrival")[asked:]}
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kinds = Counter(kind for _, kind, *_ in lines_of(log, "reply"))
    assert len(kinds) == 15  # every fault has happened
    replies = Replies(path)
    for request in requests():
        assert replies.text(request) is not None or replies.reason(request)
    assert sum(replies.text(request) is None for request in requests()) < REQUESTS / 20
    totals = Ledger(replies).totals()
    assert totals.answered <= len(lines_of(log, "reply")) <= len(lines_of(log, "arrival")) <= totals.requests
    replies.close()


def charged(log):
    """Dollars, by what the server says of its tokens."""
    tokens = [(int(prompt), int(completion)) for *_, prompt, completion in lines_of(log, "reply")]
    return sum(prompt * PRICE["prompt"] + completion * PRICE["completion"] for prompt, completion in tokens) / 1e6


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_limit_in_dollars_is_never_crossed_at_the_server_whatever_is_killed(tmp_path):
    log, path, moments = tmp_path / "log", tmp_path / "replies.sqlite", random.Random(1)
    log.touch()
    with served(log, 0.1) as url:
        command = [sys.executable, "-c", ASK, url, str(path), "64", "3.00"]
        for _ in range(3):
            kill(command, log, moments)
            assert charged(log) <= 3.0
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert charged(log) <= 3.0
        assert re.search(r"--max-cost \$3\.0000: \$2\.\d+ are spent, and the next request may take", done.stderr)
        assert subprocess.run([*command[:-1], "99"], capture_output=True, check=False).returncode == 0
    assert 3.0 < charged(log) < 99
    replies = Replies(path)
    cost = Ledger(replies).totals().cost
    assert cost is not None
    assert charged(log) <= cost
    replies.close()
