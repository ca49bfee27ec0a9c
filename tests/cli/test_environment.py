"""Variables of the environment that libraries read: what makes no sense is one line, whatever the command."""

import os
import subprocess
import sys

from fastapi import FastAPI

from rarecase.cli.main import command
from rarecase.labeling.web.access import ANYWHERE
from rarecase.labeling.web.server import server


def test_nonsense_for_the_hub_is_one_line():
    """In a process of its own, since the library reads it when it is imported."""
    arguments = [sys.executable, "-m", "rarecase", "report", "nowhere"]
    done = subprocess.run(
        arguments, env={**os.environ, "HF_HUB_DOWNLOAD_TIMEOUT": "abc"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "rarecase: a variable HF_… of the environment has a value that huggingface_hub cannot"
    )
    assert done.stderr.count("\n") == 1


def test_nonsense_for_a_launcher_is_one_line(refused, monkeypatch, forks):
    monkeypatch.setenv("WORLD_SIZE", "y")
    assert "WORLD_SIZE 'y': expected how many processes a launcher has started; unset it" in refused("--version")
    for given in ({"RANK": "1"}, {"RANK": "x"}, {"RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "abc"}):
        done = forks.begin(["rarecase", "report", "nowhere"], WORLD_SIZE="2", **given).wait()
        assert done.status == 2
        assert len(done.lines) == 1
        assert "MASTER_ADDR and the like: the processes cannot be joined (" in done.lines[0]
        assert "Traceback" not in done.stderr


def test_a_picture_needs_no_window(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    assert command(["--version"]) == 0
    assert os.environ["MPLBACKEND"] == "agg"


def test_the_labeling_page_is_one_process(monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "abc")
    assert server(FastAPI(), ANYWHERE).config.workers == 1
