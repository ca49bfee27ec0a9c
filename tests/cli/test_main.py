"""The command line: help, settings from files, JSON on stdout, and how it is stopped."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bad_input.files import csv_of, tables
from forks import RARECASE, Forks

from rarecase import __version__
from rarecase.__main__ import main
from rarecase.cli.main import command as run_command

COMMANDS = ["demo", "import-published", "run", "start", "train", "predict", "pool", "simulate", "report", "taxonomy"]
COMMANDS += ["export", "verify"]
HEADER = {"all": "id\ttext\tsubreddit\tcategory", "labeled": "id\tsubreddit\ttitle\tcategory"}


@pytest.fixture(scope="module")
def printed(forks: Forks) -> Callable[..., str]:
    """What the installed program prints where all is well."""

    def printed(*arguments: str | Path) -> str:
        done = forks.run(["rarecase", *arguments])
        assert done.status == 0, done.stderr
        return done.stdout

    return printed


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A table for each set."""
    folder = tmp_path_factory.mktemp("data")
    for name, rows in tables().items():
        (folder / f"{name}.csv").write_text(csv_of(rows))
    return folder


@pytest.fixture(scope="module")
def settings(data) -> dict[str, object]:
    """The settings of a small run."""
    sets = {"pool": "pool", "bootstrap": "start", "dev": "dev", "test": "test"}
    paths = {key: str(data / f"{name}.csv") for key, name in sets.items()}
    return {**paths, "annotator": "gold", "generator": "none", "strategy": "random", "budget": 4, "batch": 4}


@pytest.fixture(scope="module")
def finished(data, settings, printed) -> Path:
    """A run that a file of settings describes, one of them overruled by a flag."""
    (data / "run.yaml").write_text(yaml.safe_dump({**settings, "seed": 3, "learning_rate": None}))
    printed("run", "--config", data / "run.yaml", "--batch", "2", "--out", data / "run")
    return data / "run"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_text(command, printed):
    text = printed(command, "--help")
    assert text.startswith(f"Usage: rarecase {command}")
    assert "--out" in text or command in ("report", "verify")


@pytest.mark.parametrize("command", ["run", "publish all", "publish remove", "label import"])
def test_no_help_has_a_flag_that_only_empties_a_list(command, capsys):
    assert run_command([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: rarecase {command}")
    assert "--empty-" not in shown


def test_the_version_is_printed(printed):
    assert printed("--version") == f"{__version__}\n"


def test_a_file_fills_settings_and_a_flag_wins_over_it(finished, settings, printed):
    used = yaml.safe_load((finished / "config.yaml").read_text())
    assert used == {**used, **settings, "seed": 3, "batch": 2, "out": str(finished)}
    assert len(json.loads(printed("report", finished, "--format", "json"))["rounds"]) == 3


@pytest.mark.parametrize("key", ["text_column", "text-column"])
def test_a_key_may_be_written_with_underscores_or_as_a_flag(settings, forks, tmp_path, key):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**settings, key: "words"}))
    done = forks.run(["rarecase", "run", "--config", tmp_path / "run.yaml", "--out", tmp_path / "out"])
    assert "no column 'words'" in done.stderr


def test_a_key_called_like_a_command_is_a_setting(settings, forks, tmp_path):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**settings, "pool": "nowhere.csv"}))
    done = forks.run(["rarecase", "run", "--config", tmp_path / "run.yaml", "--out", tmp_path / "out"])
    assert "rarecase: nowhere.csv: no such file" in done.stderr


def test_report_train_and_pool_print_json_and_nothing_else(finished, data, tmp_path, printed):
    report = json.loads(printed("report", finished, "--format", "json"))
    assert [len(r["chosen"]) for r in report["rounds"]] == [0, 2, 2]
    names = ("--config-name", "bootstrap,random")
    trained = json.loads(printed("train", finished / "data", *names, "--out", tmp_path / "guard", "--format", "json"))
    assert trained["train"] == 12 + 4
    counts = json.loads(printed("pool", data / "pool.csv", "--out", tmp_path / "pool.parquet", "--format", "json"))
    assert counts["read"] == counts["kept"] == 40


def test_import_published_prints_json_and_nothing_else(tmp_path, printed):
    for name in ("bootstrap", "dev", "test"):
        rows = [f"{i}\tlegaladvice\t{name} {i}\tlegal-advice" for i in range(3)]
        (tmp_path / f"{name}_labeled.tsv").write_text("\n".join([HEADER["labeled"], *rows]) + "\n")
    for name in ("random", "topn", "coreset", "cluster"):
        originals = [f"{i}\t{name} {i}\tlegaladvice{i}\tlegal-advice" for i in range(100)]
        variations = [f"{i}\t{name} {i} again {k}\tlegaladvice{i}\tdiscard" for i in range(100) for k in range(5)]
        (tmp_path / f"{name}-all.tsv").write_text("\n".join([HEADER["all"], *variations, *originals]) + "\n")
    found = json.loads(printed("import-published", tmp_path, "--out", tmp_path / "out", "--format", "json"))
    assert found["contradictions"]["cluster"] == 100


def test_an_interrupt_exits_with_130_and_says_how_to_go_on(settings, tmp_path):
    flags = [f"--{key}={value}" for key, value in {**settings, "out": tmp_path / "out"}.items()]
    process = subprocess.Popen(
        [RARECASE, "run", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores the signal, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr.readline().startswith("pool: ")  # it has begun, and goes on for seconds
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "rarecase: stopped; nothing was written; repeat the command"
    assert "Traceback" not in err
    assert out == ""
    assert not list(tmp_path.iterdir())


def test_an_interrupt_while_modules_are_imported_is_one_line(monkeypatch, capsys):
    class Interrupted:
        @staticmethod
        def find_spec(name, *_):
            if name == "rarecase.cli.main":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "rarecase.cli.main", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    with pytest.raises(SystemExit, match="130"):
        main()
    assert capsys.readouterr().err == "rarecase: stopped; nothing was written; repeat the command\n"
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["project"]["scripts"].values()) == {f"{main.__module__}:main"}
