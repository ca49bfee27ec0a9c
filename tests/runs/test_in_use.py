"""Nothing is shared by accident: a folder that another process works in is refused in one line."""

import shutil
from pathlib import Path

import pytest
import small

from rarecase.cli.main import command
from rarecase.core.locks import locked
from rarecase.experiment.cells import Cell, Found
from rarecase.experiment.grid import run_grid

SETTINGS = ["--annotator", "gold", "--generator", "none", "--strategy", "random", "--budget", "4", "--batch", "4"]
RUNS = "import sys; from rarecase.cli.main import command; sys.exit(command(sys.argv[1:]))"


def refused(arguments: list[str], folder: Path, capsys) -> None:
    """Two seconds of work are not begun: one line, exit 2, and nothing is there but what was."""
    before = small.files(folder.parent)
    with locked(folder):
        assert command(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        f"rarecase: {folder}: another process works in it; wait until it has ended, or name another folder"
    ]
    assert small.files(folder.parent) == before


def test_of_two_runs_into_one_folder_one_is_whole_and_the_other_is_answered(tmp_path, forks):
    out = tmp_path / "out"
    arguments = ["run", *small.write(tmp_path), *SETTINGS, "--out", str(out)]
    processes = [forks.begin(["-c", RUNS, *arguments]) for _ in range(2)]
    done = [process.wait() for process in processes]
    assert sorted(one.status for one in done) == [0, 2], [one.stderr for one in done]
    other = next(one for one in done if one.status == 2)
    assert len(other.lines) == 1
    assert "another process works in it" in other.stderr or "holds a run already" in other.stderr
    assert (out / "learner" / "rarecase.json").is_file()
    assert not list(tmp_path.glob(".*"))


def test_a_run_and_a_start_that_another_process_works_in_are_refused(tmp_path, capsys):
    sets, out = small.write(tmp_path), tmp_path / "out"
    refused(["run", *sets, *SETTINGS, "--out", str(out)], out, capsys)
    sizes = ["--bootstrap", "5", "--dev", "5", "--test", "5"]
    refused(["start", *sets[:2], *sizes, "--out", str(out)], out, capsys)
    assert command(["start", *sets[:2], *sizes, "--out", str(out)]) == 0
    capsys.readouterr()
    refused(["start", "--resume", str(out)], out, capsys)
    shutil.rmtree(out)


@pytest.mark.parametrize("killed", [False, True], ids=["done", "killed"])
def test_a_cell_that_another_process_runs_is_waited_for_after_the_others(tmp_path, capsys, killed):
    cells = [Cell("random", seed) for seed in range(3)]
    ran: list[Cell] = []
    busy = locked(cells[1].folder(tmp_path))
    busy.__enter__()

    def run_cell(cell: Cell, place: Path) -> Found:
        ran.append(cell)
        if cell == cells[2]:  # by then the other process has come to its end
            if not killed:
                Found(train_rows=7).write(tmp_path, cells[1])
            busy.__exit__(None, None, None)
        return Found(train_rows=6)

    run_grid(tmp_path, cells, run_cell)
    assert ran == [cells[0], cells[2], *([cells[1]] if killed else [])]
    assert capsys.readouterr().err == ""
    assert sorted(path.name for path in (tmp_path / "cells").iterdir()) == ["random-0", "random-1", "random-2"]
