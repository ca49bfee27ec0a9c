"""Ctrl-C at any moment is one line, which says what is left and how to go on."""

import shlex
from collections.abc import Callable

import pytest
import releases
import small

import rarecase.runs.export
from rarecase.cli.main import command

NOTHING = "rarecase: stopped; nothing was written; repeat the command"
STRATEGY = """
from pathlib import Path


def interrupted(pool, n, *, labeled=None, seed=0):
    if not Path("once").exists():
        Path("once").touch()
        raise KeyboardInterrupt
    return pool.select(range(n))
"""
SETS = ["--pool", "pool.csv", "--bootstrap", "bootstrap.csv", "--dev", "dev.csv", "--test", "test.csv"]
SMALL = ["--generator", "none", "--budget", "1", "--batch", "1"]


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def stopped(tmp_path, monkeypatch, capsys) -> Callable[..., str]:
    """Runs a command that is stopped, in a folder with small tables, and gives its last line."""
    monkeypatch.chdir(tmp_path)
    small.write(tmp_path, pool=20, bootstrap=12, dev=6, test=6)
    releases.write(tmp_path / "data", most=10)

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert command([*arguments]) == 130
        said = capsys.readouterr()
        assert (said.out, "Traceback" in said.err) == ("", False)
        return said.err.splitlines()[-1]

    return run


@pytest.mark.parametrize(
    ("moment", "arguments"),
    [
        ("cli.main.read_yaml", ["run", "--config", "run.yaml", "--out", "out"]),
        (
            "runs.session.prepare",
            ["run", *SETS, *SMALL, "--annotator", "gold", "--strategy", "random", "--out", "out"],
        ),
        ("runs.dry_run.dry_run", ["run", *SETS, *SMALL, "--dry-run"]),
        ("runs.start.make_pool", ["start", "--pool", "pool.csv", "--out", "out"]),
        ("experiment.simulate.prepare", ["simulate", *SETS, *SMALL, "--strategies", "random", "--out", "out"]),
        ("experiment.experiment.read_splits", ["experiment", "--data", "data", "--out", "out"]),
        ("runs.train.read_argument", ["train", "data", "--config-name", "bootstrap", "--out", "out"]),
        ("data.pool.write_parquet", ["pool", "pool.csv", "--out", "out.parquet"]),
        ("runs.export.write_table", ["export", "data", "--out", "out.csv"]),
        ("experiment.published.import_published", ["import-published", "data", "--out", "out"]),
    ],
)
def test_before_there_is_anything_nothing_is_left(stopped, tmp_path, monkeypatch, moment, arguments):
    monkeypatch.setattr(f"rarecase.{moment}", interrupt)
    before = sorted(tmp_path.iterdir())
    assert stopped(*arguments) == NOTHING
    assert sorted(tmp_path.iterdir()) == before


def test_a_run_goes_on_by_the_command_that_is_named(stopped, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(STRATEGY)
    begin = ["run", *SETS, *SMALL, "--annotator", "gold", "--strategy", "mine:interrupted", "--out", "my run"]
    line = stopped(*begin)
    assert line == "rarecase: stopped; go on with: rarecase run --resume 'my run' --strategy mine:interrupted"
    resume = shlex.split(line.partition("go on with: rarecase ")[2])
    (tmp_path / "once").unlink()
    assert stopped(*resume) == line
    assert command(resume) == 0
    assert "next: " in capsys.readouterr().err


def test_a_grid_goes_on_by_the_same_command(stopped, tmp_path):
    (tmp_path / "mine.py").write_text(STRATEGY)
    line = stopped("simulate", *SETS, *SMALL, "--strategies", "mine:interrupted", "--out", "grid")
    assert line == "rarecase: stopped; what is finished stays; repeat the command to go on"


def test_a_demo_goes_on_in_the_folder_that_nobody_named(stopped, tmp_path, monkeypatch):
    monkeypatch.setattr("rarecase.cli.demo.demo", interrupt)
    assert stopped("demo") == NOTHING
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "run.json").write_text("{}")
    assert stopped("demo") == "rarecase: stopped; what is finished stays; repeat the command to go on"


def test_a_start_goes_on_by_the_command_that_is_named(stopped, monkeypatch):
    monkeypatch.setattr("rarecase.runs.start.label", interrupt)
    sizes = ["--bootstrap", "4", "--dev", "4", "--test", "4"]
    line = stopped("start", "--pool", "pool.csv", *sizes, "--out", "start")
    assert line == "rarecase: stopped; go on with: rarecase start --resume start"
    assert stopped(*shlex.split(line)[6:]) == line


def test_what_was_written_before_is_whole(stopped, tmp_path, monkeypatch):
    write = rarecase.runs.export.write_table
    monkeypatch.setattr(rarecase.runs.export, "write_table", lambda *given: interrupt(write(*given)))
    line = stopped("export", "data", "--out", "all.csv")
    assert line == "rarecase: stopped; all.csv is whole; to repeat the command, name another --out"
    assert (tmp_path / "all.csv").is_file()


def test_commands_that_write_elsewhere_or_into_a_folder_that_is_there(stopped, monkeypatch):
    monkeypatch.setattr("rarecase.hub.commit.push", interrupt)
    line = stopped("publish", "dataset", "data", "--repo", "acme/safety", "--license", "mit")
    assert line == "rarecase: stopped; no repository is half-filled; repeat the command to go on"
    monkeypatch.setattr("rarecase.report.show.show", interrupt)
    assert stopped("report", "data") == "rarecase: stopped; nothing is half-written; repeat the command"
