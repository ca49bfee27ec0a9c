"""
Compares what two checkouts write, so that a redesign which is to change no behaviour can show that it changed none.

    make compare BASE=d68285a                                    # that commit, and this working tree
    python tests/compare_checkouts.py d68285a --jobs errors      # one job again; what the base wrote is kept

Both sides run the same commands (`python -m rarecase …`) in equally named folders, with the test Hub and the endpoint
of the checkout that this script stands in. Every file, output and exit status is then compared byte by byte, pictures
by their pixels. Texts on stdout and stderr may be reworded: the differences are shown and do not fail. What else may
differ is in `compared.EXPECTED`, with the reason. Exits with 1 where anything else does.
"""

import argparse
import contextlib
import csv
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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from compared import opened, show

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "src" / "rarecase" / "sample"
PUBLISHED = Path(os.environ.get("RARECASE_PUBLISHED", ROOT / ".." / "shared" / "published")).resolve()
COMMANDS = Path(__file__).with_suffix(".txt")

VARIABLES = {
    **{"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_TOKEN": "hf_alice", "NO_PROXY": "127.0.0.1"},
    **{"DISABLE_SAFETENSORS_CONVERSION": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""},
    **{"OMP_NUM_THREADS": "1", "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1", "SPACE_TOKEN": "hf_space"},
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
        voted = "SELECT item FROM events WHERE kind = 'vote'"
        left = f"SELECT data FROM events WHERE kind = 'item' AND item NOT IN ({voted})"
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
        download = f"hub.snapshot_download('acme/{name}', repo_type='{kind}', local_dir='{target}')"
        with contextlib.suppress(subprocess.CalledProcessError):  # nothing stands there, as the files will show
            helper(["-c", f"import huggingface_hub as hub; {download}"], place, **self.environment())
        shutil.rmtree(target / ".cache", ignore_errors=True)
        for path in target.glob("queue/*-*-*-*-*-*.jsonl"):  # the rest of its name is drawn
            path.rename(path.with_name(f"{path.name.split('-')[0]}.jsonl"))


def await_file(path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)


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
    (folder / "users.json").write_text(json.dumps({"hf_alice": alice, "hf_space": alice}))
    (folder / "published").symlink_to(PUBLISHED)
    helper(["-c", "import pathlib, bad_input.files as bad; bad.write_inputs(pathlib.Path())"], folder / "bad")
    helper([str(ROOT / "tests" / "tiny_models.py"), "models"], folder)


def helper(arguments: list[str], folder: Path, **environment: str) -> None:
    """Runs a program with the tests' own modules at hand, and this checkout's rarecase."""
    modules = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])}
    settings = {**os.environ, **modules, **environment}
    subprocess.run([sys.executable, *arguments], cwd=folder, env=settings, check=True, stdout=subprocess.DEVNULL)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="a commit")
    parser.add_argument("new", nargs="?", help="another one; by default this working tree")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "compared", help="where both sides are kept")
    parser.add_argument("--jobs", default=",".join(jobs()), help="some of %(default)s")
    options = parser.parse_args()
    out, names = options.out.resolve(), options.jobs.split(",")
    marks = {job: f"{options.base} {jobs()[job]}" for job in names}  # what the base wrote is kept
    kept = {path.stem: path.read_text() for path in (out / "base").glob("*.of")}
    if left := [job for job in names if kept.get(job) != marks[job]]:
        with checkout(options.base) as source:
            run_side(source, out, "base", left)
        for job in left:
            (out / "base" / f"{job}.of").write_text(marks[job])
    with checkout(options.new) if options.new else contextlib.nullcontext(ROOT) as source:
        run_side(source, out, "new", names)
    sys.exit(show(out, names))


if __name__ == "__main__":
    main()
