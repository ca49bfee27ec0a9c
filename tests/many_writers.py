"""
Many people who label at once, and their server, which is killed meanwhile and comes back at the same port.

They reach the label service by a `Connection`: straight, or through the page.
"""

import http.client
import os
import random
import socket
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import httpx
import numpy as np
from hub_server.server import free_port
from voting import NAMES, put

from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.settings import Settings

PATIENCE = 120.0  # seconds within which a server answers, on a machine that is busy with something else


class Told(NamedTuple):
    """What somebody is told: whether the vote was accepted, else why not, and the texts that are next."""

    accepted: bool
    reason: str
    queue: list[dict[str, Any]]


class Connection(Protocol):
    """How somebody reaches the server; a call that is not answered raises `OSError`, or what its library raises."""

    def queue(self) -> Told: ...

    def vote(self, item: str, label: str, event: str) -> Told: ...


class Served:
    """
    A server process.

    Args:
        command (`Sequence[str]`): which serves at `port`, on the loopback address.
        port (`int`): where it is known to be there.
        environment (`dict[str, str]`): beside that of the test.
    """

    def __init__(self, command: Sequence[str], port: int, **environment: str):
        self.command, self.port, self.environment = command, port, os.environ | environment
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.environment, stdout=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                assert self.process.poll() is None, "the server ended by itself"
                assert time.monotonic() < until, "the server does not begin"
                time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        assert self.process.wait() == -9


@dataclass
class Writer:
    """
    Somebody who labels what is on the page, one text every `pace` seconds, and sends again what was not answered.

    Args:
        name (`str`): who.
        connection (`Connection`): to the server.
        pace (`float`): seconds between two votes.
        done (`threading.Event`): when all is labelled.
    """

    name: str
    connection: Connection
    pace: float
    done: threading.Event
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)  # event → item, label
    seconds: list[float] = field(default_factory=list)  # of the answered votes
    waited: list[float] = field(default_factory=list)  # until an answer, through all that were not answered
    refused: Counter = field(default_factory=Counter)

    def run(self) -> None:
        rng = random.Random(self.name)
        time.sleep(rng.uniform(0, self.pace))
        queue: list[dict[str, Any]] = []
        while not self.done.is_set():
            next_ = time.monotonic() + self.pace
            if not queue:
                queue = self.answered(self.connection.queue)[0].queue
            else:
                event, item, label = str(uuid.uuid4()), queue[0]["item"], rng.choice(NAMES)
                begun = time.monotonic()
                told, sent = self.answered(lambda: self.connection.vote(item, label, event))  # noqa: B023 - called here
                self.seconds.append(time.monotonic() - sent)
                self.waited.append(time.monotonic() - begun)
                if told.accepted:
                    self.acknowledged[event] = item, label
                else:
                    self.refused[told.reason] += 1
                queue = told.queue
            self.done.wait(max(next_ - time.monotonic(), 0))

    def answered(self, call: Callable[[], Told]) -> tuple[Told, float]:
        """The answer, and when that call was sent; what is not answered is sent again."""
        while True:
            sent = time.monotonic()
            try:
                return call(), sent
            except (OSError, http.client.HTTPException, httpx.HTTPError):
                time.sleep(0.05)


def labelled_by_many(
    url: str,
    serve: Callable[[int], Served],
    connect: Callable[[str, int], Connection],
    *,
    writers: int,
    each: int,
    pace: float,
    lease: float,
    kills: int,
) -> list[Writer]:
    """
    Has every text of a new store labelled twice, beside three people who take texts and never come back.

    Args:
        url (`str`): the store.
        serve (`Callable`): begins its server at a port.
        connect (`Callable`): gives somebody, by name, a connection to that port.
        writers (`int`), each (`int`), pace (`float`): people, votes of each, seconds between two of them.
        lease (`float`): seconds after which a text that was taken is given to others.
        kills (`int`): of the server, in equal distances.
    """
    service = LabelService(EventLog(url))
    service.start(Settings(votes=2, lease=lease))
    put(service, writers * each // 2)
    for gone in range(3):
        service.queue(f"gone-{gone}")
    port, done = free_port(), threading.Event()
    served, threads = serve(port), []
    try:
        people = [Writer(name, connect(name, port), pace, done) for name in map("writer-{}".format, range(writers))]
        threads = [threading.Thread(target=person.run) for person in people]
        for thread in threads:
            thread.start()
        expected, killed, begun = each * pace, 0, time.monotonic()
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
