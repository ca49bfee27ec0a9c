"""
From the user's chair: a run asks for labels, two people give them by key, a third settles what they differ on, and the
run goes on by itself; both sides are killed on the way.
"""

import contextlib
import csv
import json
import re
import time
import urllib.request
from pathlib import Path

import pytest
import small
from forks import Forks
from hub_server.server import free_port
from labelers import NAMES, item, press, saved, shown_kappa, signed_in, told
from sklearn.metrics import cohen_kappa_score

from rarecase.data.parquet import read_parquet

BATCH = 20


class Begun:
    """A command that goes on for itself until it is killed."""

    def __init__(self, forks: Forks, *arguments: str):
        self.forks, self.arguments = forks, arguments
        self.begin()

    def begin(self, *instead: str) -> None:
        """From the start again, perhaps with other arguments."""
        self.process = self.forks.begin(["rarecase", *(instead or self.arguments)])

    def said(self, pattern: str) -> re.Match[str]:
        """Waits until it has said this."""
        for _ in range(1200):
            ended = self.process.poll()
            said = self.process.said()
            if found := re.search(pattern, said):
                return found
            assert ended is None, said
            time.sleep(0.1)
        raise AssertionError(said)

    def kill(self) -> None:
        """As a machine does that goes down."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def begin(forks):
    """Begins commands of rarecase, which end with the test."""
    with contextlib.ExitStack() as stack:

        def begin(*arguments: str) -> Begun:
            begun = Begun(forks, *arguments)
            stack.callback(begun.kill)
            return begun

        yield begin


def key(id_: str, name: str) -> str:
    """What somebody presses: they differ on about one text in four."""
    drawn = int(id_, 16)
    return str((drawn + (name == "bob" and drawn % 4 == 0)) % len(NAMES) + 1)


def label(page, name: str, count: int) -> set[str]:
    """Labels so many texts by key."""
    found = set()
    for _ in range(count):
        page.locator("#post[data-item]").wait_for()
        found.add(press(page, key(item(page), name)))
    assert len(found) == count
    return found


def settle(page, items: set[str]) -> None:
    """Settles all that they differ on, and nothing else."""
    differ = {id_ for id_ in items if key(id_, "ann") != key(id_, "bob")}
    assert 0 < len(differ) < BATCH
    for left in range(len(differ), 0, -1):
        page.get_by_text(f"{left} to review", exact=True).wait_for()
        differ.remove(press(page, "6"))


def exported(forks: Forks, store: Path, out: Path) -> list[dict[str, str]]:
    done = forks.run(["rarecase", "label", "export", "--store", store, "--out", out])
    assert done.status == 0, done.stderr
    with out.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kappa(votes: list[dict[str, str]]) -> float:
    """scikit-learn's."""
    said = {(vote["item"], vote["annotator"]): vote["label"] for vote in votes}
    one, other = sorted({annotator for _, annotator in said})
    items = sorted({item for item, _ in said})
    return cohen_kappa_score([said[item, one] for item in items], [said[item, other] for item in items])


def test_a_run_asks_people_label_and_settle_and_it_goes_on_and_ends(browser, tmp_path, begin, forks):
    out, store = tmp_path / "out", tmp_path / "out" / "labels.sqlite"
    sizes = ("--budget", str(2 * BATCH), "--batch", str(BATCH), "--strategy", "entropy", "--generator", "none")
    run = begin("run", *small.write(tmp_path), *sizes, "--annotator", "people", "--out", str(out))
    run.said(f"waiting for people to label {BATCH} texts; show them with: rarecase label serve --store {store}")
    port = free_port()
    server = begin("label", "serve", "--store", str(store), "--port", str(port))
    url = answers(server)
    with (
        signed_in(browser, url, "ann") as ann,
        signed_in(browser, url, "bob") as bob,
        signed_in(browser, url, "eve", to="/settle/") as eve,
    ):
        first = label(ann, "ann", 8)
        label(bob, "bob", 5)
        saved(ann), saved(bob)
        run.kill(), server.kill()
        first |= label(ann, "ann", 2)  # kept in the browser
        told(ann, "The server does not answer. Your answers are kept here and sent again.")
        server.begin()
        assert answers(server) == url
        run.begin("run", "--resume", str(out))
        first |= label(ann, "ann", 10)
        assert label(bob, "bob", 15) < first
        settle(eve, first)

        second = label(ann, "ann", BATCH)  # the run has gone on, and the page too
        assert not first & second
        assert label(bob, "bob", BATCH) == second
        settle(eve, second)
        eve.get_by_text("Nothing to review").wait_for()
        done = run.process.wait()
        assert done.status == 0, done.stderr

        votes = exported(forks, store, tmp_path / "votes.csv")
        assert len(votes) == 2 * 2 * BATCH
        for page in (ann, bob, eve):
            shown_kappa(page, f"{kappa(votes):.3f}")
    assert 0 < kappa(votes) < 1
    ended_well(forks, out, votes)


def answers(server: Begun) -> str:
    """The address of the page, once it answers."""
    url = server.said(r"the labeling page is at (http://[\d.:]+)")[1]
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=10):
            return url
        time.sleep(0.1)


def ended_well(forks: Forks, out: Path, votes: list[dict[str, str]]) -> None:
    """The run has learned from the labels of both rounds and released them, and there is a report."""
    train = read_parquet(out / "data" / "entropy" / "train.parquet").to_list()
    said = {(vote["item"], vote["annotator"]): vote["label"] for vote in votes}
    overruled = {vote["item"] for vote in votes if vote["overruled"] == "true"}
    assert len(train) == 2 * BATCH
    for row in train:
        given = {vote["annotator"]: NAMES[vote["label"]] for vote in row["votes"]}
        assert given == {annotator: label for (id_, annotator), label in said.items() if id_ == row["id"]}
        assert NAMES[row["label"]] == ("not-harmful" if len({*given.values()}) > 1 else given[row["annotator"]])
        assert (row["id"] in overruled) == any(label != NAMES[row["label"]] for label in given.values())
    assert len({row["annotator"] for row in train}) > 1
    shown = forks.run(["rarecase", "report", out, "--format", "json"])
    rounds = json.loads(shown.stdout)["rounds"]
    assert [round_["round"] for round_ in rounds] == [0, 1, 2]
    assert len({round_["test"]["macro_f1"] for round_ in rounds}) > 1  # it was trained anew
    assert (out / "report.png").stat().st_size > 10_000
    assert (out / "learner" / "head.json").exists()
