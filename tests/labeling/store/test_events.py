"""The log: in order, whole or not at all, each event once; in both databases, and from several processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rarecase.core.errors import ConfigError, DataError
from rarecase.labeling.store.address import database_url, without_password
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.kinds import Event

APPEND = """
import sys
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.kinds import Event
log = EventLog(sys.argv[1])
for number in range(int(sys.argv[3])):
    with log.exclusive() as writer:
        writer.append([Event("vote", person=sys.argv[2], data={"number": number, "before": len(writer.since(0))})])
    print(number, flush=True)
"""


def appended(log: EventLog, *events: Event) -> list[Event]:
    with log.exclusive() as writer:
        return writer.append(events)


def test_events_come_back_in_order_as_they_were(url):
    log = EventLog(url)
    events = [Event("vote", "i1", "ann", {"label": "ü \0 \ud800 💡", "seconds": 1.5}), Event("batch", at=17.0)]
    written = appended(log, *events)
    assert EventLog(url).since(0) == written
    assert [event.id for event in written] == [event.id for event in events]
    assert written[0].at > 1e9
    assert written[1].at == 17.0
    assert log.since(written[0].seq) == written[1:]


def test_an_event_that_is_there_is_not_written_again(url):
    log, event = EventLog(url), Event("vote", id="e1", data={"label": "a"})
    assert len(appended(log, event, event)) == 1
    with log.exclusive() as writer:
        assert writer.append([Event("vote", id="e1", data={"label": "b"})]) == []
        assert writer.find("e1")
        assert writer.find("e2") is None
        assert writer.find("e1").data == {"label": "a"}
        assert writer.find("e2") is None
    assert [e.data for e in log.since(0)] == [{"label": "a"}]


def test_a_transaction_that_raises_has_written_nothing(url):
    log = EventLog(url)

    def fails() -> None:
        with log.exclusive() as writer:
            writer.append([Event("vote"), Event("vote")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert log.since(0) == []
    assert len(appended(log, Event("vote"))) == 1


def test_many_events_are_written_at_once_in_their_order(url):
    log = EventLog(url)
    events = [Event("item", f"i{number}", data={"number": number}) for number in range(2_000)]
    appended(log, *events[:10])
    assert len(appended(log, *events)) == 1_990
    assert [event.data["number"] for event in log.since(0)] == list(range(2_000))
    assert [event.seq for event in log.since(0)] == sorted(event.seq for event in log.since(0))


def test_transactions_of_several_processes_and_threads_do_not_overlap(url):
    EventLog(url).close()
    others = [
        subprocess.Popen([sys.executable, "-c", APPEND, url, f"process {n}", "25"], stdout=subprocess.DEVNULL)
        for n in range(2)
    ]
    log = EventLog(url)

    def append(name: str) -> None:
        for number in range(25):
            with log.exclusive() as writer:
                writer.append([Event("vote", person=name, data={"number": number, "before": len(writer.since(0))})])

    threads = [threading.Thread(target=append, args=(f"thread {n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait() for other in others] == [0, 0]
    events = log.since(0)
    assert [event.data["before"] for event in events] == list(range(100))
    for name in {event.person for event in events}:
        assert [event.data["number"] for event in events if event.person == name] == list(range(25))


def test_what_was_committed_outlasts_a_kill_and_the_log_is_free_again(url):
    EventLog(url).close()
    writer = subprocess.Popen([sys.executable, "-c", APPEND, url, "ann", "100000"], stdout=subprocess.PIPE, text=True)
    said = [writer.stdout.readline() for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    said += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    numbers = [event.data["number"] for event in EventLog(url).since(0)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= len([line for line in said if line.endswith("\n")])
    assert len(appended(EventLog(url), Event("vote"))) == 1


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), max_size=4))
def test_whatever_json_can_hold_comes_back(tmp_path, data):
    log = EventLog(str(tmp_path / "labels.sqlite"))
    written = appended(log, Event("vote", data=data))
    assert log.since(written[0].seq - 1)[-1].data == data
    log.close()


def test_commits_are_on_the_disk(tmp_path):
    log = EventLog(str(tmp_path / "labels.sqlite"))
    with log._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"


def test_a_folder_means_the_file_in_it(tmp_path):
    EventLog(str(tmp_path)).close()
    assert (tmp_path / "labels.sqlite").exists()
    assert database_url("postgres://a@b/c") == "postgresql+psycopg://a@b/c"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{folder}/no/such/labels.sqlite", "unable to open database file"),
        ("{folder}/text.txt", "file is not a database"),
        ("nodatabase://ann:secret@host/x", "no address of a database"),
        ("mysql://ann:secret@host/x", "no address of a database; expected a file or postgresql://…"),
        ("://ann:secret", "no address of a database"),
        ("postgresql://ann:secret@127.0.0.1:1/x", "connection"),
    ],
)
def test_what_cannot_be_opened_is_named_without_its_password(tmp_path, url, message):
    (tmp_path / "text.txt").write_text("no database " * 100)
    with pytest.raises(ConfigError, match=message) as caught:
        EventLog(url.format(folder=tmp_path))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("--store ")
    assert caught.value.__cause__ is None


def test_a_password_is_not_shown():
    assert without_password("postgresql://ann:secret@db:5432/x?password=secret") == "postgresql://ann:***@db:5432/x"
    assert without_password("labels.sqlite") == "labels.sqlite"


def test_a_database_that_fails_is_one_line_without_values(tmp_path):
    path = tmp_path / "labels.sqlite"
    log = EventLog(str(path))
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE events RENAME TO others")

    def appends() -> None:
        appended(log, Event("vote", data={"text": "a post"}))

    for call in (appends, lambda: log.since(0)):
        with pytest.raises(DataError, match="no such table: events") as caught:
            call()
        assert "a post" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_text_that_is_not_utf_8_is_not_shown(tmp_path):
    path = tmp_path / "labels.sqlite"
    log = EventLog(str(path))
    appended(log, Event("comment", item="a", person="ann", data={"text": "x", "cleaned": {}}))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE events SET data = CAST(x'7b2261223a22706f7374ff227d' AS TEXT)")  # {"a":"post\xff"}
    with pytest.raises(DataError, match="Could not decode to UTF-8 column 'data'; repeat") as caught:
        log.since(0)
    assert "post" not in str(caught.value).removeprefix(str(path))
