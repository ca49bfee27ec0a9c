"""Every command that a command prints as the way to go on is typed as it stands, and works."""

import re
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import small
from datasets import load_dataset
from labelers import ONE_VOTE, service
from places import ROOT
from voting import meanwhile

import rarecase.labeling.people
from rarecase.cli import demo
from rarecase.cli.main import app
from rarecase.core.errors import DataError, command_line
from rarecase.publish.dataset import read_release
from rarecase.report.run import report_of_run

NAMES = "self-harm", "not-harmful"
SIZES = ["--bootstrap", "12", "--dev", "4", "--test", "6"]
# Whoever makes such a line is listed here once it is typed in this module, or in the one that is named.
TYPED = {
    "cli/demo.py",
    "cli/guard.py",  # in tests/guard/test_certify.py
    "cli/main.py",
    "cli/stopped.py",  # in tests/cli/test_stopped.py
    "cli/verify.py",  # in tests/cli/test_verify.py
    "labeling/people.py",
    "publish/dataset.py",
    "report/run.py",
    "runs/annotation.py",
    "runs/export.py",  # in tests/runs/test_export.py
    "runs/folder.py",
    "runs/parts.py",
    "runs/predict.py",
    "runs/start.py",
}


@pytest.fixture
def typed(typed, tmp_path, monkeypatch) -> Callable[..., str]:
    """Types a command in a folder with a small pool."""
    monkeypatch.setattr(rarecase.labeling.people, "POLL", 0.02)
    small.write(tmp_path, pool=34)
    return typed


def steps(said: str) -> list[list[str]]:
    """The commands in what was said, as lists of arguments."""
    return [
        shlex.split(line)
        for line in re.findall(r"(?:next|go on with|show them with|;|  ):? *rarecase ([^;\n]+)", said)
    ]


def fill(path: str, most: int = 1000) -> None:
    """Types a label into so many rows of a `to_label.csv`."""
    small.relabel(path, lambda number, row: label_of(row["text"]) if number < most else row["label"])


def label_of(text: str) -> str:
    return NAMES[len(text) % 2]


def labeling(store: str) -> AbstractContextManager[None]:
    """Somebody who labels whatever the store has."""
    asked = service(store)
    asked.start(ONE_VOTE)

    def label() -> None:
        for entry in asked.queue("ann").queue:
            asked.vote("ann", entry["item"], label_of(entry["text"]))

    return meanwhile(label)


def test_with_a_spreadsheet_and_own_classes(typed):
    (flag,) = re.findall(
        r"name it by (--taxonomy .*)", typed("taxonomy", "--classes", ",".join(NAMES), "--out", "our classes.yaml")
    )
    begin = ["start", "--pool", "pool.csv", *shlex.split(flag), *SIZES, "--out", "my start"]
    (resume,) = steps(typed(*begin))
    assert steps(typed("run", "--start", "my start", "--out", "RUN", status=2)) == [resume]
    assert steps(typed(*begin, status=2)) == [resume]
    fill("my start/to_label.csv", most=1)
    (resume,) = steps(typed(*resume))  # of one of the sets no row may have a label yet
    fill("my start/to_label.csv")
    (run,) = steps(typed(*resume))
    assert run == ["run", "--start", "my start", "--batch", "12", "--out", "RUN"]
    (resume,) = steps(typed(*run))
    assert report_of_run(Path("RUN"))["notes"][0].endswith(f"; go on with: {command_line(*resume)}")
    with pytest.raises(DataError, match="the run is not finished") as caught:
        read_release(Path("RUN"))
    assert steps(str(caught.value)) == [resume]
    assert steps(typed("predict", "RUN", "pool.csv", "--out", "found.csv", status=2)) == [resume]
    fill("RUN/to_label.csv")
    said = typed(*resume)
    (train,) = steps(said)
    typed(*train, "--learner", "frozen")
    (loaded,) = re.findall(r"in Python: (load_dataset\(.*\))$", said, re.M)
    assert len(eval(loaded, {"load_dataset": load_dataset})) == 24


def test_with_people_whose_store_is_elsewhere(typed):
    begin = ["start", "--pool", "pool.csv", *SIZES, "--annotator", "people", "--store", "our labels.sqlite"]
    with labeling("our labels.sqlite"):
        serve, run = steps(typed(*begin, "--out", "start"))
        assert run[:6] == ["run", "--start", "start", "--annotator", "people", "--store"]
        typed(*run)
    assert serve[:2] == ["label", "serve"]
    app.parse_args([*serve], exit_on_error=False, print_error=False)  # typed, it would not end
    typed("label", "status", *serve[2:])


def test_with_labels_that_are_there(typed):
    (run,) = steps(typed("start", "--pool", "pool.csv", *SIZES, "--annotator", "gold", "--out", "start"))
    typed(*run, "--dry-run")


def test_after_the_demo():
    found = steps(demo.next_steps(Path("our demo")))
    assert [words[0] for words in found] == ["start", "run", "report", "run"]
    assert found[2][1] == "our demo"
    for words in found:
        app.parse_args(words, exit_on_error=False, print_error=False)


def test_no_module_prints_a_command_that_is_not_typed_here():
    sources = {path.relative_to(ROOT / "src/rarecase").as_posix(): path for path in (ROOT / "src").rglob("*.py")}
    texts = {name: path.read_text(encoding="utf-8") for name, path in sources.items() if name != "core/errors.py"}
    assert {name for name, text in texts.items() if "command_line(" in text} == TYPED
    by_hand = r"(next|go on with|continue it by|show them with):? rarecase"
    assert [name for name, text in texts.items() if re.search(by_hand, text)] == []
