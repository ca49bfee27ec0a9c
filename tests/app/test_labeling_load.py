"""Fifty people at once through the served page, beside four browsers: nothing lost, nothing twice, nobody waits."""

import random
import threading
import time
from collections import Counter

import numpy as np
import pytest

from app import labelers
from app.labelers import NAMES, Client, vote
from rarecase.label.log import Log

PEOPLE, EACH, PACE = 50, 40, 2.0  # seconds between two votes of a person


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


@pytest.mark.slow
def test_fifty_people_and_four_browsers_label_without_waiting_or_loss(browser, tmp_path):
    store = tmp_path / "labels.sqlite"
    labelers.fill(store, [f"a text of no consequence, number {i}" for i in range((PEOPLE + 4) * EACH // 2 + 60)])
    waits, acknowledged, pages = [], [], []
    with labelers.serving(store, tmp_path / "log") as url:
        for number in range(4):
            page = browser.new_context().new_page()
            page.goto(url, wait_until="domcontentloaded")
            page.get_by_label("Your name").fill(f"browser-{number}")
            page.keyboard.press("Enter")
            page.locator("#post[data-item]").wait_for()
            pages.append(page)
        begin = time.monotonic() + 5
        threads = [
            threading.Thread(target=labels, args=(url, f"client-{i}", begin, waits, acknowledged))
            for i in range(PEOPLE)
        ]
        for thread in threads:
            thread.start()
        for number in range(EACH):
            time.sleep(max(0.0, begin + number * PACE - time.monotonic()))
            for page in pages:
                page.keyboard.press(str(number % 6 + 1))
        for thread in threads:
            thread.join()
        for page in pages:
            page.wait_for_function("document.querySelector('#unflushed').textContent === '0'")
            page.context.close()
    events = [event for event in Log(str(store)).since(0) if event.kind == "vote"]
    print(f"p50 {np.percentile(waits, 50):.3f} s, p99 {np.percentile(waits, 99):.3f} s, {len(events)} votes")
    assert len(acknowledged) == PEOPLE * EACH
    assert {(e.id, e.item, e.person) for e in events} >= set(acknowledged)
    assert max(Counter((event.item, event.person) for event in events).values()) == 1
    assert max(Counter(event.item for event in events).values()) == 2
    assert sum(event.person.startswith("browser") for event in events) >= 0.9 * 4 * EACH
    assert np.percentile(waits, 99) < 0.5
