"""Many requests at once: each gets its own answer, short ones do not wait for long ones, and too much is refused."""

import asyncio
import json
import socket
import threading
import time

import numpy as np
import pytest
from by_word import OWN, ByWord
from guard_server import served
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.guard.guard import Guard
from rarecase.serve.batching import BATCH, BOUND, Batcher, cost
from rarecase.serve.metrics import Metrics
from rarecase.serve.refused import Refused


class Steady(ByWord):
    """Takes a twentieth of a second for whatever there is."""

    def score(self, dataset):
        time.sleep(0.05)
        return super().score(dataset)


class Slowly(ByWord):
    """Waits with its first batch until `go` is set."""

    def __init__(self):
        super().__init__()
        self.go, self.begun = threading.Event(), threading.Event()

    def score(self, dataset):
        if any(text.startswith("wait") for text in dataset):
            self.begun.set()
            self.go.wait(20)
        return super().score(dataset)


def ready(guard: Guard) -> Batcher:
    found = Batcher(guard, Metrics())
    while not found.ready:
        time.sleep(0.001)
    return found


@pytest.fixture(scope="module")
def batcher():
    found = ready(Guard(ByWord(), OWN))
    yield found
    found.close()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=1, max_size=10), st.integers(1, 200))
def test_each_request_gets_the_scores_of_its_texts(batcher, requests, length):
    asked = [[f"{'word ' * (length * digit // 5)} 0.{digit} 0 0 0" for digit in digits] for digits in requests]

    batcher.speed = 1e12  # nothing is refused

    async def ask():
        return await asyncio.gather(*map(batcher.scores, asked))

    for digits, texts, found in zip(requests, asked, asyncio.run(ask()), strict=True):
        assert len(found.probs) == len(digits)
        if texts:
            alone = batcher.guard.scores(texts)
            assert np.array_equal(found.probs, alone.probs)
            assert np.array_equal(found.windows, alone.windows)
    assert batcher.waiting == batcher.first == 0


def test_a_short_text_does_not_wait_for_a_long_one():
    learner = Slowly()
    batcher = ready(Guard(learner, OWN))
    order = []

    async def ask(name, text):
        await batcher.scores([text])
        order.append(name)

    async def all_of_them():
        first = asyncio.create_task(ask("first", "wait 0 0 0 1"))
        while not learner.begun.is_set():
            await asyncio.sleep(0.001)
        long = asyncio.create_task(ask("long", "word " * 60_000 + "0 0 0 1"))
        await asyncio.sleep(0)
        short = asyncio.create_task(ask("short", "x 0 0 0 1"))
        await asyncio.sleep(0)
        learner.go.set()
        await asyncio.gather(first, long, short)

    asyncio.run(all_of_them())
    batcher.close()
    assert order == ["first", "short", "long"]


def test_a_long_text_does_not_make_a_slow_model_refuse_all_others():
    learner = Slowly()
    batcher = ready(Guard(learner, OWN))
    batcher.speed = 3000.0  # characters a second: the text takes a minute

    async def both():
        long = asyncio.create_task(batcher.scores(["wait " + "word " * 20_000]))
        while not learner.begun.is_set():
            await asyncio.sleep(0.001)
        short = asyncio.create_task(batcher.scores(["x 0.9 0 0 0"]))
        await asyncio.sleep(0)
        learner.go.set()
        return await asyncio.gather(long, short)

    _, short = asyncio.run(both())
    batcher.close()
    assert short.probs[0, 0] == pytest.approx(0.9)


class FailsOnce(ByWord):
    """Fails on the first batch with such a text, as where the memory is short for a moment."""

    fails = True

    def score(self, dataset):
        if self.fails and any(text.startswith("bad") for text in dataset):
            self.fails = False
            raise MemoryError
        return super().score(dataset)


def test_the_rest_of_a_request_whose_first_part_failed_is_not_scored_and_the_next_is_answered():
    batcher = ready(Guard(FailsOnce(), OWN))
    batcher.speed = 1e12
    texts = ["bad 0 0 0 1", *(f"{'x' * 300} {number} 0 0 0 1" for number in range(100))]  # of several parts

    async def ask():
        with pytest.raises(Refused):
            await batcher.scores(texts)
        return await asyncio.wait_for(batcher.scores(["next 0.9 0 0 0"]), 20)

    assert asyncio.run(ask()).probs[0, 0] == pytest.approx(0.9)
    batcher.close()


class Noting(Guard):
    """Notes what it reads."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.first_words = []

    def read(self, texts):
        self.first_words.append(texts[0].split()[0])
        return super().read(texts)


def test_a_short_text_is_read_before_the_second_of_two_long_ones():
    learner = Slowly()
    guard = Noting(learner, OWN)
    batcher = ready(guard)
    batcher.speed = 1e12

    async def all_of_them():
        first = asyncio.create_task(batcher.scores(["wait 0 0 0 1"]))
        while not learner.begun.is_set():
            await asyncio.sleep(0.001)
        long = [asyncio.create_task(batcher.scores([f"{name} " + "word " * BATCH])) for name in ("one", "two")]
        await asyncio.sleep(0)
        short = asyncio.create_task(batcher.scores(["short 0 0 0 1"]))
        await asyncio.sleep(0)
        learner.go.set()
        await asyncio.gather(first, *long, short)

    asyncio.run(all_of_them())
    batcher.close()
    assert guard.first_words[-4:] == ["wait", "short", "one", "two"]


def test_what_nobody_waits_for_any_more_is_neither_read_nor_scored():
    learner = Slowly()
    guard = Noting(learner, OWN)
    body = json.dumps({"input": "left " + "word " * BATCH}).encode()
    with served(guard) as there:
        thread = threading.Thread(target=lambda: there.ask("/predict", {"inputs": "wait 0.9 0 0 0"}))
        thread.start()
        learner.begun.wait(20)
        with socket.create_connection(("127.0.0.1", there.port)) as connection:
            head = f"POST /v1/moderations HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            while there.batcher.waiting < len(body):
                time.sleep(0.005)
        while there.batcher.waiting > len(body):
            time.sleep(0.005)
        learner.go.set()
        thread.join(20)
        assert there.ask("/predict", {"inputs": "next 0.9 0 0 0"})[0] == 200
        assert 'path="/v1/moderations",status="499"' in there.ask("/metrics")[1]
    assert guard.first_words[-2:] == ["wait", "next"]


def test_more_than_can_be_done_soon_is_refused_and_what_was_admitted_is_answered():
    learner = Slowly()
    batcher = ready(Guard(learner, OWN))
    batcher.speed = 1000.0
    answers, refusals = [], []

    async def ask(number):
        try:
            answers.append((number, await batcher.scores([f"wait {number} 0.{number % 10} 0 0 0"])))
        except Refused as refused:
            refusals.append(refused)

    async def all_of_them():
        tasks = [asyncio.create_task(ask(number)) for number in range(200)]
        await asyncio.sleep(0.05)
        learner.go.set()
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())
    batcher.close()
    assert len(answers) + len(refusals) == 200
    assert 0 < len(answers) < BOUND * 1000 / 40
    assert {refused.status for refused in refusals} == {429}
    assert all(found.probs[0, 0] == pytest.approx(number % 10 / 10) for number, found in answers)


def test_what_is_being_answered_when_the_server_ends_is_answered_and_the_connection_closed():
    learner = Slowly()
    with served(Guard(learner, OWN)) as there:
        found = []
        thread = threading.Thread(target=lambda: found.append(there.ask("/predict", {"inputs": "wait 0.9 0 0 0"})))
        thread.start()
        learner.begun.wait(20)
        there.server.should_exit = True
        while not there.server.draining:
            time.sleep(0.005)
        learner.go.set()
        thread.join(20)
    [(status, answer, headers)] = found
    assert status == 200
    assert answer[0]["label"] == "threat"
    assert headers["connection"] == "close"


def test_texts_that_are_equal_make_a_guard_look_no_faster():
    """They are scored once, so they say nothing of how long as many other texts will take."""
    batcher = ready(Guard(Steady(), OWN))
    batcher.speed = 1e6
    asyncio.run(batcher.scores(["the same"] * 300))
    batcher.close()
    assert batcher.speed <= 0.9 * 1e6 + 0.1 * cost(["the same"]) / 0.05
