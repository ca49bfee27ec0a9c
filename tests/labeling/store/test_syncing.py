"""A label store that synchronises with the Hub in the background: through outages, and to the last vote."""

import contextlib
import threading
import time
from collections import Counter

import pytest
from datasets import Dataset
from hub_store import REPO, vote, votes_on_hub

from rarecase.core.errors import HubError
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.people import People
from rarecase.labeling.store.settings import Settings


def test_ten_minutes_without_a_hub(page, fresh_hub):
    """By a clock that the test sets: people go on labeling, the page says what is not safe, and all of it arrives."""
    clock, waits, said, given, reports = [0.0], [], [], [], []
    threads, ended = set(), threading.Event()
    away = contextlib.ExitStack()
    away.enter_context(fresh_hub.down())

    def wait(seconds: float) -> bool:
        threads.add(threading.current_thread())
        waits.append(seconds)
        said.append((page.unflushed(), page.trouble))
        clock[0] += seconds
        if len(given) < 6:
            given.append(vote(page))
        if clock[0] >= 600:
            away.close()
        if not page.trouble:
            ended.set()
        return ended.is_set()

    with away:
        page.start_syncing(reports.append, wait)
        assert ended.wait(300)
    page.close()
    assert [thread.is_alive() for thread in threads] == [False]
    assert threading.current_thread() not in threads
    assert waits[:7] == [2, 4, 8, 16, 32, 60, 60]
    assert [count for count, _ in said[:7]] == [0, 1, 2, 3, 4, 5, 6]
    trouble = f"{REPO}: the Hub cannot be reached (HF_ENDPOINT?); repeat the command"
    assert {trouble for _, trouble in said[:-1]} == {trouble}
    assert reports == [trouble, ""]
    assert said[-1] == (0, "")
    assert votes_on_hub() == Counter(given)
    assert len(given) == 6


def test_a_hub_that_is_away_for_a_day_is_waited_for(page, fresh_hub):
    """Two thousand attempts, each a minute after the one before."""
    waits: list[float] = []
    reports: list[str] = []
    ended = threading.Event()

    def fails() -> None:
        raise HubError("away")

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) == 2_000:
            ended.set()
        return ended.is_set()

    page.sync = fails
    page.start_syncing(reports.append, wait)
    assert ended.wait(60)
    page.close()
    assert reports == ["away"]
    assert set(waits[6:]) == {60}
    assert len(waits) == 2_000


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file")])
def test_a_report_that_fails_ends_no_synchronisation(page, fresh_hub, error):
    """The first attempt fails, and so does telling it; the second brings the vote to the Hub."""
    reports: list[str] = []
    ended = threading.Event()
    sync, attempts = page.sync, iter([HubError("away")])

    def fails_once() -> None:
        if failure := next(attempts, None):
            raise failure
        sync()

    def report(trouble: str) -> None:
        reports.append(trouble)
        raise error

    def wait(seconds: float) -> bool:
        if not page.trouble:
            ended.set()
        return ended.is_set()

    event = vote(page)
    page.sync = fails_once
    page.start_syncing(report, wait)
    assert ended.wait(60)
    page.close()
    assert reports == ["away", ""]
    assert votes_on_hub() == {event: 1}


def test_closing_sends_what_is_left(page):
    page.start_syncing()
    event = vote(page)
    page.close()
    assert votes_on_hub() == {event: 1}


def test_a_run_that_waits_says_that_its_texts_do_not_reach_people(machine, fresh_hub, capsys):
    """As with a token that may read and not write: the page shows nothing, however long the run waits."""
    loop, taxonomy = machine("loop"), Taxonomy.default()
    fresh_hub.fault("/commit/", 400, times=10**6)

    def wait(_: float) -> None:
        time.sleep(0.01)
        if loop.trouble:
            loop.service.start(Settings(votes=1))
            vote(loop, label=taxonomy.names[0])

    chosen = Dataset.from_dict({"id": ["p-1"], "text": ["one"]})
    assert len(People(loop, "run 1", taxonomy, "serve", wait).annotate(chosen)) == 1
    loop.close()
    assert f"label store: {REPO}: the Hub refuses it (status 400)" in capsys.readouterr().err
