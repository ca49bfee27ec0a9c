"""People at the labeling page as annotators: the loop waits, goes on by itself, and is killed at any moment."""

import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import small
from datasets import Dataset
from forks import Forked, Forks

import rarecase.labeling.people
from rarecase.cli.main import command
from rarecase.core.errors import DataError
from rarecase.data.parquet import read_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.people import People
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.label_store import open_store
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.settings import Settings

TAXONOMY = Taxonomy.default()
NAMES = TAXONOMY.names
KILLED_BEFORE_STORING = """
import os, sys, rarecase.runs.folder
write = rarecase.runs.folder.write_parquet
def kill(path, table):
    if path.name == "labels.parquet":
        os.kill(os.getpid(), 9)
    write(path, table)
rarecase.runs.folder.write_parquet = kill
from rarecase.cli.main import main
sys.argv = ["rarecase", *sys.argv[1:]]
main()
"""

INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it
from rarecase.cli.main import main
sys.argv = ["rarecase", *sys.argv[1:]]
main()
"""
START = ["--bootstrap", "5", "--dev", "5", "--test", "5"]


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(rarecase.labeling.people, "POLL", 0.02)


@pytest.fixture
def chosen() -> Dataset:
    return Dataset.from_dict({"id": ["p-2", "p-1", "p-3"], "text": ["two", "one", "three"], "source": ["r/a"] * 3})


@pytest.fixture
def store(tmp_path) -> str:
    return str(tmp_path / "labels.sqlite")


def people(store: str, context: str = "run 1") -> People:
    return People(open_store(store), context, TAXONOMY, f"rarecase label serve --store {store}")


def test_a_label_that_others_have_added_to_the_store_is_one_line(store, chosen):
    def strange(_: float) -> None:
        service = LabelService(EventLog(store))
        service.start(Settings(votes=1))
        with service.transaction() as transaction:
            (batch,) = transaction.state.batches
            transaction.append("batch", batch=batch, names=["strange"])
        for entry in service.queue("ann").queue:
            assert service.vote("ann", entry["item"], "strange").accepted

    asking = People(open_store(store), "run 1", TAXONOMY, "serve", strange)
    with pytest.raises(DataError, match=r"^label store: a text has a label that is no class of this run; [^\n]*$"):
        asking.annotate(chosen)


class Annotators:
    """Two people and an adjudicator in threads, who label whatever the store has until they are stopped."""

    def __init__(self, store: str, differ_on: Sequence[str] = (), leave_out: Sequence[str] = ()):
        self.service = LabelService(EventLog(store))
        self.differ_on = differ_on
        self.leave_out = leave_out
        self.stopped = threading.Event()
        work = [(self.label, "ann"), (self.label, "bob"), (self.settle, "eve")]
        self.threads = [threading.Thread(target=target, args=(name,)) for target, name in work]

    def __enter__(self) -> "Annotators":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def label(self, name: str) -> None:
        while not self.stopped.wait(0.01):
            for entry in self.service.queue(name).queue:
                differs = name == "bob" and any(word in entry["text"] for word in self.differ_on)
                self.service.vote(name, entry["item"], NAMES[1 if differs else 0], seconds=0.5)

    def settle(self, name: str) -> None:
        while not self.stopped.wait(0.01):
            for item in self.service.to_review(name):
                left_out = any(word in item.text for word in self.leave_out)
                self.service.review(name, item.id, None if left_out else NAMES[2])


def test_it_waits_for_people_and_gives_back_what_they_decided(store, chosen, capsys):
    with Annotators(store, differ_on=["o"], leave_out=["two"]):  # on "two" and "one"
        labels = people(store).annotate(chosen)
    assert (labels["id"][:], labels["text"][:], labels["source"][:]) == (["p-1", "p-3"], ["one", "three"], ["r/a"] * 2)
    assert [NAMES[label] for label in labels["label"][:]] == [NAMES[2], NAMES[0]]
    judge, first = labels["annotator"][:]
    votes = labels["votes"][:]
    assert {vote["annotator"] for row in votes for vote in row} | {judge} == {"A1", "A2", "A3"}
    assert judge not in {vote["annotator"] for row in votes for vote in row}  # the verdict is no vote
    assert first in {vote["annotator"] for vote in votes[1]}
    assert sorted(vote["label"] for vote in votes[0]) == [0, 1]  # overruled, both, and kept
    assert all(vote["seconds"] <= 0.5 for row in votes for vote in row)
    said = capsys.readouterr().err.splitlines()[0]
    assert said == f"waiting for people to label 3 texts; show them with: rarecase label serve --store {store}"


def test_it_says_once_when_only_a_reviewer_can_go_on(store, chosen, capsys):
    service, waited = LabelService(EventLog(store)), []

    def wait(_: float) -> None:
        waited.append(None)
        if len(waited) == 1:
            for person, entry in [(name, entry) for name in ("ann", "bob") for entry in service.queue(name).queue]:
                differs = person == "bob" and entry["text"] != "two"
                service.vote(person, entry["item"], NAMES[1 if differs else 0])
        elif len(waited) == 4:
            for item in service.to_review("eve"):
                service.review("eve", item.id, NAMES[0])

    assert People(open_store(store), "run 1", TAXONOMY, "serve", wait).annotate(chosen)["label"][:] == [0, 0, 0]
    _, said = capsys.readouterr().err.splitlines()
    assert said == "all but 2 are labelled; these wait for a reviewer, at /settle/ of the page"


def test_an_address_that_a_terminal_obeys_is_shown_escaped(tmp_path, chosen, capsys):
    store = str(tmp_path / "\x1b]0;title\a.sqlite")
    with Annotators(store):
        people(store).annotate(chosen)
    assert f"label serve --store {tmp_path}/\\x1b]0;title\\x07.sqlite\n" in capsys.readouterr().err


def test_whoever_waits_for_people_locks_nothing_while_nothing_happens(store, chosen):
    """Another connection holds the write lock through a hundred looks; then people label, and the labels come."""
    asked, looks = EventLog(store), []

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            other.execute("BEGIN IMMEDIATE")  # a writer would now wait for half a minute, and fail
        elif len(looks) == 100:
            other.rollback()
            with Annotators(store) as annotators:
                while len(annotators.service.decisions(batch(asked))) < len(chosen):
                    time.sleep(0.01)

    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        labels = People(open_store(store), "run 1", TAXONOMY, "serve", wait).annotate(chosen)
    assert len(labels) == len(chosen)
    assert looks == [rarecase.labeling.people.POLL] * 100


def batch(log: EventLog) -> str:
    """The name of the only batch."""
    return next(event.data["batch"] for event in log.since(0) if event.kind == "batch")


def test_the_same_texts_asked_again_get_the_labels_that_are_there(store, chosen, capsys):
    with Annotators(store):
        before = people(store).annotate(chosen)
    log = EventLog(store)
    events = len(log.since(0))
    capsys.readouterr()
    again = people(store).annotate(chosen.select([2, 0, 1]))
    assert sorted(again["id"][:]) == sorted(before["id"][:])
    assert again["label"][:] == before["label"][:]
    assert len(log.since(0)) == events
    assert capsys.readouterr().err == ""


def test_another_run_gets_labels_of_its_own(store, chosen):
    with Annotators(store):
        people(store).annotate(chosen)
        people(store, "run 2").annotate(chosen)
    with LabelService(EventLog(store)).state() as state:
        assert len(state.items) == 6


def test_suggestions_go_to_the_store(store, chosen):
    suggested = chosen.add_column("suggestion", [NAMES[3]] * 3)
    with Annotators(store) as annotators:
        people(store).annotate(suggested)
        with annotators.service.state() as state:
            assert {item.suggestion for item in state.items.values()} == {NAMES[3]}
            assert {about["definition"] for about in next(iter(state.about.values())).values()} == {
                category.definition for category in TAXONOMY.classes
            }


def test_all_texts_left_out_are_no_labels(store, chosen):
    with Annotators(store, differ_on=["t"], leave_out=["t"]):
        labels = people(store).annotate(chosen.select([0, 2]))
    assert len(labels) == 0
    assert labels.features["label"].names == list(NAMES)


def run_of(folder: Path, out: Path, *, pool: int = 90, budget: int = 4) -> list[str]:
    sizes = ["--budget", str(budget), "--batch", "2", "--generator", "none", "--strategy", "entropy"]
    return ["run", *small.write(folder, pool=pool), *sizes, "--annotator", "people", "--out", str(out)]


def begun(forks: Forks, *command: str, texts: int = 2) -> Forked:
    """A run or start in a process of its own, which has begun to wait for people."""
    process = forks.begin(command)
    while f"waiting for people to label {texts} texts" not in process.said():
        assert process.poll() is None, process.said()
        time.sleep(0.02)
    return process


def test_a_run_waits_is_killed_goes_on_and_ends_with_the_votes_in_its_data(tmp_path, forks):
    out = tmp_path / "out"
    process = begun(forks, "rarecase", *run_of(tmp_path, out))
    store = str(out / "labels.sqlite")
    service = LabelService(EventLog(store))
    first = service.queue("ann").queue
    assert service.vote("ann", first[0]["item"], NAMES[0]).suggestion in NAMES
    process.kill()
    assert process.wait().status == -signal.SIGKILL
    assert service.vote("ann", first[1]["item"], NAMES[0]).accepted  # people go on meanwhile

    resume = ["run", "--resume", str(out)]
    process = begun(forks, "-c", KILLED_BEFORE_STORING, *resume)
    with Annotators(store):
        assert process.wait().status == -signal.SIGKILL  # the labels were read, and not stored
        assert not (out / "rounds" / "01" / "labels.parquet").exists()
        assert [event.kind for event in service.log.since(0)].count("taken") == 1
        done = forks.run(["rarecase", *resume])
    assert done.status == 0, done.stderr
    assert done.stderr.count("waiting for people") == 1  # for the second round; the first was decided
    train = read_parquet(out / "data" / "entropy" / "train.parquet")
    assert train["label"][:] == [0] * 4
    assert all({vote["annotator"] for vote in votes} == {"A1", "A2"} for votes in train["votes"][:])
    for path in (out / "rounds").rglob("*.parquet"):
        assert "suggestion" not in read_parquet(path).column_names
    with service.state() as state:
        assert len(state.items) == 4
        assert len(state.taken) == 2


@pytest.mark.parametrize(("pool", "budget", "which", "asked"), [(90, 4, "first", 6), (4, 9, "last", 4)])
def test_a_batch_left_out_as_a_whole_costs_nothing_and_is_not_asked_for_again(tmp_path, pool, budget, which, asked):
    out, store = tmp_path / "out", str(tmp_path / "labels.sqlite")
    service = LabelService(EventLog(store))

    def texts() -> list[str]:
        with service.state() as state:
            return [item.text for item in state.items.values()]

    with ThreadPoolExecutor(1) as thread:
        run = thread.submit(command, [*run_of(tmp_path, out, pool=pool, budget=budget), "--store", store])
        while not (first := texts()):
            assert not run.done()
            time.sleep(0.05)
        rest = [text for text in read_parquet(out / "pool.parquet")["text"][:] if text not in first]
        gone = first if which == "first" else rest
        with Annotators(store, differ_on=gone, leave_out=gone):
            assert run.result(120) == 0
    assert len(texts()) == len(set(texts())) == asked
    train = read_parquet(out / "data" / "entropy" / "train.parquet")
    assert len(train) == asked - 2
    assert not set(train["text"][:]) & set(gone)
    written = {path: path.read_bytes() for path in (out / "rounds").rglob("*.parquet")}
    assert command(["run", "--resume", str(out), "--store", store]) == 0  # with nobody at the page
    assert written == {path: path.read_bytes() for path in (out / "rounds").rglob("*.parquet")}


def test_a_run_that_is_interrupted_says_how_to_go_on(tmp_path, forks):
    process = begun(forks, "-c", INTERRUPTIBLE, *run_of(tmp_path, tmp_path / "out"))
    process.kill(signal.SIGINT)
    done = process.wait()
    assert done.status == 130
    line = f"rarecase: stopped; go on with: rarecase run --resume {tmp_path / 'out'}"
    assert done.stderr.splitlines()[-1].startswith(line)
    assert "Traceback" not in done.stderr


def test_a_start_waits_for_people_and_writes_the_sets(tmp_path):
    small.write(tmp_path)
    sizes = ["--bootstrap", "6", "--dev", "4", "--test", "5"]
    store, out = str(tmp_path / "labels.sqlite"), tmp_path / "start"
    ask = ["start", "--pool", str(tmp_path / "pool.csv"), *sizes, "--annotator", "people", "--store", store]
    with Annotators(store):
        assert command([*ask, "--out", str(out)]) == 0
    rows = {name: len(read_parquet(out / f"{name}.parquet")) for name in ("bootstrap", "dev", "test", "pool")}
    assert rows == {"bootstrap": 6, "dev": 4, "test": 5, "pool": 75}
    assert all(len(votes) == 2 for votes in read_parquet(out / "bootstrap.parquet")["votes"][:])
    assert not (out / "labels.sqlite").exists()


def test_texts_that_a_start_leaves_out_are_in_no_set_and_not_in_the_pool(tmp_path):
    ask = ["start", *small.write(tmp_path, pool=40)[:2], "--bootstrap", "10", "--dev", "8", "--test", "8"]
    store, out = str(tmp_path / "labels.sqlite"), tmp_path / "start"
    with Annotators(store, differ_on=["?"], leave_out=["?"]) as annotators:
        assert command([*ask, "--annotator", "people", "--store", store, "--out", str(out)]) == 0
        with annotators.service.state() as state:
            gone = {item.text for item in state.items.values() if item.verdict}
    sets = {name: read_parquet(out / f"{name}.parquet")["text"][:] for name in ("bootstrap", "dev", "test", "pool")}
    assert len(sets["pool"]) == 14
    assert 0 < len(gone) == 40 - sum(map(len, sets.values()))
    assert not gone & {text for texts in sets.values() for text in texts}


def test_a_whole_set_left_out_of_a_start_is_said(tmp_path, capsys):
    store, sets = str(tmp_path / "labels.sqlite"), small.write(tmp_path, pool=40)[:2]
    with Annotators(store, differ_on=[""], leave_out=[""]):
        ask = ["start", *sets, *START, "--annotator", "people", "--store", store, "--out", str(tmp_path / "out")]
        assert command(ask) == 2
    assert "all texts of the set bootstrap were left out; begin anew" in capsys.readouterr().err


def test_a_run_has_the_store_of_the_start_that_people_labelled_and_keeps_it(tmp_path, monkeypatch, capsys, forks):
    monkeypatch.chdir(tmp_path)
    small.write(tmp_path)
    sizes = ["--bootstrap", "20", "--dev", "10", "--test", "10"]
    start = ["start", "--pool", "pool.csv", *sizes, "--annotator", "people", "--out", "start"]
    process = begun(forks, "rarecase", *start, texts=40)
    with Annotators("start/labels.sqlite", differ_on=["?"]):
        process.wait()
        settings = ["--budget", "2", "--batch", "2", "--generator", "none", "--strategy", "entropy"]
        assert command(["run", "--start", "start", *settings, "--annotator", "people", "--out", "out"]) == 0
    assert not Path("out/labels.sqlite").exists()
    with LabelService(EventLog("start/labels.sqlite")).state() as state:
        assert len(state.taken) == 2
    resume = ["run", "--resume", "out", "--budget", "4"]
    capsys.readouterr()
    assert command([*resume, "--store", "other.sqlite"]) == 2
    assert (
        "out has labels of another store than other.sqlite, where A1 may be somebody else; go on with --store start"
        in (capsys.readouterr().err)
    )
    assert not Path("other.sqlite").exists()
    with Annotators("start/labels.sqlite"):
        assert command([*resume, "--store", "start"]) == 0  # the folder means its store


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--annotator", "file", "--store", "s.sqlite"], "--store has no effect beside --annotator file"),
        (["--annotator", "gold", "--store", "s.sqlite"], "--store has no effect beside --annotator gold"),
        (["--store", "no/such/folder/s.sqlite"], "--store no/such/folder/s.sqlite: unable to open"),
        (["--store", "postgresql://ann:secret@127.0.0.1/x"], "--store: the password in the address would be written"),
    ],
)
def test_a_wrong_store_is_said_before_anything_is_made(tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    if "--annotator" not in more:
        more = ["--annotator", "people", *more]
    sets = small.write(tmp_path)
    for begin in (["run", *sets, "--generator", "none"], ["start", *sets[:2], *START]):
        capsys.readouterr()
        assert command([*begin, *more, "--out", "out"]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert "secret" not in err
        assert not Path("out").exists()
    assert not list(tmp_path.glob("*.sqlite"))


def test_a_store_may_be_given_anew_when_a_run_goes_on(tmp_path, forks):
    out = tmp_path / "out"
    process = begun(forks, "rarecase", *run_of(tmp_path, out))
    process.kill()
    process.wait()
    assert command(["run", "--resume", str(out), "--store", "postgresql://ann:secret@127.0.0.1/x"]) == 2
    assert "secret" not in (out / "config.yaml").read_text()
    other = str(tmp_path / "other.sqlite")
    with Annotators(other):
        assert command(["run", "--resume", str(out), "--store", other]) == 0
    assert len(read_parquet(out / "rounds" / "02" / "labels.parquet")) == 2
