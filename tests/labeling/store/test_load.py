"""
Many people at once, and a server that is killed meanwhile: no label is lost, and none is waited for.

    pytest tests/label/test_load.py -m slow -s

prints how long an acknowledgement took.
"""

import http.client
import json
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_server.server import free_port
from voting import NAMES, put

from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.settings import Settings

SERVING = Path(__file__).with_name("serving.py")


class Served:
    """The server process, which is killed and comes back at the same port."""

    def __init__(self, url: str, port: int):
        self.command = [sys.executable, str(SERVING), url, str(port)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        self.process.kill()
        assert self.process.wait() == -9
        self.process.stdout.close()


@dataclass
class Writer:
    """
    Somebody who labels what is on the page, one text every `pace` seconds, and sends again what was not answered.

    Args:
        name (`str`): who.
        port (`int`): of the server.
        pace (`float`): seconds between two votes.
        done (`threading.Event`): when all is labelled.
    """

    name: str
    port: int
    pace: float
    done: threading.Event
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)  # event → item, label
    seconds: list[float] = field(default_factory=list)  # of the answered calls
    waited: list[float] = field(default_factory=list)  # until an answer, through all that were not answered
    refused: Counter = field(default_factory=Counter)
    connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        rng = random.Random(self.name)
        time.sleep(rng.uniform(0, self.pace))
        queue: list[dict[str, Any]] = []
        while not self.done.is_set():
            next_ = time.monotonic() + self.pace
            if not queue:
                queue = self.call("queue")["queue"]
            else:
                said = {"item": queue[0]["item"], "label": rng.choice(NAMES), "event": str(uuid.uuid4())}
                answer = self.call("vote", **said)
                if answer["accepted"]:
                    self.acknowledged[said["event"]] = said["item"], said["label"]
                else:
                    self.refused[answer["reason"]] += 1
                queue = answer["queue"]
            self.done.wait(max(next_ - time.monotonic(), 0))

    def call(self, what: str, **said: str) -> dict[str, Any]:
        body, begun = json.dumps({"person": self.name, **said}), time.monotonic()
        while True:
            sent = time.monotonic()
            try:
                self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                self.connection.request("POST", f"/{what}", body)
                answer = json.loads(self.connection.getresponse().read())
            except (OSError, http.client.HTTPException):
                if self.connection:
                    self.connection.close()
                self.connection = None
                time.sleep(0.05)
                continue
            if what == "vote":
                self.seconds.append(time.monotonic() - sent)
                self.waited.append(time.monotonic() - begun)
            return answer


def labelled_by_many(url: str, *, writers: int, each: int, pace: float, lease: float, kills: int) -> list[Writer]:
    """Has every text labelled twice, beside three people who take texts and never come back."""
    service = LabelService(EventLog(url))
    service.start(Settings(votes=2, lease=lease))
    put(service, writers * each // 2)
    port = free_port()
    for gone in range(3):
        service.queue(f"gone {gone}")
    served, done = Served(url, port), threading.Event()
    people = [Writer(f"writer {number}", port, pace, done) for number in range(writers)]
    threads = [threading.Thread(target=person.run) for person in people]
    for thread in threads:
        thread.start()
    expected, killed, begun = writers * each * pace / writers, 0, time.monotonic()
    try:
        while sum(len(person.acknowledged) for person in people) < writers * each:
            took = time.monotonic() - begun
            assert took < 3 * expected + 3 * lease + 20, "some text is never labelled"
            if killed < kills and took > (killed + 1) * expected / (kills + 1):
                served.kill()
                served.start()
                killed += 1
            time.sleep(0.05)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        served.kill()
    assert killed == kills
    return people


def require_all_there(url: str, people: list[Writer], items: int) -> None:
    service = LabelService(EventLog(url))
    votes = {event.id: event for event in service.log.since(0) if event.kind == "vote"}
    for person in people:
        for event, (item, label) in person.acknowledged.items():
            found = votes[event]  # no acknowledged vote is missing
            assert (found.person, found.item, found.data["label"]) == (person.name, item, label)
    assert len(votes) == sum(len(person.acknowledged) for person in people)
    assert max(Counter((event.item, event.person) for event in votes.values()).values()) == 1
    with service.state() as state:
        assert len(state.items) == items
        assert {len(item.votes) for item in state.items.values()} == {2}
    assert len(service.decisions("b")) + len(service.to_review("judge")) == items


def show(people: list[Writer]) -> float:
    """Prints the figures, and gives the 99th percentile."""
    seconds = np.array([s for person in people for s in person.seconds]) * 1000
    waited = np.array([s for person in people for s in person.waited]) * 1000
    p50, p99 = np.percentile(seconds, [50, 99])
    votes = sum(len(person.acknowledged) for person in people)
    refused = sum((person.refused for person in people), Counter())
    print(
        f"\n{votes} votes; acknowledgement: median {p50:.0f} ms, p99 {p99:.0f} ms, longest {seconds.max():.0f} ms; "
        f"with what the kills cost: p99 {np.percentile(waited, 99):.0f} ms, longest {waited.max():.0f} ms; "
        f"refused: {dict(refused)}"
    )
    return float(p99)


@pytest.mark.slow
def test_fifty_writers_lose_nothing_while_the_server_is_killed_five_times(url):
    people = labelled_by_many(url, writers=50, each=40, pace=2.0, lease=30.0, kills=5)
    p99 = show(people)
    require_all_there(url, people, 1_000)
    assert p99 < 500


def test_ten_writers_lose_nothing_while_the_server_is_killed_twice(url):
    people = labelled_by_many(url, writers=10, each=20, pace=0.25, lease=4.0, kills=2)
    show(people)
    require_all_there(url, people, 100)
