"""Transactions of many threads in few commits: nobody is answered before theirs, and a failure undoes all of it."""

import threading
import time
from contextlib import contextmanager

import pytest

from rarecase.core.errors import DataError
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.kinds import Event
from rarecase.labeling.store.transaction import GroupCommit


class Counted(EventLog):
    """A log that counts its commits, each of which takes a while, and can fail in one."""

    commits, fail = 0, False

    @contextmanager
    def exclusive(self):
        with super().exclusive() as writer:
            yield writer
            time.sleep(0.03)
            self.commits += 1
            if self.fail:
                raise DataError("the disk is gone")


def together(log: EventLog, group: GroupCommit, count: int) -> tuple[list[str], list[BaseException]]:
    """So many threads at once; each sees that its event is committed when its transaction has ended."""
    missing, raised = [], []

    def append(name: str) -> None:
        try:
            with group.writer() as writer:
                writer.append([Event("vote", person=name)])
            if name not in {event.person for event in log.since(0)}:
                missing.append(name)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=append, args=(f"t{number}",)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return missing, raised


def test_many_at_once_share_commits_and_are_answered_after_theirs(url):
    log = Counted(url)
    group = GroupCommit(log, on_rollback=pytest.fail)
    assert together(log, group, 40) == ([], [])
    assert sorted(event.person for event in log.since(0)) == sorted(f"t{number}" for number in range(40))
    assert log.commits < 20


def test_one_alone_does_not_wait_for_others(url):
    log = Counted(url)
    group = GroupCommit(log, on_rollback=pytest.fail)
    begun = time.monotonic()
    for _ in range(3):
        assert together(log, group, 1) == ([], [])
    assert log.commits == 3
    assert time.monotonic() - begun < 3


def test_a_commit_that_fails_is_told_to_all_who_shared_it(url):
    log, undone = Counted(url), []
    group = GroupCommit(log, on_rollback=lambda: undone.append(1))
    log.fail = True
    missing, raised = together(log, group, 10)
    assert missing == []
    assert [str(error) for error in raised] == ["the disk is gone"] * 10
    assert len(undone) == log.commits
    log.fail = False
    assert log.since(0) == []
    assert together(log, group, 5) == ([], [])


def test_one_that_raises_takes_back_what_it_shares_and_its_own_error_stays(url):
    log, undone = Counted(url), []
    group = GroupCommit(log, on_rollback=lambda: undone.append(1))
    first, going = threading.Event(), []

    def patient() -> None:
        with group.writer() as writer:
            writer.append([Event("vote", person="patient")])
            first.set()
            while not group.waiting:  # until somebody waits, so that both share a commit
                time.sleep(0.001)

    def caught() -> None:
        with pytest.raises(DataError, match="a write that shared this commit failed"):
            patient()
        going.append(1)

    thread = threading.Thread(target=caught)
    thread.start()
    first.wait()

    def fails() -> None:
        with group.writer() as writer:
            writer.append([Event("vote", person="hasty")])
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fails()
    thread.join()
    assert going == [1]
    assert undone == [1]
    assert log.since(0) == []
