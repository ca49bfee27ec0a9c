"""Which events stand in which file, and what a log makes of the files of others."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.core.errors import DataError
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.kinds import Event
from rarecase.labeling.store.service import LabelService, Row, item_id
from rarecase.labeling.store.settings import Settings
from rarecase.labeling.store.sync import EventFiles

NAMES = ["harmful", "not-harmful"]
ROWS = [Row(f"p{number}", f"post {number}") for number in range(4)]


class Machine:
    """A log with its ledger, and the files of a repository, which only grow."""

    def __init__(self, path: Path, files: dict[str, bytes], clock: Callable[[], float] = lambda: 1.0):
        self.folder, self.files = path.parent, files
        self.service = LabelService(EventLog(str(path), clock=clock))
        self.event_files = EventFiles(self.service)

    def send(self) -> dict[str, bytes]:
        new = self.event_files.to_upload()
        assert not new.keys() & self.files.keys()
        self.files |= new
        self.event_files.mark_uploaded(new)
        return new

    def fetch(self) -> list[str]:
        unread = self.event_files.unread(self.files)
        self.event_files.read({path: self.files[path] for path in unread})
        return unread

    def sync(self) -> None:
        self.send()
        self.fetch()

    def votes(self) -> dict[str, dict[str, str]]:
        with self.service.state() as state:
            return {
                item.row: {state.person(person).alias: vote.label for person, vote in item.votes.items()}
                for item in state.items.values()
            }

    def vote(self, person: str, label: str = "harmful") -> str:
        item = self.service.queue(person).queue[0]["item"]
        assert self.service.vote(person, item, label).accepted
        return item


@pytest.fixture
def pair(tmp_path) -> tuple[Machine, Machine]:
    """The machine of the loop and that of the page, with a batch that both know."""
    files: dict[str, bytes] = {}
    loop, page = (Machine(tmp_path / name, files) for name in ("loop", "page"))
    loop.service.add("4f1c", NAMES, ROWS)
    loop.sync()
    page.fetch()
    page.service.start(Settings(votes=1))
    return loop, page


def kinds(content: bytes) -> list[str]:
    return [json.loads(line)["kind"] for line in content.splitlines()]


def test_a_batch_and_votes_stand_in_files_of_their_own(pair):
    loop, page = pair
    ((path, content),) = loop.files.items()
    assert path.startswith("queue/4f1c-")
    assert kinds(content) == ["batch", "item", "item", "item", "item"]
    page.vote("ann")
    ((path, content),) = page.send().items()
    assert path.startswith("events/")
    assert kinds(content) == ["settings", "vote"]  # and no lease
    assert loop.fetch() == [path]
    assert loop.votes()["p0"] == {"A1": "harmful"}
    assert len(loop.service.decisions("4f1c")) == 1  # by the settings of the page


def test_codes_to_sign_in_with_stay_on_the_machine_that_gave_them(pair):
    _, page = pair
    page.send()
    page.service.give_codes(["ann"])
    page.service.device_code("ann")
    assert not page.event_files.pending()
    page.service.bind("ann", "laptop")
    ((_, content),) = page.send().items()
    assert kinds(content) == ["bind"]


def test_only_what_is_new_is_sent_and_read(pair):
    loop, page = pair
    page.sync()
    assert page.send() == {}
    page.vote("ann")
    assert len(page.send()) == 1
    assert len(loop.fetch()) == 2
    assert loop.fetch() == []
    assert loop.send() == {}


def test_with_nothing_new_the_log_is_not_locked(pair):
    _, page = pair
    page.sync()
    with page.service.log.exclusive():
        assert page.event_files.to_upload() == {}


def test_what_comes_to_a_batch_later_goes_into_another_file(pair):
    loop, page = pair
    loop.service.add("4f1c", NAMES, [Row("late", "one more")])
    ((path, _),) = loop.send().items()
    assert path.startswith("queue/4f1c-")
    page.fetch()
    assert "late" in page.votes()


def test_two_machines_that_put_texts_into_one_batch_both_have_all_of_them(tmp_path):
    """Each with known answers of its own, which are all in the batch `qualify`."""
    files: dict[str, bytes] = {}
    machines = [Machine(tmp_path / name, files) for name in ("one", "two")]
    for machine, rows in zip(machines, (ROWS[:2], ROWS[2:]), strict=True):
        machine.service.add("qualify", NAMES, [replace(row, known="harmful") for row in rows], use="qualify")
        machine.send()
    for machine in machines:
        machine.fetch()
        assert set(machine.votes()) == {"p0", "p1", "p2", "p3"}
        assert not machine.event_files.pending()


def test_how_many_votes_are_on_this_machine_alone(pair):
    _, page = pair
    assert page.event_files.unflushed() == 0
    page.vote("ann")
    page.service.undo("ann")
    page.vote("ann")
    assert page.event_files.unflushed() == 2
    new = page.event_files.to_upload()
    assert page.event_files.unflushed() == 2  # a file that is not on the Hub yet
    assert EventFiles(page.service).unflushed() == 2
    page.event_files.mark_uploaded(new)
    assert page.event_files.unflushed() == EventFiles(page.service).unflushed() == 0
    assert not page.event_files.pending()


def test_a_file_is_the_same_however_often_it_is_asked_for(pair):
    _, page = pair
    page.vote("ann")
    first = page.event_files.to_upload()
    page.vote("ann")
    again = EventFiles(page.service).to_upload()
    assert first.items() < again.items()


def test_an_empty_disk_tells_the_story_in_its_order(tmp_path):
    """Who came first is A1, and what was taken back is taken back, in whatever order the files are listed."""
    files: dict[str, bytes] = {}
    time = map(float, range(1, 1000))
    page = Machine(tmp_path / "page", files, lambda: next(time))
    page.service.add("4f1c", NAMES, ROWS)
    page.service.start(Settings(votes=9))
    for person in ("ann", "bob", "eve", "dan", "kim"):
        page.vote(person)
        page.send()
        page.service.undo(person)
        page.send()
        page.vote(person, "not-harmful")
        page.send()
    again = Machine(tmp_path / "another disk", files)
    again.fetch()
    assert again.votes() == page.votes()
    assert again.votes()["p0"] == dict.fromkeys(["A1", "A2", "A3", "A4", "A5"], "not-harmful")
    with again.service.state() as state:
        assert [person.alias for person in state.people.values()] == ["A1", "A2", "A3", "A4", "A5"]
        assert list(state.people) == ["ann", "bob", "eve", "dan", "kim"]


def test_what_was_taken_stays_whatever_comes_later(pair):
    loop, page = pair
    for _ in ROWS:
        page.vote("ann")
    page.send()
    loop.fetch()
    taken = [decision for _, decision in loop.service.take("4f1c")]
    page.service.undo("ann")  # it does not know yet
    page.send()
    loop.sync()
    assert loop.votes() == page.votes()
    again = Machine(loop.folder / "another disk", loop.files)
    again.fetch()
    for machine in (loop, again):
        assert [decision for _, decision in machine.service.take("4f1c")] == taken
    page.fetch()
    assert page.service.queue("ann").queue == []
    assert not page.service.undo("ann").accepted


def test_a_vote_on_an_item_that_nobody_put_in_is_passed_over(pair):
    loop, page = pair
    page.vote("ann")
    (content,) = page.send().values()
    content = content.replace(item_id("4f1c", "p0").encode(), b"f" * 16)
    loop.event_files.read({"events/other.jsonl": content})
    assert loop.votes()["p0"] == {}
    assert loop.event_files.unread(["events/other.jsonl"]) == []


@pytest.mark.parametrize(
    "line",
    [
        b"secret post",
        b"[]",
        b"\xff\xfe",
        b'{"id": "secret post"}',
        b'{"id": "a", "kind": "flushed", "at": 1, "item": null, "person": null, "data": {"paths": []}}',
    ],
)
def test_a_line_that_is_no_event_is_named_and_nothing_is_taken_in(pair, line):
    loop, page = pair
    page.vote("ann")
    (content,) = page.send().values()
    with pytest.raises(DataError, match=r"^events/x\.jsonl line 3: no event of a label store") as said:
        loop.event_files.read({"events/x.jsonl": content + line + b"\n"})
    assert "secret" not in str(said.value)
    assert loop.votes()["p0"] == {}
    assert loop.event_files.unread(["events/x.jsonl"]) == ["events/x.jsonl"]


def test_other_files_of_the_repository_are_left_alone(pair):
    loop, _ = pair
    assert (
        loop.event_files.unread(["README.md", ".gitattributes", "events/a.txt", "events/a/b.jsonl", "a.jsonl"]) == []
    )


def test_any_text_survives_the_way_there(tmp_path):
    files: dict[str, bytes] = {}
    loop, page = (Machine(tmp_path / name, files) for name in ("loop", "page"))
    texts = ["two\nlines\u2028three\r", "ünï \U0001f600 \u202ertl", '{"kind": "vote"}', " " * 5, "a\0b\ud800"]
    loop.service.add("b", NAMES, [Row(str(place), text) for place, text in enumerate(texts)])
    loop.sync()
    page.fetch()
    with loop.service.state() as there, page.service.state() as here:
        assert [item.text for item in here.items.values()] == [item.text for item in there.items.values()]
        assert here.cleaned == there.cleaned


ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "vote",
                "vote",
                "vote",
                "undo",
                "skip",
                "flag",
                "settle",
                "reopen",
                "send",
                "fetch",
                "loop",
                "empty disk",
                "killed",
            ]
        ),
        st.sampled_from(["ann", "bob", "eve"]),
        st.sampled_from(NAMES),
    ),
    max_size=40,
)


@settings(max_examples=30, deadline=None)
@given(ACTS)
def test_both_machines_tell_the_same_story_whatever_happens(tmp_path_factory, acts):
    """The page's disk is lost at any moment: what was sent until then is there once, under the same names."""
    folder = tmp_path_factory.mktemp("pair")
    files: dict[str, bytes] = {}
    time = iter(range(1, 10_000_000))
    loop = Machine(folder / "loop", files, lambda: float(next(time)))
    page = Machine(folder / "page-0", files, lambda: float(next(time)))
    loop.service.add("4f1c", NAMES, ROWS)
    loop.sync()
    page.fetch()
    page.service.start(Settings(votes=2))
    for number, (act, person, label) in enumerate(acts, 1):
        queue = page.service.queue(person).queue
        if act == "vote" and queue:
            page.service.vote(person, queue[0]["item"], label)
        elif act == "undo":
            page.service.undo(person)
        elif act in ("skip", "flag") and queue:
            getattr(page.service, act)(person, queue[0]["item"])
        elif act == "settle" and page.service.to_review("judge"):
            page.service.review("judge", page.service.to_review("judge")[0].id, label)
        elif act == "reopen":
            page.service.undo_review("judge")
        elif act == "send":
            page.send()
        elif act == "fetch":
            page.fetch()
        elif act == "loop":
            loop.sync()
        elif act == "killed":  # the commit went through, and nobody remembers
            new = page.event_files.to_upload()
            files |= new
            page.event_files = EventFiles(page.service)
            assert page.event_files.to_upload() == new
            page.event_files.mark_uploaded(new)
        elif act == "empty disk":
            page.send()
            before = page.votes()
            page.service.log.close()
            page = Machine(folder / f"page-{number}", files, lambda: float(next(time)))
            page.fetch()
            assert page.votes() == before
    page.send()
    loop.sync()
    assert loop.votes() == page.votes()
    with loop.service.state() as there, page.service.state() as here:
        assert [item.flags for item in there.items.values()] == [item.flags for item in here.items.values()]
        assert [item.verdict for item in there.items.values()] == [item.verdict for item in here.items.values()]
        assert there.settings == here.settings
    ids = [json.loads(line)["id"] for content in files.values() for line in content.splitlines()]
    assert len(ids) == len(set(ids))
    assert page.event_files.unflushed() == 0
    loop.service.log.close()
    page.service.log.close()


def test_an_event_of_a_later_version_is_handed_on(pair):
    loop, page = pair
    with page.service.log.exclusive() as writer:
        writer.append([Event("applause", None, "ann", {"how": "loud"})])
    page.send()
    loop.fetch()
    assert "applause" in [event.kind for event in loop.service.log.since(0)]
