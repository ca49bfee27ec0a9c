"""`--report-to`: figures in a real TensorBoard file, and none of the texts."""

import json
import struct
from pathlib import Path
from typing import ClassVar

import pytest
import releases
import small
import tiny_models
from tensorboardX.proto.event_pb2 import Event

from rarecase.cli.main import command
from rarecase.runs.trackers import reporting

ROWS = {"pool": 12, "bootstrap": 12, "dev": 6, "test": 6}


def reported(folder: Path) -> dict[str, dict[int, float]]:
    """By name and step, what the event files of a folder hold; nothing was reported twice."""
    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.iterdir()):
        content, at = path.read_bytes(), 0
        while at < len(content):  # the length and its checksum, the event and its checksum
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            at += 16 + length
            for value in event.summary.value:
                steps = found.setdefault(value.tag, {})
                assert event.step not in steps
                steps[event.step] = value.simple_value
    return found


def no_text(folder: Path, *tables: str) -> bool:
    written = b"".join(path.read_bytes() for path in folder.iterdir())
    return not any(text.encode() in written for name in tables for text in small.table(name)["text"][:])


def test_a_run_reports_every_round_once_also_where_it_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("rarecase.cli.main.report", lambda folder: None)  # its picture takes long
    sets, out = small.write(tmp_path, **ROWS), tmp_path / "out"
    flags = ["--annotator", "gold", "--generator", "none", "--batch", "2", "--strategy", "random"]
    begun = ["run", *sets, *flags, "--budget", "2", "--out", str(out), "--report-to", "tensorboard"]
    assert command(begun) == 0
    go_on = ["run", "--resume", str(out), "--budget"]
    assert command([*go_on, "4"]) == 0  # a folder permits nothing: it is not reported
    assert command([*go_on, "6", "--report-to", "tensorboard"]) == 0
    assert capsys.readouterr().out == ""
    files = sorted((tmp_path / "logs" / "out").iterdir())
    assert command([*go_on, "6", "--seed", "9", "--report-to", "tensorboard"]) == 2  # not what it was begun with
    assert sorted((tmp_path / "logs" / "out").iterdir()) == files  # so no tracker was told
    found = reported(tmp_path / "logs" / "out")
    records = {n: json.loads((out / f"rounds/0{n}/metrics.json").read_text()) for n in (0, 1, 3)}
    assert found["labels"] == {0: 0, 1: 2, 3: 6}
    assert found["test/macro_f1"] == pytest.approx({n: record["test"]["macro_f1"] for n, record in records.items()})
    assert found["dev/f1/self-harm"] == pytest.approx({n: r["dev"]["f1"]["self-harm"] for n, r in records.items()})
    assert found["found/not-harmful"] == {n: record["found"]["not-harmful"] for n, record in records.items()}
    assert no_text(tmp_path / "logs" / "out", *ROWS)
    assert "report_to" not in (out / "run.json").read_text()  # which tells what may not change


def test_a_training_reports_every_epoch_and_the_figures_in_the_end(tmp_path, capsys):
    release = releases.write(tmp_path / "data", 12)
    model = str(tiny_models.made()["google-bert/bert-base-cased"])
    flags = ["--learner", "finetune", "--model", model, "--epochs", "2", "--report-to", "tensorboard"]
    out = ["--config-name", "bootstrap", "--format", "json", "--out", str(tmp_path / "guard")]
    assert command(["train", str(release), *flags, *out]) == 0
    measured = json.loads(capsys.readouterr().out)  # and nothing else is printed
    found = reported(tmp_path / "logs" / "guard")
    assert list(found["epoch/loss"]) == list(found["epoch/dev_macro_f1"]) == [1, 2]
    assert found["test/accuracy"] == pytest.approx({3: measured["test"]["accuracy"]})
    assert no_text(tmp_path / "logs" / "guard", "bootstrap", "dev", "test")


class Tracked:
    """Stands for accelerate: keeps what is begun, and fails when it is told the second figures, or to finish."""

    begun: ClassVar[list[str]] = []
    settings: ClassVar[dict[str, object]] = {}
    trackio: ClassVar[dict[str, object]] = {}
    told: ClassVar[list[int]] = []

    def __init__(self, **settings):
        self.trackers = [self]

    def init_trackers(self, project, init_kwargs):
        self.begun.append(init_kwargs["wandb"]["id"])
        self.settings.update(init_kwargs["wandb"].get("settings", {}))
        self.trackio.update(init_kwargs["trackio"])

    def log(self, figures, step):
        self.told.append(step)
        if step == 1:
            raise OSError("no route to\nthe host")

    def finish(self):
        raise OSError("still no route")


def test_a_tracker_that_fails_later_is_one_warning_and_nothing_ends(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("accelerate.Accelerator", Tracked)
    with reporting("wandb", tmp_path / "out", "key") as report:
        for step in range(4):
            report({"labels": 1.0}, step)
    assert Tracked.told[-2:] == [0, 1]
    said = "warning: --report-to wandb fails (OSError: no route to the host); going on without\n"
    assert capsys.readouterr() == ("", said)


def test_what_is_begun_alike_in_two_folders_is_two_runs_of_a_tracker(tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.Accelerator", Tracked)
    monkeypatch.chdir(tmp_path)
    for out in (tmp_path / "a" / "out", tmp_path / "b" / "out", Path("a/out")):
        with reporting("wandb", out, "key"):
            pass
    one, other, again = Tracked.begun[-3:]
    assert one == again != other


def test_wandb_is_kept_from_sending_what_is_printed_the_command_and_a_repository(tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.Accelerator", Tracked)
    Tracked.settings.clear()
    with reporting("wandb", tmp_path / "out", "key"):
        pass
    assert Tracked.settings["console"] == "off"
    assert {"disable_code", "disable_git", "x_disable_meta", "x_disable_machine_info", "x_disable_stats"} <= {
        name for name, value in Tracked.settings.items() if value is True
    }
    assert Tracked.settings["save_code"] is Tracked.settings["x_save_requirements"] is False
    assert {Tracked.settings["host"], Tracked.settings["program"]} == {"unknown", "rarecase"}


def test_a_space_that_trackio_makes_is_private(tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.Accelerator", Tracked)
    with reporting("wandb", tmp_path / "out", "key"):
        pass
    assert Tracked.trackio["private"] is True


@pytest.mark.parametrize("tracker", ["trackio", "tensorboard", "wandb"])
def test_a_missing_package_is_one_line_before_anything_is_made(tracker, refused, tmp_path, monkeypatch):
    monkeypatch.setattr("rarecase.settings.checks.find_spec", lambda name: None)
    for arguments in (["run", "--generator", "none"], ["train", "data", "--config-name", "bootstrap"]):
        line = refused(*arguments, "--report-to", tracker, "--out", "out")
        assert f"--report-to {tracker}: the package {tracker} is not installed; pip install {tracker}" in line
    assert not list(tmp_path.iterdir())


def test_a_tracker_that_cannot_begin_is_one_line(refused, tmp_path):
    releases.write(tmp_path / "data", 12)
    (tmp_path / "logs").write_text("a file where the folder would be")
    line = refused("train", "data", "--config-name", "bootstrap", "--out", "guard", "--report-to", "tensorboard")
    assert "--report-to tensorboard cannot begin (" in line
    assert "leave it out, or set it up" in line
