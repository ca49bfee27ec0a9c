"""Every command and program of README.md and CONTRIBUTING.md, run in order and in one folder, as a newcomer would."""

import csv
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tiny_models
import zstandard
from endpoint import Server
from forks import RARECASE, Forks
from places import PUBLISHED, ROOT

from rarecase.labeling.store.label_store import open_store
from rarecase.settings.config import RunConfig, read_yaml

SAMPLE = ROOT / "src" / "rarecase" / "sample"
README = ROOT / "README.md"
# What takes long is cut, and nothing else is changed: fewer seeds and labels, one epoch.
CUT = {
    "simulate": {"--seeds 10": "--seeds 1 --budget 20", "--seeds 3": "--seeds 1 --budget 20 --epochs 1"},
    "experiment": {
        "--seeds 10": "--seeds 1",
        "--seeds 3": "--seeds 1",
        "--updates 100": "--updates 4",
    },
}
MPNET = "sentence-transformers/all-mpnet-base-v2"  # which no package carries: a tiny model stands in
ON_PUBLISHED = r"published|(?<!acme/)safety[ :]|--data frozen|report base|report transfer"


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


@pytest.fixture
def with_hub(hub, tmp_path) -> Iterator[Forks]:
    """Processes within reach of an empty Hub."""
    hub.reset()
    with Forks(hub.environment, tmp_path) as running:
        yield running


def test_a_newcomer_can_do_every_journey(folder, labels, endpoint, with_hub):
    """All commands but those of the published set, which a test below runs, and all programs, in order."""
    waiting: list[subprocess.Popen[str]] = []
    for kind, block in re.findall(r"```(bash|python)\n(.*?)```", README.read_text(encoding="utf-8"), re.S):
        commands = [["-c", block]] if kind == "python" else block.splitlines()
        for command in commands:
            if isinstance(command, str) and (not command.startswith("rarecase") or re.search(ON_PUBLISHED, command)):
                continue
            if isinstance(command, str):
                command = command.replace("http://127.0.0.1:8000/v1", endpoint)
                command = re.sub("cluster-017,cluster-041", lambda _: ids(folder), command)
            if isinstance(command, str) and re.search("label serve|--annotator people", command):
                waiting.append(begun(command, folder))
                while waiting[0].poll() is None and not (folder / "labelled" / "labels.sqlite").exists():
                    time.sleep(0.1)
                continue
            if waiting:
                people_label(folder, labels, *waiting)
                waiting.clear()
            done = with_hub.run(command, folder)
            assert done.status == 0, f"{command}\n{done.stderr}"
            assert "Traceback" not in done.stderr
            fill_in(folder, labels)
    assert (folder / "run" / "data" / "README.md").exists()
    assert (folder / "run" / "report.png").stat().st_size > 10_000
    assert (folder / "hub-guard" / "head.safetensors").exists()


def begun(command: str, folder: Path) -> subprocess.Popen[str]:
    """A command that waits for people, or serves them a page."""
    words = [str(RARECASE), *command.split()[1:]]
    words += ["--port", "0"] if "serve" in words else []
    return subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True)


def people_label(
    folder: Path, labels: dict[str, str], asks: subprocess.Popen[str], page: subprocess.Popen[str]
) -> None:
    """Two people say the same of every text, and what waited for them goes on. (Browsers: tests/app/.)"""
    service = open_store(str(folder / "labelled")).service
    try:
        for person in ("ann", "bob"):
            while asks.poll() is None and (given := service.queue(person)).progress["total"] < 100:
                time.sleep(0.1)
            while queue := service.queue(person).queue:
                for item in queue:
                    assert service.vote(person, item["item"], labels[item["text"]]).accepted
        _, said = asks.communicate(timeout=60)
        assert asks.returncode == 0, said
        assert "rarecase label serve --store" in said
        assert given.progress["total"] == 100
    finally:
        service.log.close()
        page.terminate()
        asks.kill()
        assert "Traceback" not in page.communicate()[1]


def ids(folder: Path) -> str:
    """Two rows that the README's run acquired."""
    return ",".join(pq.read_table(folder / "run" / "data" / "cluster" / "train.parquet")["id"].to_pylist()[:2])


def test_the_settings_file_is_one(folder):
    (block,) = blocks("README.md", "yaml")
    (folder / "run.yaml").write_text(block)
    assert RunConfig(**read_yaml(folder / "run.yaml", RunConfig)).learner == "finetune"


@pytest.mark.published
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    not PUBLISHED.exists(), reason="the published set is not here; set RARECASE_PUBLISHED to its folder"
)
def test_the_published_protocol(folder, forks):
    (folder / "published").symlink_to(PUBLISHED)
    for command in COMMANDS:
        if not re.search(ON_PUBLISHED, command):
            continue
        command = command.replace(MPNET, str(tiny_models.made()["FacebookAI/roberta-base"]))
        for long, short in CUT.get(command.split()[1], {}).items():
            command = command.replace(long, short)
        done = forks.run(command, folder, within=3600)
        assert done.status == 0, f"{command}\n{done.stderr}"
    assert "difference" in forks.run("rarecase report frozen --format json", folder).stdout


def test_the_strategy_of_contributing_runs_as_it_stands(folder, forks):
    (program,) = blocks("CONTRIBUTING.md", "python")
    assert len(program.strip().splitlines()) <= 10
    (folder / "mine.py").write_text(program)
    done = forks.run(
        "rarecase simulate --pool labelled.csv --bootstrap first.csv --dev dev.csv --test-size 100 "
        "--strategies random,mine:smallest_gap --budget 20 --seeds 2 --out gap --format json",
        folder,
    )
    assert done.status == 0, done.stderr
    assert json.loads(done.stdout)["strategies"]["mine:smallest_gap"]["final"]["labels"] == 20


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
