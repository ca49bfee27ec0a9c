"""
Every command and program of README.md, docs/ and CONTRIBUTING.md, run in order and in one folder, as a newcomer would;
and that their links lead somewhere. What a page repeats of an earlier one is not run again.
"""

import csv
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tiny_models
import yaml
import zstandard
from client_environments import answers
from endpoint import Server
from forks import RARECASE, Forks
from places import PUBLISHED, ROOT

import rarecase
from rarecase.labeling.store.label_store import open_store
from rarecase.settings.config import RunConfig, read_yaml

SAMPLE = ROOT / "src" / "rarecase" / "sample"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
PAGES = ["README.md", *(f"docs/{page}" for entry in SITE["nav"] for page in entry.values())]
LINKED = [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"]
BLOCK = re.compile(r'^```(\w+)(?: title="(.*?)")?\n(.*?)^```$', re.M | re.S)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
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


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def steps() -> Iterator[tuple[str, str]]:
    """Each command, program or file of the pages, in order: `bash`, `python` or the file's name, and what it is."""
    done: set[tuple[str, str]] = set()
    for page in PAGES:
        here = [
            (name or kind, step)
            for kind, name, block in BLOCK.findall(read(page))
            for step in (block.splitlines() if kind == "bash" else [block])
        ]
        yield from (step for step in here if step not in done)
        done.update(here)


COMMANDS = [step for kind, step in steps() if kind == "bash" and step.startswith("rarecase")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A working folder with what the pages take for granted: posts, some of them labelled, and a dump."""
    place = tmp_path_factory.mktemp("newcomer")
    rows = {n: list(csv.DictReader((SAMPLE / f"{n}.csv").open(encoding="utf-8"))) for n in ("pool", "dev", "test")}
    write(place / "posts.csv", [{"text": r["text"]} for r in rows["pool"]])
    (place / "more.jsonl").write_text("".join(json.dumps({"text": r["text"]}) + "\n" for r in rows["dev"]))
    posts = [
        {"id": f"x{i}", "title": r["text"], "subreddit": "tifu", "author": "a"} for i, r in enumerate(rows["dev"])
    ]
    (place / "RS_2023-01.zst").write_bytes(zstandard.compress("\n".join(map(json.dumps, posts)).encode()))
    write(place / "new_posts.csv", [{"text": r["text"]} for r in rows["test"]])
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
    """The endpoint that the pages' variations come from."""
    with Server() as server:
        yield server.url


@pytest.fixture
def with_hub(hub, tmp_path) -> Iterator[Forks]:
    """Processes within reach of an empty Hub."""
    hub.reset()
    with Forks(hub.environment, tmp_path) as running:
        yield running


@pytest.fixture
def serve(folder) -> Iterator[Callable[[str], str]]:
    """Serves guards as the pages say, and gives the address of each."""
    with ExitStack() as stack:

        def serve(command: str) -> str:
            process = stack.enter_context(begun(command, folder))
            stack.callback(process.terminate)
            says, address = process.stderr.readline().rsplit(maxsplit=1)
            assert says == "the guard is at"
            while not answers(f"{address}/ready"):
                time.sleep(0.1)
            return address

        yield serve


def test_a_newcomer_can_do_every_journey(folder, labels, endpoint, with_hub, serve):
    """All commands but those of the published set, which a test below runs, and all programs, in order."""
    guard = ""
    waiting: list[subprocess.Popen[str]] = []
    for kind, step in steps():
        if kind not in ("bash", "python"):
            (folder / kind).write_text(step, encoding="utf-8")
            continue
        if kind == "bash" and (step not in COMMANDS or re.search(ON_PUBLISHED, step)):
            continue
        if kind == "bash" and "guard serve" in step:
            guard = serve(step)
            continue
        program = ["-c", step.replace("http://127.0.0.1:8000", guard)]
        command = program if kind == "python" else adapted(step, folder, endpoint)
        if kind == "bash" and re.search("label serve|--annotator people", step):
            waiting.append(begun(command, folder))
            while waiting[0].poll() is None and not (folder / "labelled" / "labels.sqlite").exists():
                time.sleep(0.1)
            continue
        if waiting:
            people_label(folder, labels, *waiting)
            waiting.clear()
        done = with_hub.run(command, folder, SPACE_TOKEN="hf_of_the_space_alone")
        assert done.status == 0, f"{step}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        fill_in(folder, labels)
    assert (folder / "run" / "data" / "README.md").exists()
    assert (folder / "run" / "report.png").stat().st_size > 10_000
    assert (folder / "hub-guard" / "head.json").exists()
    assert "name: threat" in (folder / "own" / "taxonomy.yaml").read_text(encoding="utf-8")


def adapted(command: str, folder: Path, endpoint: str) -> str:
    """A command of a page, with this test's endpoint, and rows that are there."""
    if "post-017,post-041" in command:
        command = command.replace("post-017,post-041", ids(folder))
    return command.replace("http://127.0.0.1:8000/v1", endpoint)


def begun(command: str, folder: Path) -> subprocess.Popen[str]:
    """A command that waits for people, or serves them a page."""
    words = [str(RARECASE), *command.removesuffix("--port 8000").split()[1:]]
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
    """Two rows that the run of the pages acquired."""
    return ",".join(pq.read_table(folder / "run" / "data" / "rare_first" / "train.parquet")["id"].to_pylist()[:2])


def test_the_settings_file_is_one(folder):
    (folder / "run.yaml").write_text(dict(steps())["run.yaml"])
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
    ((_, _, program),) = BLOCK.findall(read("CONTRIBUTING.md"))
    assert len(program.strip().splitlines()) <= 10
    (folder / "mine.py").write_text(program)
    done = forks.run(
        "rarecase simulate --pool labelled.csv --bootstrap first.csv --dev dev.csv --test-size 100 "
        "--strategies random,mine:smallest_gap --budget 20 --seeds 2 --out gap --format json",
        folder,
    )
    assert done.status == 0, done.stderr
    assert json.loads(done.stdout)["strategies"]["mine:smallest_gap"]["final"]["labels"] == 20


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_to_pages_and_headings_that_are_there(page):
    for path, anchor in LINK.findall(read(page)):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.is_file(), f"{page}: {path}"
        if anchor:
            assert anchor in anchors(target), f"{page}: {path}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page: its headings, as GitHub and the site name them alike, and names of the reference."""
    text = page.read_text(encoding="utf-8")
    for included in re.findall(r'^--8<-- "(.*)"$', text, re.M):
        text += (ROOT / included).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", re.sub(BLOCK, "", text), re.M)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"^::: (.*)$", text, re.M))


def test_the_site_has_every_page_and_the_reference_every_name():
    assert {page.name for page in (ROOT / "docs").glob("*.md")} == {Path(page).name for page in PAGES[1:]}
    listed = re.findall(r"^::: (.*)$", read("docs/reference.md"), re.M)
    assert {name.rpartition(".")[2] for name in listed} >= set(rarecase.__all__) - {"__version__"}
    assert len(set(listed)) == len(listed)


def test_the_way_from_posts_to_a_guard_takes_twelve_lines():
    """Each of which is run above."""
    blocks = [(kind, block.splitlines()) for kind, _, block in BLOCK.findall(read("README.md"))]
    (client,) = (block for kind, block in blocks if kind == "python" and "OpenAI" in block[0])
    commands = [line for kind, block in blocks for line in block if kind == "bash"]
    way = re.compile(r"rarecase (pool|start (--resume start|--pool .* --out start)|run .*|train|guard) ?")
    typed = [line for line in commands if way.match(line) and "--dry-run" not in line]
    assert [line.split()[1] for line in typed] == ["pool", "start", "start", "run", "run", "train", "guard", "guard"]
    assert len(typed) + len([line for line in client if line]) <= 12


def test_the_readme_can_be_read_in_a_minute():
    assert len(read("README.md").splitlines()) <= 200


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
