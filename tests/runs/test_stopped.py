"""A run that a stopping criterion ends before its budget is spent."""

import contextlib
import io
import json
import shutil
from pathlib import Path

import pytest
import small

from rarecase.cli.main import command
from rarecase.data.parquet import read_parquet
from rarecase.report.run import report_of_run


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> list[str]:
    """The flags that name the four sets."""
    return small.write(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, sets) -> tuple[Path, str]:
    """A run of 20 labels that stops before, and what it said; tests leave it as it is."""
    out = tmp_path_factory.mktemp("stopped") / "out"
    settings = ["--annotator", "gold", "--generator", "none", "--strategy", "random", "--budget", "20", "--batch", "4"]
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(said):
        assert command(["run", *sets, *settings, "--stop-when", "stability=0.1,gain=40", "--out", str(out)]) == 0
    return out, said.getvalue()


def test_a_run_that_stops_early_says_why_and_ends_like_any_other(stopped):
    out, said = stopped
    rounds = report_of_run(out)["rounds"]
    assert [round_["labels"] for round_ in rounds] == [0, 4, 8, 12]
    stopping = rounds[-1]["stopping"]
    assert set(stopping) == {"uncertainty", "stability", "gain", "stopped"}
    assert stopping["stopped"] == "stability"
    sentence = (
        f"Stopped after 12 labels: the last learners agree with a kappa of {stopping['stability']:.3f} (stability)."
    )
    assert said.count(sentence) == 2  # when it happened, and in the report
    assert said.splitlines().count(sentence) == 2
    assert len(read_parquet(out / "data" / "random" / "train.parquet")) == 12
    assert json.loads((out / "learner" / "rarecase.json").read_text())["data"]["train_rows"] == 72
    facts = json.loads((out / "data" / "release.json").read_text())["configs"]["random"]
    assert facts["acquired"]["stop_when"] == "stability=0.1,gain=40"
    assert facts["rounds"][-1]["stopping"] == stopping


def test_the_report_of_a_stopped_run_says_it_in_every_format(stopped, capsys):
    out, _ = stopped
    for style in ("text", "markdown"):
        assert command(["report", str(out), "--format", style]) == 0
        assert "\nStopped after 12 labels: " in capsys.readouterr().out
    assert command(["report", str(out), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rounds"][-1]["stopping"]["stopped"] == "stability"


def test_a_stopped_run_that_goes_on_stays_as_it_is_and_its_criteria_may_not_change(stopped, tmp_path, capsys):
    out = Path(shutil.copytree(stopped[0], tmp_path / "out"))
    before = small.files(out)
    assert command(["run", "--resume", str(out)]) == 0
    assert small.files(out) == before
    assert command(["run", "--resume", str(out), "--stop-when", "gain=0.1"]) == 2
    assert "was begun with --stop-when stability=0.1,gain=40, not gain=0.1" in capsys.readouterr().err
    assert small.files(out) == before


def test_a_dry_run_says_that_it_may_be_fewer_labels(tmp_path, sets, capsys):
    settings = ["--generator", "none", "--strategy", "random", "--budget", "8", "--batch", "4"]
    assert command(["run", *sets, *settings, "--stop-when", "gain=0.3", "--dry-run"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith("in 2 rounds of at most 4, or fewer, if gain=0.3 is reached first")
