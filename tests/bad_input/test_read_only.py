"""A disk that nobody may write to is answered in one line by every command that would write, and says which file."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import small

from rarecase.cli.main import command

SIZES = ["--budget", "4", "--batch", "4", "--generator", "none"]


@pytest.fixture
def read_only(small_disk, tmp_path) -> tuple[Path, list[str]]:
    """A disk with a run that has ended, and the tables that it was begun with, on another."""
    sets, disk = small.write(tmp_path), small_disk("256m")
    run = ["run", *sets, *SIZES, "--annotator", "gold", "--strategy", "random", "--out", str(disk / "out")]
    assert command(run) == 0
    shutil.rmtree(disk / "out" / "rounds" / "01")
    done = subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk can be made read-only here: {done.stderr.strip()}")
    return disk, sets


def test_every_command_that_writes_says_what_cannot_be_written(read_only, tmp_path, capsys):
    disk, sets = read_only
    new, old, pool = str(disk / "new"), str(disk / "out"), sets[1]
    experiment = ["experiment", "--data", f"{old}/data", "--learner", "frozen", "--models", "packaged"]
    commands = {
        f"{new}: cannot be written (Read-only file system); name another place": [
            ["run", *sets, *SIZES, "--annotator", "gold", "--strategy", "random", "--out", new],
            ["simulate", *sets, *SIZES, "--strategies", "random", "--out", new],
            [*experiment, "--strategies", "random", "--settings", "human", "--out", new],
            ["start", "--pool", pool, "--bootstrap", "5", "--dev", "5", "--test", "5", "--out", new],
            ["train", f"{old}/data", "--config-name", "bootstrap", "--out", new],
        ],
        f"{old}: cannot be written (Read-only file system); name another place": [["run", "--resume", old]],
        f"{old}/report.png: cannot be written (Read-only file system); name another place": [["report", old]],
        f"{new}.parquet: cannot be written (Read-only file system); name another place": [
            ["pool", pool, "--out", f"{new}.parquet"],
            ["predict", old, pool, "--out", f"{new}.parquet"],
        ],
    }
    capsys.readouterr()
    for says, asked in commands.items():
        for arguments in asked:
            assert command(arguments) == 2, arguments
            said = capsys.readouterr()
            assert said.out == ""
            assert said.err.splitlines()[-1] == f"rarecase: {says}"
            assert "Traceback" not in said.err


def test_a_file_that_a_library_opens_and_the_system_refuses_is_one_line(tmp_path, capsys, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "weights"))

    monkeypatch.setattr(os, "getcwd", refuse)  # as `--strategy module:function` asks
    assert command(["run", "--strategy", "mine:best", "--out", str(tmp_path / "out"), "--generator", "none"]) == 2
    assert capsys.readouterr().err == (
        f"rarecase: {tmp_path}/weights: Permission denied; name another place, or change what is there\n"
    )
