"""Several processes: they come to what one comes to, only the main one acts, and none is left waiting."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import releases
import small
import tiny_models
from endpoint import Server
from launched import ENVIRONMENT, ended, launched
from safetensors.numpy import load_file

from rarecase.cli.main import command
from rarecase.data.arrow import matrix
from rarecase.data.parquet import read_parquet

from . import fits

BIN = Path(sys.executable).parent
# The gradient of a key's bias is zero but for rounding, of which AdamW makes whole steps; no output depends on it.
WITHOUT_GRADIENT = "key.bias"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny BERT without dropout."""
    folder = tiny_models.write("google-bert/bert-base-cased", tmp_path_factory.mktemp("models") / "still")
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return releases.write(tmp_path_factory.mktemp("release") / "data")


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_several_processes_come_to_the_weights_of_one_and_survive_what_fails_in_each(model, tmp_path, processes):
    started = launched([str(Path(fits.__file__))], [model, str(tmp_path)], cwd=tmp_path, processes=processes)
    (status, said, errors), *others = ended(started)
    assert status == 0, errors
    assert [other[0] for other in others] == [0] * len(others), others
    kinds = {name: "" if name == fits.OF_USER else "MemoryError: " for name in fits.FAULTS}
    assert said.splitlines() == [f"{kind}none left for {name}" for name, kind in kinds.items()]
    alone = fits.all_sets(model)
    assert json.loads((tmp_path / "updates.json").read_text()) == {place: steps for place, (steps, _) in alone.items()}
    for place, (_, weights) in alone.items():
        found = load_file(tmp_path / f"{place}.safetensors")
        assert found.keys() == weights.keys()
        far = {n: float(np.abs(found[n] - w.numpy()).max()) for n, w in weights.items() if WITHOUT_GRADIENT not in n}
        assert max(far.values()) < 1e-5, max(far, key=lambda name: far[name])


def test_only_the_main_process_writes_labels_and_generates(model, tmp_path):
    """The other is told of no command, folder or endpoint, and the system lets it write nothing."""
    with Server() as server:
        flags = {"generator": "openai", "generator-url": server.url, "generator-model": "words", "variations": 2}
        flags |= {"annotator": "gold", "strategy": "entropy", "budget": 4, "batch": 2, "learner": "finetune"}
        flags |= {"model": model, "updates": 4, "learning-rate": 1e-3, "precision": "fp32"}
        run = ["run", *small.write(tmp_path), *(part for name, v in flags.items() for part in (f"--{name}", str(v)))]
        (tmp_path / "elsewhere").mkdir()
        started = launched(["-m", "rarecase"], [*run, "--out", str(tmp_path / "two")], cwd=tmp_path / "elsewhere")
        main, other = ended(started)
        assert main[0] == 0, main
        assert other == (0, "", "")
        assert [*(tmp_path / "elsewhere").iterdir()] == []
        assert len(server.asked) == len(set(server.asked)) == 4
        assert command([*run, "--out", str(tmp_path / "one")]) == 0
    for stage in ("chosen", "labels", "variations"):
        for number in ("01", "02"):
            one, two = (tmp_path / n / "rounds" / number / f"{stage}.parquet" for n in ("one", "two"))
            assert read_parquet(one)["text"][:] == read_parquet(two)["text"][:], (number, stage)
    one, two = (read_parquet(tmp_path / n / "rounds" / "02" / "predictions.parquet") for n in ("one", "two"))
    assert np.allclose(matrix(one, "probs"), matrix(two, "probs"), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["--learning-rate", "1e9"], "the training loss is not finite"),
        (["--no-such-flag", "1"], "rarecase: Unknown option: --no-such-flag"),
    ],
)
def test_what_fails_in_two_processes_is_one_line_and_leaves_none_waiting(changes, says, model, release, tmp_path):
    train = ["train", str(release), "--config-name", "bootstrap", "--learner", "finetune", "--updates", "8"]
    given = {"--model": model, changes[0]: changes[1], "--out": str(tmp_path / "out")}
    started = launched(["-m", "rarecase"], [*train, *(part for flag in given.items() for part in flag)], cwd=tmp_path)
    main, other = ended(started)
    assert (main[0], main[1], len(main[2].splitlines())) == (2, "", 1), main
    assert says in main[2]
    assert other == (0, "", "")
    assert not (tmp_path / "out").exists()


OWN = """
import sys
from datasets import ClassLabel, Dataset, Features, Value
from rarecase.learn import make_learner
from rarecase.learn.hyperparameters import FitOptions

features = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b"])})
table = Dataset.from_dict({"text": ["one", "two"], "label": [0, 1]}, features=features)
make_learner("finetune", sys.argv[1], ["a", "b"], FitOptions(epochs=1), seed=0).fit(table, table)
"""


def test_a_script_that_fits_in_every_process_is_told_so_and_ends(model, tmp_path):
    main, other = ended(launched(["-c", OWN], [model], helpers=[model], cwd=tmp_path))
    assert main[0] != 0
    assert other[0] == 1
    told = "only the main process fits; the others call rarecase.learn.workers.serve()"
    assert other[2].splitlines()[-1].endswith(f"ConfigError: {told}")


LAUNCHERS = {
    "accelerate": ["accelerate", "launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"],
    "torchrun": ["torchrun", "--standalone", "--nproc_per_node", "2"],
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launcher_ends_a_script_that_fits_in_every_process(launcher, model, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    name, *flags = LAUNCHERS[launcher]
    started = [BIN / name, *flags, str(tmp_path / "own.py"), model]
    done = subprocess.run(started, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode != 0
    assert "ConfigError: only the main process fits" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_launchers_start_two_and_a_killed_main_process_ends_the_other(launcher, model, release, tmp_path):
    name, *flags = LAUNCHERS[launcher]
    train = [BIN / name, *flags, "-m", "rarecase", "train", str(release), "--config-name", "bootstrap"]
    train += ["--learner", "finetune", "--model", model, "--out", str(tmp_path / "out"), "--updates"]
    done = subprocess.run([*train, "9"], env=ENVIRONMENT, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained on 60 texts") == 1

    endless = [*train[:-1], "--epochs", "1000000", "--learning-rate", "1e-9", "--precision", "fp32"]
    endless[endless.index(str(tmp_path / "out"))] = str(tmp_path / "endless")
    process = subprocess.Popen(endless, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        workers = _workers_of(process.pid)
        os.kill(workers[0], signal.SIGKILL)
        assert process.wait(timeout=60) != 0
        assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []
    finally:
        process.kill()


def _workers_of(launcher: int) -> list[int]:
    """The two that it started, by rank, once both compute."""
    for _ in range(600):
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                words = stat.read_text().rpartition(")")[2].split()
                if int(words[1]) == launcher and int(words[11]) > 300:  # three seconds of work
                    environ = (stat.parent / "environ").read_bytes().split(b"\0")
                    found |= {int(w[5:]): int(stat.parent.name) for w in environ if w.startswith(b"RANK=")}
        if len(found) == 2:
            return [found[0], found[1]]
        time.sleep(0.1)
    raise AssertionError("the two processes never began")
