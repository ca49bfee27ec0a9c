"""Events that somebody else wrote into a shared store are checked whole: one line, and nothing of them is kept."""

import json
import sqlite3

import pytest

from rarecase.cli.main import command
from rarecase.core.errors import DataError
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.export import export_votes, status
from rarecase.labeling.store.kinds import LATEST
from rarecase.labeling.store.service import LabelService, Row, item_id
from rarecase.labeling.store.sync import EventFiles

NAMES = ["harmful", "not-harmful"]
ITEM = item_id("b", "p0")
GOOD = {
    "id": "e1",
    "kind": "vote",
    "at": 1.0,
    "item": ITEM,
    "person": "eve",
    "data": {"label": "harmful", "seconds": 1},
}
MALFORMED = {
    "no label": {"data": {"seconds": 1.0}},
    "no seconds": {"data": {"label": "harmful"}},
    "label is a number": {"data": {"label": 5, "seconds": 1.0}},
    "seconds are NaN": {"data": {"label": "harmful", "seconds": float("nan")}},
    "at is endless": {"at": float("inf")},
    "at is after all dates": {"at": 1e308},
    "at is negative": {"at": -1},
    "at is true": {"at": True},
    "no person": {"person": None},
    "no item": {"item": None},
    "long id": {"id": "x" * 37},
    "long person": {"person": "x" * 129},
    "NUL in the person": {"person": "e\0ve"},
    "half a character": {"person": "e\ud800"},
    "half a character of a text": {"kind": "comment", "data": {"text": "x \ud800", "cleaned": {}}},
    "kind is a list": {"kind": ["vote"]},
    "data is a list": {"data": []},
    "field is missing": {"item": ...},
    "settings": {"kind": "settings", "data": {"votes": "x"}},
    "no votes": {"kind": "settings", "data": {"votes": 0}},
    "unknown consensus": {"kind": "settings", "data": {"consensus": "mine"}},
    "batch of nothing": {"kind": "batch", "data": {}},
    "classes are a text": {"kind": "batch", "data": {"batch": "c", "names": "harmful"}},
    "item of nothing": {"kind": "item", "data": {"batch": "b"}},
    "unknown use": {"kind": "item", "data": {"batch": "b", "row": "r", "text": "t", "use": "x"}},
    "taken in part": {"kind": "taken", "data": {"batch": "b", "decisions": {ITEM: ["harmful"]}}},
    "review without a label": {"kind": "settle", "data": {}},
    "undo of nothing": {"kind": "undo", "data": {}},
    "browser of nobody": {"kind": "bind", "person": None, "data": {"browser": "h"}},
    "a code": {"kind": "code", "item": None, "data": {"hash": "h"}},
    "a code for another device": {"kind": "device_code", "item": None, "data": {"hash": "h", "until": 1.0}},
}


@pytest.fixture
def store(tmp_path):
    """A store with a batch of one text."""
    service = LabelService(EventLog(str(tmp_path / "labels.sqlite")))
    service.add("b", NAMES, [Row("p0", "a post")])
    return service


def line(changed):
    return json.dumps({name: value for name, value in (GOOD | changed).items() if value is not ...}).encode() + b"\n"


def works(service, tmp_path):
    """Whether everything that reads the store still does."""
    again = LabelService(EventLog(service.log.url.removeprefix("sqlite:///")))
    assert again.queue("cy").accepted
    again.agreement()
    assert status(again).total == 1
    export_votes(again, tmp_path / "votes.csv")


@pytest.mark.parametrize("changed", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_event_of_others_is_one_line_and_never_stored(store, tmp_path, changed):
    before = len(store.log.since(0))
    with pytest.raises(DataError, match=r"^events/x\.jsonl line 2: no event of a label store; put back [^\n]*$"):
        EventFiles(store).read({"events/x.jsonl": line({"id": "e0"}) + line(changed)})
    assert len(store.log.since(0)) == before
    works(store, tmp_path)


@pytest.mark.parametrize("content", [b'{"at":' + b"9" * 5000 + b"}\n", b"[" * 100_000 + b"]" * 100_000, b"\xff\n"])
def test_so_is_what_is_no_json(store, content):
    with pytest.raises(DataError, match=r"^events/x\.jsonl line 1: no event"):
        EventFiles(store).read({"events/x.jsonl": content})


@pytest.mark.parametrize(
    "changed",
    [
        {"data": {"label": "no class", "seconds": 1.0}},
        {"item": "f" * 16},
        {"kind": "settle", "data": {"label": "no class"}},
        {"kind": "item", "item": "f" * 16, "data": {"batch": "none", "row": "r", "text": "t"}},
        {"kind": "taken", "data": {"batch": "none"}},
        {"kind": "taken", "data": {"batch": "b", "decisions": {"f" * 16: ["harmful", "vote", "eve"]}}},
        {"kind": "taken", "data": {"batch": "b", "decisions": {ITEM: ["no class", "vote", "eve"]}}},
    ],
)
def test_an_event_about_what_is_not_there_is_passed_over(store, tmp_path, changed):
    before = {event.id for event in store.log.since(0)}
    EventFiles(store).read({"events/x.jsonl": line(changed)})
    assert {event.kind for event in store.log.since(0) if event.id not in before} == {"file", "flushed"}
    works(store, tmp_path)


def test_classes_that_a_later_batch_leaves_out_stay_those_of_its_votes(store, tmp_path):
    later = {"id": "e2", "kind": "batch", "item": None, "person": None, "data": {"batch": "b", "names": ["other"]}}
    EventFiles(store).read({"events/x.jsonl": line({}) + line(later)})
    with store.state() as state:
        assert state.names["b"] == (*NAMES, "other")
        assert state.items[ITEM].votes["eve"].label == "harmful"
    works(store, tmp_path)


def test_a_time_that_still_has_a_date_is_read(store, tmp_path):
    EventFiles(store).read(
        {"events/x.jsonl": line({"at": LATEST - 1, "data": {"label": "harmful", "seconds": LATEST}})}
    )
    works(store, tmp_path)
    assert "9998-12-31" in (tmp_path / "votes.csv").read_text()


@pytest.mark.parametrize(
    ("column", "value"), [("data", "{}"), ("data", "secret"), ("data", "[" * 100_000), ("at", 1e308), ("person", None)]
)
def test_a_malformed_row_of_a_shared_database_is_one_line(store, tmp_path, capsys, column, value):
    item = store.queue("eve").queue[0]["item"]
    store.vote("eve", item, "harmful")
    with sqlite3.connect(tmp_path / "labels.sqlite") as connection:
        connection.execute(f"UPDATE events SET {column} = ? WHERE kind = 'vote'", [value])
    address = ["--store", str(tmp_path)]
    for asked in (["status"], ["export", "--out", str(tmp_path / "votes.csv")], ["forget", "eve"]):
        assert command(["label", *asked, *address]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith("rarecase: label store: row 4 of its table events is no event; delete that row")


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
COLUMNS = "i AS seq, 'e' || i AS id, 'flushed' AS kind, 1.0 AS at, NULL AS item, NULL AS person, '{}' AS data FROM n"


@pytest.mark.parametrize(
    "script",
    [
        f"CREATE VIEW Events AS {ENDLESS} {COLUMNS}",
        f"CREATE TABLE events (id); CREATE TRIGGER t AFTER INSERT ON EVENTS BEGIN {ENDLESS} i FROM n; END",
    ],
    ids=["view", "trigger"],
)
def test_a_store_whose_events_have_no_end_is_one_line(tmp_path, refused, script):
    with sqlite3.connect(tmp_path / "got.sqlite") as connection:
        connection.executescript(script)
    line = "--store got.sqlite: its `events` is a view or has a trigger; expected a label store"
    for asked in (["status"], ["serve", "--port", "0"]):
        assert line in refused("label", *asked, "--store", "got.sqlite")


def test_an_event_of_many_megabytes_is_not_read(store, tmp_path, capsys):
    with sqlite3.connect(tmp_path / "labels.sqlite") as connection:
        connection.execute("UPDATE events SET data = json_object('a', hex(zeroblob(?))) WHERE seq = 1", [10 << 20])
    assert command(["label", "status", "--store", str(tmp_path)]) == 2
    assert "string or blob too big; repeat the command" in capsys.readouterr().err
