"""Every command and program of README.md and CONTRIBUTING.md, run in order and in one folder, as a newcomer would."""

import contextlib
import csv
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from endpoint import Server

from rarecase.config import RunConfig, read_yaml

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "src" / "rarecase" / "sample"
PUBLISHED = Path(os.environ.get("RARECASE_PUBLISHED", ROOT / ".." / "shared" / "published")).resolve()
HUB = ROOT / ".." / "shared" / "reference" / "hub_server.py"
BIN = Path(sys.executable).parent
# What takes long is cut, and nothing else is changed: fewer seeds and labels, one epoch.
CUT = {"--seeds 10": "--seeds 1 --budget 20", "--seeds 3": "--seeds 1 --budget 20 --epochs 1"}


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of one kind, in order."""
    return re.findall(rf"```{kind}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)


COMMANDS = [
    line for block in blocks("README.md", "bash") for line in block.splitlines() if line.startswith("rarecase")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A working folder with what the README takes for granted: posts, some of them labelled, and a dump."""
    place = tmp_path_factory.mktemp("newcomer")
    rows = {n: list(csv.DictReader((SAMPLE / f"{n}.csv").open(encoding="utf-8"))) for n in ("pool", "dev", "test")}
    write(place / "posts.csv", [{"text": r["text"]} for r in rows["pool"]])
    (place / "more.jsonl").write_text("".join(json.dumps({"text": r["text"]}) + "\n" for r in rows["dev"]))
    posts = [
        {"id": f"x{i}", "title": r["text"], "subreddit": "tifu", "author": "a"} for i, r in enumerate(rows["dev"])
    ]
    (place / "RS_2023-01.zst").write_bytes(zstandard.compress("\n".join(map(json.dumps, posts)).encode()))
    write(place / "labelled.csv", rows["pool"] + rows["test"])
    shutil.copy(SAMPLE / "bootstrap.csv", place / "first.csv")
    shutil.copy(SAMPLE / "dev.csv", place / "dev.csv")
    return place


@pytest.fixture(scope="module")
def labels() -> dict[str, str]:
    """What the people of this test would say."""
    files = (csv.DictReader(path.open(encoding="utf-8")) for path in SAMPLE.glob("*.csv"))
    return {row["text"]: row["label"] for file in files for row in file}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The endpoint that the README's variations come from."""
    with Server() as server:
        yield server.url


def test_a_newcomer_can_do_every_journey(folder, labels, endpoint):
    """All commands but those of the published set and the Hub, which the tests below run."""
    for command in COMMANDS:
        if "safety" in command or "published" in command:
            continue
        done = run(command.replace("http://127.0.0.1:8000/v1", endpoint), folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        fill_in(folder, labels)
    assert (folder / "run" / "data" / "README.md").exists()
    assert (folder / "run" / "report.png").stat().st_size > 10_000
    for program in blocks("README.md", "python"):
        done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_settings_file_is_one(folder):
    (block,) = blocks("README.md", "yaml")
    (folder / "run.yaml").write_text(block)
    assert RunConfig(**read_yaml(folder / "run.yaml", RunConfig)).learner == "finetune"


@pytest.mark.published
@pytest.mark.slow
@pytest.mark.skipif(
    not PUBLISHED.exists(), reason="the published set is not here; set RARECASE_PUBLISHED to its folder"
)
def test_the_published_protocol(folder):
    (folder / "published").symlink_to(PUBLISHED)
    for command in COMMANDS:
        if "published" not in command and "safety:" not in command:
            continue
        for long, short in CUT.items():
            command = command.replace(long, short)
        done = run(command, folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert "difference" in run("rarecase report frozen --format json", folder).stdout


@pytest.mark.skipif(not HUB.exists(), reason="the test Hub server is not here (../shared/reference/hub_server.py)")
def test_a_set_on_the_hub_works_wherever_a_path_does(folder, tmp_path):
    (command,) = [c for c in COMMANDS if "acme/safety" in c]
    sample = ["--pool", SAMPLE / "pool.csv", "--bootstrap", SAMPLE / "bootstrap.csv", "--dev", SAMPLE / "dev.csv"]
    sample += ["--test", SAMPLE / "test.csv", "--annotator", "gold", "--generator", "none", "--budget", "10"]
    made = run(["rarecase", "run", *map(str, sample), "--batch", "10", "--out", str(tmp_path / "run")], tmp_path)
    assert made.returncode == 0, made.stderr
    with hub(tmp_path) as environment:
        upload = f"""if True:
            from huggingface_hub import HfApi

            repo = {{"repo_id": "acme/safety", "repo_type": "dataset"}}
            HfApi().create_repo(**repo, private=True)
            HfApi().upload_folder(**repo, folder_path={str(tmp_path / "run" / "data")!r})"""
        subprocess.run([sys.executable, "-c", upload], env=environment, check=True, capture_output=True)
        done = run(command, folder, environment)
    assert done.returncode == 0, done.stderr
    assert (folder / "hub-guard" / "head.safetensors").exists()


def test_the_strategy_of_contributing_runs_as_it_stands(folder):
    (program,) = blocks("CONTRIBUTING.md", "python")
    assert len(program.strip().splitlines()) <= 10
    (folder / "mine.py").write_text(program)
    done = run(
        "rarecase simulate --pool labelled.csv --bootstrap first.csv --dev dev.csv --test-size 100 "
        "--strategies random,mine:margin --budget 20 --out margin --format json",
        folder,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["strategies"]["mine:margin"]["final"]["labels"] == 20


def run(command: str | list[str], place: Path, environment: dict[str, str] | None = None):
    """Runs one command of the page with the `rarecase` that is installed here."""
    words = command.split() if isinstance(command, str) else command
    settings = environment or dict(os.environ)
    settings["PATH"] = f"{BIN}{os.pathsep}{settings['PATH']}"
    return subprocess.run(words, cwd=place, env=settings, capture_output=True, text=True, check=False)


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def fill_in(place: Path, labels: dict[str, str]) -> None:
    """What people do between two commands."""
    for path in place.glob("*/to_label.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        write(path, [{**row, "label": labels[row["text"]]} for row in rows])


@contextlib.contextmanager
def hub(place: Path) -> Iterator[dict[str, str]]:
    """The test Hub server; gives the environment of its clients."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(HUB), "--port", str(port), "--root", str(place / "hub")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
            yield environment | {
                "HF_ENDPOINT": address,
                "HF_TOKEN": "hf_alice",
                "HF_HOME": str(place / "hf"),
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "HF_UPDATE_DOWNLOAD_COUNTS": "0",
                "NO_PROXY": "127.0.0.1,localhost",
            }
        finally:
            server.kill()


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")
