"""Commands in several processes: they come to what one comes to, and only the main one acts and speaks."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import releases
import small
import tiny_models
from endpoint import Server
from launched import BIN, ENVIRONMENT, launched, torchrun

from rarecase.acquire.find import STRATEGIES
from rarecase.cli.main import command
from rarecase.core.files import digest
from rarecase.data.arrow import matrix
from rarecase.data.parquet import read_parquet

WATCHED = Path(__file__).parent.parent / "watched"
FIT = {"learner": "finetune", "learning_rate": 1e-3, "precision": "fp32"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny BERT without dropout."""
    return tiny_models.without_dropout(tmp_path_factory.mktemp("models") / "still")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return releases.write(tmp_path_factory.mktemp("release") / "data")


def flags(**given: object) -> list[str]:
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def a_run(folder: Path, model: str, url: str, **changes: object) -> list[str]:
    """A run of two rounds, fine-tuned, with variations of a language model."""
    generator = {"generator": "openai", "generator_url": url, "generator_model": "words", "variations": 2}
    loop = {"annotator": "gold", "strategy": "entropy", "budget": 4, "batch": 2, "updates": 4, "model": model}
    return ["run", *small.write(folder), *flags(**(generator | loop | FIT | changes))]


def rounds(folder: Path) -> list[list[str]]:
    """What was chosen, labelled and varied in each of the two rounds."""
    stages = [
        folder / "rounds" / number / f"{stage}.parquet"
        for number in ("01", "02")
        for stage in ("chosen", "labels", "variations")
    ]
    return [read_parquet(stage)["text"][:] for stage in stages]


def last_probabilities(folder: Path) -> np.ndarray:
    return matrix(read_parquet(folder / "rounds" / "02" / "predictions.parquet"), "probs")


def test_only_the_main_process_writes_labels_generates_and_prints(model, tmp_path):
    """Of the others each file, connection and line is watched, and the system lets them write nothing."""
    for name in ("elsewhere", "notes", "lines"):
        (tmp_path / name).mkdir()
    with Server() as server:
        run = a_run(tmp_path, model, server.url)
        watched = {"WATCHED": str(tmp_path / "notes"), "PYTHONPATH": str(WATCHED)}
        lines = ["--redirects", "3", "--log-dir", str(tmp_path / "lines")]
        words = [*lines, "-m", "rarecase", *run, "--out", str(tmp_path / "two")]
        done = launched(words, cwd=tmp_path / "elsewhere", **watched)
        assert done.returncode == 0, done.stderr + "".join(p.read_text() for p in tmp_path.rglob("stderr.log"))
        assert len(server.asked) == len(set(server.asked)) == 4
        assert command([*run, "--out", str(tmp_path / "one")]) == 0
    assert [*(tmp_path / "elsewhere").iterdir()] == []
    said = {path.parent.name: path.read_text() for path in (tmp_path / "lines").rglob("std*.log") if path.read_text()}
    assert said.keys() == {"0"}, said["1"]
    main, other = ((tmp_path / "notes" / f"{rank}.txt").read_text().splitlines() for rank in (0, 1))
    assert any("metrics.json" in line for line in main)
    assert any(server.url.split(":")[2].split("/")[0] in line for line in main)
    own = [line for line in other if str(tmp_path) in line or "connect" in line]
    assert own == []
    assert rounds(tmp_path / "one") == rounds(tmp_path / "two")
    assert np.allclose(last_probabilities(tmp_path / "one"), last_probabilities(tmp_path / "two"), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"learning_rate": 1e9}, "the training loss is not finite"),
        pytest.param({"no_such_flag": 1}, "Unknown option: --no-such-flag", marks=pytest.mark.slow),
        pytest.param({"config_name": "none"}, "none", marks=pytest.mark.slow),
    ],
)
def test_what_fails_in_all_processes_is_one_line(changes, says, model, release, tmp_path):
    given = {"config_name": "bootstrap", "updates": 8, "model": model, "out": tmp_path / "out", **FIT, **changes}
    done = launched(["-m", "rarecase", "train", str(release), *flags(**given)], cwd=tmp_path)
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("rarecase: ")]
    assert len(told) == 1, done.stderr
    assert says in told[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_only_another_process_meets_that_one_says(model, release, tmp_path):
    """A model that only one machine has: here, a working folder of its own."""
    (tmp_path / "0").mkdir()
    (tmp_path / "1").mkdir()
    (tmp_path / "0" / "model").symlink_to(model)
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\nfrom rarecase.cli.main import main\n"
        "os.chdir(os.environ['RANK'])\nsys.argv[0] = 'rarecase'\nmain()\n"
    )
    given = {"config_name": "bootstrap", "updates": 8, "model": "model", "out": tmp_path / "out", **FIT}
    done = launched([str(program), "train", str(release), *flags(**given)], cwd=tmp_path)
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("rarecase: ")]
    assert [("model: neither a folder" in line, "another process has ended" in line) for line in told] == [
        (True, False),
        (False, True),
    ], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["finetune", "frozen"])
def test_every_strategy_chooses_the_same_rows(learner, model, tmp_path):
    fit = {"updates": 4, **FIT} if learner == "finetune" else {"learner": learner}
    names = [name for name in STRATEGIES if (learner, name) != ("finetune", "bald")]  # the model has no dropout
    given = {"strategies": ",".join(names), "seeds": 1, "budget": 6, "batch": 3, "model": model, **fit}
    grid = ["simulate", *small.write(tmp_path), *flags(**given)]
    done = launched(["-m", "rarecase", *grid, "--out", str(tmp_path / "two")], cwd=tmp_path, within=600)
    assert done.returncode == 0, done.stderr
    assert command([*grid, "--out", str(tmp_path / "one")]) == 0
    for name in names:
        one, two = (
            [read_parquet(path)["id"][:] for path in sorted((tmp_path / place / "cells").glob(f"{name}-0/**/chosen*"))]
            for place in ("one", "two")
        )
        assert one == two, name
        assert len(one) == 2


@pytest.mark.slow
def test_train_predict_check_and_experiment_come_to_the_same(model, release, tmp_path, capsys):
    fit = flags(updates=6, **FIT)
    steps = {
        "train": ["train", str(release), "--config-name", "bootstrap", "--model", model, *fit, "--out", "guard"],
        "predict": ["predict", "guard", str(small.SAMPLE / "pool.csv"), "--out", "out.csv"],
        "check": ["guard", "check", "guard", str(small.SAMPLE / "pool.csv")],
        "experiment": ["experiment", "--data", str(release), "--models", model, "--settings", "bootstrap", "--seeds"],
    }
    steps["experiment"] += ["1", *fit, "--out", "grid"]
    said = {}
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        for name, words in steps.items():
            program = [BIN / "python"] if place == "one" else torchrun(2)
            done = subprocess.run(
                [*program, "-m", "rarecase", *words],
                cwd=tmp_path / place,
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, (name, done.stderr)
            said[place, name] = done.stdout
    assert said["one", "train"] == said["two", "train"]
    one, two = (np.genfromtxt(tmp_path / place / "out.csv", delimiter=",", skip_header=1) for place in ("one", "two"))
    assert np.allclose(one[:, 2:], two[:, 2:], atol=1e-4)
    one, two = ([json.loads(line)["scores"] for line in said[place, "check"].splitlines()] for place in ("one", "two"))
    assert [list(row) for row in one] == [list(row) for row in two]
    assert np.allclose([[*row.values()] for row in one], [[*row.values()] for row in two], atol=1e-4)
    assert said["one", "experiment"] == said["two", "experiment"]


LAUNCHERS = {
    "accelerate": [BIN / "accelerate", "launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"],
    "torchrun": torchrun(2),
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_launchers_start_two(launcher, model, release, tmp_path):
    train = ["train", release, "--config-name", "bootstrap", *flags(model=model, updates=9, out="out", **FIT)]
    started = [*LAUNCHERS[launcher], "-m", "rarecase", *train]
    done = subprocess.run(started, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained on 60 texts") == 1
    assert '"processes": 2' in (tmp_path / "out" / "rarecase.json").read_text()


DISTURBED = {"strategy": "cluster", "updates": 30}
LEARNED = Path("learner") / "model.safetensors"


@pytest.fixture(scope="module")
def whole(model, tmp_path_factory):
    """The run of the test below, undisturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Server() as server:
        run = a_run(folder, model, server.url, **DISTURBED)
        done = launched(["-m", "rarecase", *run, "--out", "whole"], cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "whole"


def killed_in(function: str, rank: int, words: list[str], folder: Path) -> str:
    """Starts processes, of which one is killed in a function; all end within a minute. Gives what they said."""
    at = folder / "killed"
    killed = {"KILLED": f"{rank}:{function}", "KILLED_AT": str(at), "PYTHONPATH": str(WATCHED)}
    process = subprocess.Popen(
        words, cwd=folder, env={**ENVIRONMENT, **killed}, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _, errors = process.communicate(timeout=240)
        assert process.returncode != 0
        assert "SIGKILL" in errors
        assert _of_group(process.pid) == []
        assert time.time() - at.stat().st_mtime < 60
        return errors
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


ASKED = """
import time

from datasets import ClassLabel, Dataset, Features, Value

from rarecase import loop

features = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b"])})
labeled = Dataset.from_dict({"text": ["one", "two", "three"], "label": [0, 1, 0]}, features=features)


def ask(texts):
    time.sleep(3600)


loop(Dataset.from_dict({"text": ["four", "five", "six"]}), labeled, ask=ask, budget=2, batch=1)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "function"), [(0, "ask"), (1, "_annotate")])
def test_a_process_that_is_killed_while_people_are_waited_for_ends_all(rank, function, tmp_path):
    (tmp_path / "asked.py").write_text(ASKED)
    killed_in(function, rank, [*torchrun(2), "asked.py"], tmp_path)


# By stage, a function that the main process is in, and one that the other is in.
STAGES = {
    "embedding": ("encode", "encode"),
    "choosing": ("_choose", "_choose"),
    "generating": ("generate", "_vary"),
    "fitting": ("_steps", "_steps"),
    "writing": ("_finish", "_rounds_left"),
}


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_process_ends_all_and_the_run_goes_on(stage, rank, model, whole, tmp_path):
    with Server(delay=0.3) as server:
        run = a_run(tmp_path, model, server.url, **DISTURBED)
        words = [*torchrun(2), "-m", "rarecase", *run, "--out", "two"]
        errors = killed_in(STAGES[stage][rank], rank, words, tmp_path)
        told = [line for line in errors.splitlines() if line.startswith("rarecase: ")]
        assert len(told) == (0 if rank == 0 else 1), errors
        assert all("another process has ended" in line for line in told)
        again = ["--resume", "two"] if (tmp_path / "two" / "run.json").exists() else [*run[1:], "--out", "two"]
        done = launched(["-m", "rarecase", "run", *again], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert rounds(tmp_path / "two") == rounds(whole)
    assert digest([tmp_path / "two" / LEARNED]) == digest([whole / LEARNED])


def _of_group(group: int) -> list[int]:
    """The processes of a group that are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[2]) == group and words[0] != "Z":
            found.append(int(stat.parent.name))
    return found
