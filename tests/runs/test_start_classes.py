"""The classes of a start: said first, the user's own, and others until a label is stored."""

from collections.abc import Callable
from pathlib import Path

import pytest
import small
from datasets import Dataset

import rarecase.labeling.people
from rarecase.core.files import read_json
from rarecase.data import schema
from rarecase.data.arrow import with_column
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.export import status
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.settings import Settings
from rarecase.settings.config import StartConfig, read_config

SIX = ", ".join(small.NAMES)
BEGIN = ["start", "--pool", "pool.csv", "--bootstrap", "3", "--dev", "2", "--test", "2", "--out", "start"]
FILE, STORE = Path("start/to_label.csv"), Path("start/labels.sqlite")
VOTES = schema.features(small.NAMES)["votes"]
STOPPED = 130


class Interrupted:
    """Instead of the progress line of whoever waits for people: Ctrl-C."""

    def __init__(self, *_: object) -> None:
        raise KeyboardInterrupt


@pytest.fixture
def typed(typed, tmp_path, monkeypatch) -> Callable[..., str]:
    """Types a command in a folder with a small pool."""
    monkeypatch.setattr(rarecase.labeling.people, "Progress", Interrupted)
    small.write(tmp_path, pool=12)
    return typed


def fill(*labels: str) -> None:
    """What people type into to_label.csv, over and over."""
    small.relabel(FILE, lambda number, _: labels[number % len(labels)])


def names() -> tuple[str, ...]:
    """The classes of what was labelled."""
    labelled = read_parquet(Path("start/bootstrap.parquet"))
    assert set(labelled["label"][:]) <= {0, 1}
    assert read_parquet(Path("start/pool.parquet")).features["label"].names == labelled.features["label"].names
    return tuple(labelled.features["label"].names)


def test_the_first_line_says_which_classes_will_be_asked_for(typed):
    first = typed(*BEGIN).splitlines()[0]
    assert first == f"classes to label by: {SIX} (--classes or --taxonomy for your own)"
    assert typed("start", "--resume", "start").splitlines()[0] == first
    assert typed(*BEGIN[:-1], "gold", "--annotator", "gold").splitlines()[0] == first
    own = typed(*BEGIN[:-1], "own", "--classes", "spam,ham")
    assert own.splitlines()[0] == "classes to label by: spam, ham"
    assert "with one of spam, ham (a row left empty" in own
    assert Taxonomy.load("own/taxonomy.yaml").names == ("spam", "ham")
    *none, few, step = typed("start", "--resume", "gold").splitlines()
    assert all(line.startswith("no text in the dev set: ") for line in none)
    assert few.startswith("few texts in the test set: self-harm (")
    assert step == "next: rarecase run --start gold --annotator gold --batch 5 --out RUN"


def test_a_folder_that_was_drawn_to_certify_leads_to_that_and_measures_nothing(typed):
    sizes = ["--bootstrap", "1", "--dev", "1", "--test", "1", "--certify", "8"]
    said = typed("start", "--pool", "pool.csv", *sizes, "--annotator", "gold", "--out", "held out")
    assert said.splitlines()[-1] == "next: rarecase guard calibrate MODEL --heldout 'held out'"
    assert "few texts" not in typed("start", "--resume", "held out")


def test_labels_typed_by_other_classes_are_taken_once_these_are_named(typed):
    typed(*BEGIN)
    fill("spam", "ham")
    assert typed("start", "--resume", "start", status=2).splitlines()[-1] == (
        "rarecase: start/to_label.csv row 2: label is not in the taxonomy "
        f"(classes: {SIX}; others by --classes or --taxonomy FILE beside --resume)"
    )
    typed("start", "--resume", "start", "--classes", "spam,ham")
    assert names() == ("spam", "ham")
    stored = read_config(Path("start"), StartConfig)
    assert (stored["classes"], stored["taxonomy"]) == ("spam,ham", None)

    before = small.files(Path("start"))
    assert typed("start", "--resume", "start", "--classes", "a,b", status=2) == (
        "rarecase: start: labels of it are stored, so its classes stay spam, ham; leave --classes out, or begin anew "
        "in another --out\n"
    )
    typed("start", "--resume", "start", "--classes", "spam,ham")  # they are these
    assert small.files(Path("start")) == before


def test_a_file_of_classes_counts_as_it_is_when_it_is_named(typed):
    typed("taxonomy", "--classes", "ad,ham", "--out", "own.yaml")
    typed(*BEGIN, "--taxonomy", "own.yaml")
    Path("own.yaml").write_text(Path("own.yaml").read_text().replace("name: ad", "name: spam"))
    assert typed("start", "--resume", "start").startswith("classes to label by: ad, ham\n")
    assert typed("start", "--resume", "start", "--classes", "a,b").startswith("classes to label by: a, b\n")
    assert typed("start", "--resume", "start", "--taxonomy", "own.yaml").startswith("classes to label by: spam, ham\n")
    assert read_config(Path("start"), StartConfig)["classes"] is None
    fill("spam", "ham")
    typed("start", "--resume", "start")
    assert names() == ("spam", "ham")


def test_votes_that_were_in_the_pool_are_of_no_classes_of_the_start(typed):
    votes = [[{"annotator": "A1", "label": 5, "seconds": 1.0}]] * 12
    texts = [chr(ord("a") + i) * 9 for i in range(12)]
    posts = with_column(Dataset.from_dict({"id": texts, "text": texts}), "votes", votes, VOTES)
    write_parquet(Path("pool.parquet"), schema.conform(posts, small.NAMES))
    typed(*BEGIN[:2], "pool.parquet", *BEGIN[3:])
    fill("spam", "ham")
    typed("start", "--resume", "start", "--classes", "spam,ham")
    assert set(read_parquet(Path("start/pool.parquet"))["votes"][:]) == {None}


def test_gold_labels_settle_the_classes(typed):
    typed(*BEGIN, "--annotator", "gold")
    said = typed("start", "--resume", "start", "--classes", "a,b", status=2)
    assert f"start: the labels of its pool are stored, so its classes stay {SIX}; leave --classes out" in said
    assert (
        typed(*BEGIN[:-1], "other", "--annotator", "gold", "--classes", "a,b", status=2)
        .splitlines()[-1]
        .startswith("rarecase: --pool pool.csv row 2: label")
    )


def shown() -> tuple[list[str], int, list[str]]:
    """What the page shows: the classes of the first text, how many texts there are, and all classes."""
    service = LabelService(EventLog(str(STORE)))
    answer = service.queue("ann")
    assert status(service).total == answer.progress["total"]
    return answer.queue[0]["names"], answer.progress["total"], list(answer.about)


def test_people_at_the_page_are_asked_by_the_new_classes_until_one_of_them_has_labelled(typed):
    typed(*BEGIN, "--annotator", "people", status=STOPPED)
    assert shown() == ([*small.NAMES], 7, [*small.NAMES])
    service = LabelService(EventLog(str(STORE)))
    service.start(Settings(votes=1))
    on_the_page = service.queue("ann").queue[0]["item"]

    resume = ["start", "--resume", "start"]
    for given in ("spam,ham", "a,b", "spam,ham"):  # the last ones come again
        said = typed(*resume, "--classes", given, status=STOPPED)
        assert said.startswith(f"classes to label by: {given.replace(',', ', ')}\n")
        assert shown() == (given.split(","), 7, given.split(","))
    assert not service.vote("ann", on_the_page, "self-harm").accepted
    typed(*resume, status=STOPPED)
    assert shown() == (["spam", "ham"], 7, ["spam", "ham"])

    assert service.vote("ann", service.queue("ann").queue[0]["item"], "ham").accepted
    before = small.files(Path("start"))
    assert "start: people have labelled texts of it, so its classes stay spam, ham; leave --classes out" in typed(
        *resume, "--classes", "a,b", status=2
    )
    assert small.files(Path("start")) == before
    while queue := service.queue("ann").queue:
        for entry in queue:
            assert service.vote("ann", entry["item"], "spam").accepted
    typed(*resume)
    assert names() == ("spam", "ham")
    assert read_json(Path("start/run.json"))["kind"] == "start"
