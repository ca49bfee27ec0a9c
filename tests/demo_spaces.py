"""Space folders of a small run of the sample, served as on a Space: by `python app.py` in a process of its own."""

import atexit
import contextlib
import csv
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import small
from hub_server.server import free_port

from rarecase.publish.demo import space_files
from rarecase.runs.session import begin, go_on
from rarecase.settings.config import RunConfig

SOURCE = "acme/safety@0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"
NAMED = {"repo_id": "acme/safety-demo", "dataset": SOURCE, "model": "acme/safety-guard@v1", "title": "acme/safety"}


@functools.cache
def run() -> Path:
    """A run of two rounds by `cluster`, with two variations of each of its 20 posts."""
    folder = Path(tempfile.mkdtemp(prefix="rarecase-space-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    small.write(folder)
    with (folder / "variations.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "parent_id"])
        for post in small.table("pool").to_list():
            writer.writerows([f"{post['id']}-{i}", f"{post['text']} (said {i} times)", post["id"]] for i in (1, 2))
    config = RunConfig(
        **{name: str(folder / f"{name}.csv") for name in small.ROWS},
        annotator="gold",
        strategy="cluster",
        generator="replay",
        generator_data=str(folder / "variations.csv"),
        variations=2,
        policy="none",  # nearly the words of their originals
        budget=20,
        batch=10,
        out=folder / "run",
    )
    list(go_on(begin(config), config))
    return folder / "run"


def write(files: Mapping[str, bytes | Path | None], folder: Path) -> Path:
    """The files of a Space as a folder, all of them copies."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert content is not None
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    return folder


@contextlib.contextmanager
def of_the_run(place: Path) -> Iterator[SimpleNamespace]:
    """The Space of `run`, written into this folder and served from there."""
    folder = write(space_files(run(), **NAMED), place / "space")
    sources = {"RARECASE_DATASET": str(run() / "data"), "RARECASE_MODEL": str(run() / "learner")}
    with serving(folder, place / "log", **sources) as url:
        yield SimpleNamespace(url=url, run=run(), folder=folder, log=place / "log")


@contextlib.contextmanager
def serving(folder: Path, log: Path, python: str = sys.executable, **environment: str) -> Iterator[str]:
    """The address of the page while `python app.py` runs; what the process says goes to `log`."""
    port = free_port()
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "RARECASE_DATASET", "RARECASE_MODEL")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "app.py"],
            cwd=folder,
            env={**inherited, "GRADIO_SERVER_PORT": str(port), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(120)


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(1800):
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10):
            return
        time.sleep(0.1)
    raise AssertionError(f"no answer within three minutes:\n{log.read_text()}")
