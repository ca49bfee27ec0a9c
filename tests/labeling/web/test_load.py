"""
Fifty people at once through the served page, beside four browsers that label, one that settles, and pages that nobody
sits at: nothing lost, nothing twice, nobody waits. And fifty whose server is killed, on either database.
"""

import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict

import labelers
import numpy as np
import pytest
from labelers import NAMES, SERVE, TWO_VOTES, Client, act, vote
from many_writers import Served, Told, labelled_by_many, require_all_there, show

from rarecase.labeling.store.events import EventLog

PEOPLE, EACH, PACE = 50, 40, 2.0  # seconds between two votes of a person
IDLE, LOOK = 20, 5.0  # pages that are only open; seconds between two looks of such a page


def labels(url: str, name: str, begin: float, waits: list[float], acknowledged: list[tuple[str, str, str]]) -> None:
    """Forty votes, one every two seconds; notes how long each took to be acknowledged."""
    client, draws = Client(url, name), random.Random(name)
    queue = client.say()["queue"]
    for number in range(EACH):
        time.sleep(max(0.0, begin + (number + draws.random()) * PACE - time.monotonic()))
        cast = vote(queue[0]["item"], draws.choice(NAMES))
        sent = time.monotonic()
        answer = client.say(cast, have=[row["item"] for row in queue])
        waits.append(time.monotonic() - sent)
        if answer["told"][0]["accepted"]:
            acknowledged.append((cast["event"], cast["item"], name))
        queue = answer["queue"]


def looks(url: str, name: str, until: threading.Event) -> None:
    """Asks how things stand, as an open page does by itself."""
    client, have = Client(url, name), []
    while not until.wait(LOOK):
        have = [row["item"] for row in client.say(have=have)["queue"]]


def opened(browser, url: str, name: str, to: str = "/"):
    page = browser.new_context().new_page()
    page.goto(url + to, wait_until="domcontentloaded")
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")
    return page


@pytest.mark.slow
def test_fifty_people_and_four_browsers_label_without_waiting_or_loss(browser, tmp_path):
    store, enough = tmp_path / "labels.sqlite", (PEOPLE + 4) * EACH // 2 + 60 + 3 * IDLE
    labelers.fill(store, [f"a text of no consequence, number {i}" for i in range(enough)])
    waits, acknowledged, over = [], [], threading.Event()
    with labelers.serving(store, tmp_path / "log") as url:
        pages = [opened(browser, url, f"browser-{number}") for number in range(4)]
        for page in pages:
            page.locator("#post[data-item]").wait_for()
        judge = opened(browser, url, "judge", "/settle/")
        idle = [threading.Thread(target=looks, args=(url, f"idle-{i}", over)) for i in range(IDLE)]
        begin = time.monotonic() + 5
        threads = [
            threading.Thread(target=labels, args=(url, f"client-{i}", begin, waits, acknowledged))
            for i in range(PEOPLE)
        ]
        for thread in [*threads, *idle]:
            thread.start()
        for number in range(EACH):
            time.sleep(max(0.0, begin + number * PACE - time.monotonic()))
            for page in pages:
                page.keyboard.press(str(number % 6 + 1))
            judge.keyboard.press("6")
        for thread in threads:
            thread.join()
        over.set()
        for thread in idle:
            thread.join()
        for page in pages:
            page.wait_for_function("document.querySelector('#unflushed').textContent === '0'")
            page.context.close()
        judge.context.close()
    found = EventLog(str(store)).since(0)
    events = [event for event in found if event.kind == "vote"]
    settled = [event.item for event in found if event.kind == "settle"]
    print(f"p50 {np.percentile(waits, 50):.3f} s, p99 {np.percentile(waits, 99):.3f} s, {len(events)} votes")
    assert len(acknowledged) == PEOPLE * EACH
    assert {(e.id, e.item, e.person) for e in events} >= set(acknowledged)
    assert max(Counter((event.item, event.person) for event in events).values()) == 1
    assert max(Counter(event.item for event in events).values()) == 2
    assert sum(event.person.startswith("browser") for event in events) >= 0.9 * 4 * EACH
    assert EACH // 2 < len(settled) == len(set(settled))
    assert np.percentile(waits, 99) < 0.5


class ThroughPage:
    """Somebody who makes the page's own calls."""

    def __init__(self, name: str, port: int):
        self.client, self.have = Client(f"http://127.0.0.1:{port}", name), []
        self.queue()  # signs in, and finds where the page calls

    def queue(self) -> Told:
        return self._told(self.client.say(have=self.have))

    def vote(self, item: str, label: str, event: str) -> Told:
        return self._told(
            self.client.say(act("vote", item=item, label=label, seconds=1.5) | {"event": event}, have=self.have)
        )

    def _told(self, answer) -> Told:
        told = answer["told"][0] if answer["told"] else {"accepted": True, "reason": ""}
        self.have = [row["item"] for row in answer["queue"]]
        return Told(told["accepted"], told["reason"], answer["queue"])


@pytest.mark.slow
def test_fifty_people_lose_nothing_while_the_server_of_the_page_is_killed_five_times(url):
    lease = 30.0
    said = {"store": url, "settings": asdict(TWO_VOTES) | {"lease": lease}, "qualify": None, "roles": None}

    def serve(port: int) -> Served:
        command = [sys.executable, "-c", SERVE, json.dumps(said | {"port": port})]
        return Served(command, port, RARECASE_SESSION_KEY="known to this test alone" * 2)

    people = labelled_by_many(url, serve, ThroughPage, writers=50, each=40, pace=2.0, lease=lease, kills=5)
    show(people)
    require_all_there(url, people, 1_000)
