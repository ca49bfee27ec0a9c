"""
Compares what two checkouts write, so that a redesign which is to change no behaviour can show that it changed none.

    make compare BASE=d68285a                                    # that commit, and this working tree
    python tests/compare_checkouts.py d68285a --jobs errors      # one job again; what the base wrote is kept

Both sides run the same commands (`python -m rarecase …`) in equally named folders, with the test Hub and the endpoint
of the checkout that this script stands in. Every file, output and exit status is then compared byte by byte, pictures
by their pixels. Texts on stdout and stderr may be reworded: the differences are shown and do not fail. What else may
differ is in `EXPECTED`, with the reason. Exits with 1 where anything else does.
"""

import argparse
import contextlib
import csv
import difflib
import itertools
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "src" / "rarecase" / "sample"
PUBLISHED = Path(os.environ.get("RARECASE_PUBLISHED", ROOT / ".." / "shared" / "published")).resolve()
COMMANDS = Path(__file__).with_suffix(".txt")

# What may differ: in the texts of which files, a pattern, and why.
EXPECTED = [
    ("", r"127\.0\.0\.1:\d+", "the port of the test Hub or of the endpoint"),
    ("", r"\b[0-9a-f]{40}\b|(?<= at )[0-9a-f]{8}\b", "ids of commits, which the test Hub draws"),
    ("", r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:[\d.]+(Z|\+00:00)?)?", "the day or the time of day"),
    (".stdout", r'\n *"(rarecase/.*|app\.py)": \d+(,|\b)', "rarecase's own modules in a Space, and their sizes"),
    (".stdout", r"\n *[\d,]+  (rarecase/.*|app\.py)|(?<=^space ).*\d+ files|(?<=\nspace ).*\d+ files", "likewise"),
    ("/app.py", r"(?<=from )rarecase\.\S+", "likewise"),
    (".stdout", r"about \d+ s(?= of computing)", "how fast this machine is"),
    (".stderr", r"[^\n]*(\d%\||examples/s)[^\n]*|\b[\d.]+ ?(s|ms|seconds|minutes)\b", "how long it took"),
]
MODULES = "/rarecase/"  # in a Space; they are what is redesigned
DRAWN = ("id", "at")  # columns of the events of a label store: ids are drawn, and the clock
VARIABLES = {
    **{"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_TOKEN": "hf_alice", "NO_PROXY": "127.0.0.1"},
    **{"DISABLE_SAFETENSORS_CONVERSION": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""},
    **{"OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1", "OPENAI_API_KEY": "sk-3f9a1c77e2"},
}


def jobs() -> dict[str, list[str]]:
    """The steps of each job, as `compare_checkouts.txt` says at its beginning."""
    text = re.sub(r"#.*\n|\\\n", "", COMMANDS.read_text("utf-8"))
    for name, words in re.findall(r"^([A-Z]+) = (.*)\n", text, re.MULTILINE)[::-1]:
        text = re.sub(rf"\b{name}\b(?! =)", words, text)
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        parts = re.split(r"\[(.*?)\]", line)
        choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
        if line.startswith("= "):
            steps = found[line[2:]] = []
        elif line and found:
            steps += ["".join(chosen) for chosen in itertools.product(*choices)]
    return found


# Runs `python -m rarecase` of a checkout for each line that it reads, in a fork in which the libraries are imported
# already: else that would take most of the time.
STARTER = """
import json, os, runpy, sys
import datasets, huggingface_hub, matplotlib.pyplot, pandas, sentence_transformers, sklearn.linear_model, sqlalchemy
import torch, transformers
for line in sys.stdin:
    place, said, words = json.loads(line)
    if os.fork() == 0:
        if worker := os.fork():
            status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
            with open(said + ".part", "w") as file:
                print(status, file=file)
            os.rename(said + ".part", said + ".exit")
            os._exit(0)
        os.chdir(place)
        for number, name in enumerate(("/dev/null", said + ".stdout", said + ".stderr")):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
        sys.argv = ["rarecase", *words]
        runpy.run_module("rarecase", run_name="__main__", alter_sys=True)
        sys.exit()
"""


@dataclass
class Side:
    """One checkout, and the folder where its jobs run."""

    source: Path
    work: Path
    hub: str = ""
    endpoint: str = ""

    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
        place = {"PYTHONPATH": str(self.source / "src"), "HF_HOME": str(self.work / "home"), "HF_ENDPOINT": self.hub}
        return {**inherited, **VARIABLES, **place}

    def __enter__(self) -> "Side":
        pipe = {"stdin": subprocess.PIPE, "text": True}
        self.starter = subprocess.Popen([sys.executable, "-c", STARTER], env=self.environment(), **pipe)
        return self

    def __exit__(self, *_: object) -> None:
        self.starter.communicate()

    def begin(self, place: Path, name: str, arguments: str) -> Path:
        """Starts a command, what it says going to files; gives the one with its status, which is there at its end."""
        words = shlex.split(arguments.replace("ENDPOINT", self.endpoint))
        assert self.starter.stdin
        self.starter.stdin.write(json.dumps([str(place), str(place / "_said" / name), words]) + "\n")
        self.starter.stdin.flush()
        return place / "_said" / f"{name}.exit"

    def perform(self, job: str) -> None:
        """All steps of a job, in order."""
        place = self.work / job
        if job == "errors":
            shutil.copytree(self.work.parent / "inputs" / "bad", place)
        (place / "_said").mkdir(parents=True)
        waiting: list[Path] = []
        for number, step in enumerate(jobs()[job]):
            if step == "!wait":
                await_file(waiting.pop())
            elif step.startswith("!"):
                action, *words = step[1:].split()
                getattr(self, action)(place, *words)
            else:
                name = f"{number:02} {re.sub(r'[^A-Za-z0-9.-]+', ' ', step).strip()[:80]}"
                waiting.append(self.begin(place, name, step.strip("&")))
                if not step.startswith("&"):
                    await_file(waiting.pop())

    def fill(self, place: Path, folder: str) -> None:
        """People label `to_label.csv`; every seventh row they leave empty."""
        path = place / folder / "to_label.csv"
        rows = read(path) if path.exists() else []
        for number, row in enumerate(rows):
            row["label"] = "" if number % 7 == 6 else labels()[row["text"].removeprefix("'")]
        write(path, rows)

    def vote(self, place: Path, folder: str, count: str) -> None:
        """Three people vote, once so many texts are in the store; of every four texts they disagree on one."""
        left = (
            "SELECT data FROM events WHERE kind = 'item' AND item NOT IN (SELECT item FROM events WHERE kind = 'vote')"
        )
        found = stored(place / folder, left, lambda rows: len(rows) == int(count))
        given = []
        for number, row in enumerate(json.loads(data) for (data,) in found):
            label = labels()[row["text"]]
            for person in ("ann", "bob", "cyd"):
                said = "not-harmful" if person == "cyd" and number % 4 == 3 else label
                given.append({"item": row["row"], "annotator": person, "label": said, "seconds": "1.5"})
        write(place / f"given-{count}.csv", given)
        await_file(self.begin(place, f"votes {count}", f"label import given-{count}.csv --store {folder}"))

    def serve(self, place: Path, folder: str, *flags: str) -> None:
        """Serves the page until its settings are in the store."""
        stored(place / folder, "SELECT 1 FROM events WHERE kind = 'item'", bool)
        command = [sys.executable, "-m", "rarecase", "label", "serve", "--store", folder, "--port", "0", *flags]
        process = subprocess.Popen(command, cwd=place, env=self.environment(), stderr=subprocess.DEVNULL)
        stored(place / folder, "SELECT 1 FROM events WHERE kind = 'settings'", bool)
        process.terminate()
        process.wait()
        (place / folder / "labels.sqlite.key").unlink(missing_ok=True)  # it was ended before or after it had made one

    def download(self, place: Path, what: str) -> None:
        """What stands on the Hub."""
        kind, name = what.split("/")
        target = place / "hub" / name
        arguments = f"'acme/{name}', repo_type='{kind}', local_dir='{target}'"
        command = [sys.executable, "-c", f"import huggingface_hub as hub; hub.snapshot_download({arguments})"]
        subprocess.run(command, env=self.environment(), stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(target / ".cache", ignore_errors=True)


def await_file(path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)


def opened(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def stored(folder: Path, query: str, enough: Callable[[list[tuple[str]]], bool]) -> list[tuple[str]]:
    """What a query finds in a label store, once it is enough."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        with contextlib.suppress(sqlite3.Error), opened(folder / "labels.sqlite") as database:
            if enough(found := database.execute(query).fetchall()):
                return found
        time.sleep(0.1)
    raise TimeoutError(f"{folder}: {query}")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    if rows:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def labels() -> dict[str, str]:
    """The class of every text of the sample."""
    return {row["text"]: row["label"] for path in SAMPLE.glob("*.csv") for row in read(path)}


def make_inputs(folder: Path) -> None:
    """What the commands read, the same for both sides."""
    (folder / "bad").mkdir(parents=True)
    for path in SAMPLE.glob("*.csv"):
        shutil.copy(path, folder)
    write(folder / "posts.csv", [{"id": row["id"], "text": row["text"]} for row in read(SAMPLE / "pool.csv")])
    (folder / "about.yaml").write_text("language: en\nannotators_trained: an hour\ncontact: data@example.org\n")
    (folder / "roles.yaml").write_text("owners: [alice]\nadjudicators: []\nannotators: [bob]\n")
    alice = {"name": "alice", "orgs": ["acme", "google-bert", "FacebookAI", "distilbert"]}
    (folder / "users.json").write_text(json.dumps({"hf_alice": alice}))
    (folder / "published").symlink_to(PUBLISHED)
    helper(["-c", "import pathlib, bad_input.files as bad; bad.write_inputs(pathlib.Path())"], folder / "bad")
    helper([str(ROOT / "tests" / "tiny_models.py"), "models"], folder)


def helper(arguments: list[str], folder: Path, **environment: str) -> None:
    """Runs a program with the tests' own modules at hand, and this checkout's rarecase."""
    modules = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}
    command = [sys.executable, *arguments]
    subprocess.run(
        command, cwd=folder, env={**os.environ, **modules, **environment}, check=True, stdout=subprocess.PIPE
    )


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[str]:
    """A server of the tests' in a process of its own; gives the line in which it says where it is."""
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT / "tests", stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip() if process.stdout else ""
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The files of a commit."""
    folder = tempfile.mkdtemp(prefix="checkout-")
    subprocess.run(["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", folder, commit], check=True)
    try:
        yield Path(folder)
    finally:
        subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", folder], check=True)


PUSH = """
import huggingface_hub as hub, pathlib
for path in pathlib.Path("models").glob("*/*"):
    hub.HfApi().create_repo(str(path.relative_to("models")))
    hub.HfApi().upload_folder(repo_id=str(path.relative_to("models")), folder_path=path)
"""


def run_side(source: Path, out: Path, side: str, names: list[str]) -> None:
    """Runs the jobs on one side; each is moved to its place once it has ended."""
    work, inputs = out / "work", out / "inputs"
    shutil.rmtree(work, ignore_errors=True)
    if not inputs.exists():
        make_inputs(inputs)
    hub = served("-m", "hub_server", "--port", "0", "--root", str(work / "hub"), "--users", str(inputs / "users.json"))
    with hub as url, served("endpoint.py") as port, Side(source, work, url, f"http://127.0.0.1:{port}/v1") as started:
        helper(["-c", PUSH], inputs, **{**VARIABLES, "HF_ENDPOINT": url, "HF_HOME": str(work / "home")})
        with ThreadPoolExecutor(2) as pool:
            for job, done in [(job, pool.submit(started.perform, job)) for job in names]:
                done.result()
                shutil.rmtree(out / side / job, ignore_errors=True)
                shutil.move(work / job, out / side / job)


def text_of(path: Path) -> str:
    """The text of a file, without what may differ."""
    text = path.read_text("utf-8").replace("\r", "\n")
    for ending, pattern, _ in EXPECTED:
        if str(path).endswith(ending):
            text = re.sub(pattern, "", text)
    return re.sub(r"\n\s*\n", "\n", text).strip()


def tables_of(path: Path) -> dict[str, list[str]]:
    """The rows of a database, without its clocks; JSON in them without the order of its keys."""
    with opened(path) as database:
        database.row_factory = sqlite3.Row
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {name: [dict(row) for row in database.execute(f"SELECT * FROM {name}")] for name in names}
    return {name: sorted(map(shown, rows)) for name, rows in tables.items()}


def shown(row: dict[str, Any]) -> str:
    """A row of a database as text."""
    values = {key: json.loads(value) if is_json(str(value)) else value for key, value in row.items()}
    kept = {key: value for key, value in values.items() if key not in DRAWN}
    return re.sub(EXPECTED[0][1], "", json.dumps(kept, sort_keys=True))


def is_json(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(text), dict | list)
    return False


def compared(old: Path, new: Path) -> tuple[str, str]:
    """`identical`, `expected`, `reworded` or `different`, and the lines that differ."""
    if not (old.exists() and new.exists()):
        return "expected" if MODULES in str(old) else "different", f"only in {old if old.exists() else new}"
    if old.read_bytes() == new.read_bytes():
        return "identical", ""
    if MODULES in str(old):
        return "expected", ""
    if old.suffix == ".png":
        pixels = [Image.open(path).convert("RGBA") for path in (old, new)]
        return ("expected" if pixels[0] == pixels[1] else "different"), "pixels"
    if old.suffix == ".sqlite":
        return ("expected" if tables_of(old) == tables_of(new) else "different"), "rows"
    try:
        texts = [text_of(path) for path in (old, new)]
    except UnicodeDecodeError:
        return "different", f"{old.stat().st_size} and {new.stat().st_size} bytes"
    if texts[0] == texts[1]:
        return "expected", ""
    lines = difflib.unified_diff(*(text.splitlines() for text in texts), lineterm="", n=0)
    found = "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
    words = old.suffix in (".stdout", ".stderr") and not all(map(is_json, texts))
    return ("reworded" if words else "different"), found


def show(out: Path, names: list[str]) -> bool:
    """Prints the table and what differs; whether anything does that must not."""
    table: dict[str, Counter[str]] = {}
    words: dict[str, list[str]] = {}
    wrong = []
    for job in names:
        sides = [out / name / job for name in ("base", "new")]
        paths = sorted({path.relative_to(side) for side in sides for path in side.rglob("*") if path.is_file()})
        table[job] = Counter()
        for path in paths:
            kind, found = compared(sides[0] / path, sides[1] / path)
            table[job][kind] += 1
            if kind == "reworded":
                words.setdefault(found, []).append(f"{job}/{path.name}")
            elif kind == "different":
                wrong.append(f"{job}/{path}\n{found[:3000]}")
    print("Reworded:", *(f"\n{place[0]} ({len(place)} ×)\n{found}" for found, place in words.items()), sep="\n")
    print("\nDifferent:", *(f"\n{found}" for found in wrong), sep="\n")
    kinds = ("identical", "expected", "reworded", "different")
    print(f"\n{'job':<12}{'files':>10}", *(f"{kind:>10}" for kind in kinds))
    for job, found in table.items():
        print(f"{job:<12}{found.total():>10}", *(f"{found[kind]:>10}" for kind in kinds))
    return bool(wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="a commit")
    parser.add_argument("new", nargs="?", help="another one; by default this working tree")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "compared", help="where both sides are kept")
    parser.add_argument("--jobs", default=",".join(jobs()), help="some of %(default)s")
    options = parser.parse_args()
    out, names = options.out.resolve(), options.jobs.split(",")
    marks = {job: f"{options.base} {jobs()[job]}" for job in names}  # what the base wrote is kept
    left = [
        job for job in names if not (mark := out / "base" / f"{job}.of").exists() or mark.read_text() != marks[job]
    ]
    if left:
        with checkout(options.base) as source:
            run_side(source, out, "base", left)
        for job in left:
            (out / "base" / f"{job}.of").write_text(marks[job])
    with checkout(options.new) if options.new else contextlib.nullcontext(ROOT) as source:
        run_side(source, out, "new", names)
    sys.exit(show(out, names))


if __name__ == "__main__":
    main()
