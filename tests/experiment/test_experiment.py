"""Experiments on a release: what each setting learns from, how a grid grows, and what one bad cell does."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import experiments
import numpy as np
import pytest
import small
import tiny_models
import torch
from experiments import CONTRADICTIONS, HUMAN, VARIATIONS, cells, command_of
from safetensors.torch import load_file, save_file
from small import NAMES

from rarecase.cli.main import command
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.data.counts import class_counts
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import conform

START = small.ROWS["bootstrap"]
FAST = {"learner": "finetune", "updates": 4, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return experiments.write(tmp_path_factory.mktemp("release") / "data")


@pytest.fixture(scope="module")
def tiny():
    """Two tiny models that are no more than their names."""
    made = tiny_models.made()
    return [str(made[name]) for name in ("google-bert/bert-base-cased", "distilbert/distilbert-base-cased")]


def ran(data, out, **flags):
    """The experiment's folder, once the command has ended well."""
    assert command(command_of(data, out, **flags)) == 0
    return out


def record(out, name):
    return json.loads((out / "cells" / name / "cell.json").read_text())


def test_each_setting_learns_from_what_it_says(release, tmp_path):
    settings = "bootstrap,human,human+llm,human+weights,human+cheap"
    out = ran(release, tmp_path / "e", learner="frozen", models="packaged", settings=settings, class_weights="none")
    found = experiments.splits()
    start, cluster = class_counts(found["bootstrap"], NAMES), found["cluster"]
    human = class_counts(rows(cluster, range(HUMAN)), NAMES)
    for setting, copies in {"human": 1, "human+llm": 1 + VARIATIONS, "human+weights": 1, "human+cheap": 6}.items():
        told = record(out, f"packaged-cluster-{setting}-0")
        assert told["train_rows"] == START + copies * HUMAN
        assert told["class_counts"] == {name: start[name] + copies * human[name] for name in NAMES}  # the parents'
    assert record(out, "packaged-bootstrap-bootstrap-0")["train_rows"] == START
    weights = {s: record(out, f"packaged-cluster-{s}-0")["fit"]["class_weights"] for s in ("human", "human+weights")}
    assert weights == {"human": None, "human+weights": "balanced"}
    assert "no variations to learn from" in record(out, "packaged-entropy-human+llm-0")["error"]
    assert len([*(out / "cells").iterdir()]) == 1 + 2 * 4
    predicted = read_parquet(out / "cells" / "packaged-cluster-human-0" / "predictions.parquet")
    assert predicted.column_names == ["id", "label", "probs", "split"]
    assert predicted["id"][:] == [*found["dev"]["id"][:], *found["test"]["id"][:]]
    assert matrix(predicted, "probs").shape == (small.ROWS["dev"] + small.ROWS["test"], len(NAMES))


@pytest.mark.parametrize("stored", ["published", "consistent"])
@pytest.mark.parametrize("asked", ["published", "consistent"])
def test_either_reading_comes_out_of_a_release_of_either(stored, asked, tmp_path):
    found = experiments.splits()
    data = experiments.write(tmp_path / "data", {n: found[n] for n in ("bootstrap", "dev", "test", "cluster")}, stored)
    common = {"learner": "frozen", "models": "packaged", "settings": "human"}
    out = ran(data, tmp_path / "e", reading=asked, **common)
    split = read_parquet(out / "splits" / "cluster.parquet")
    written, label, other = (
        np.array(c) for c in (found["cluster"]["label"][:], split["label"][:], split["reading"][:])
    )
    moved = np.flatnonzero(label != written)
    assert moved.tolist() == ([] if stored == asked else list(range(CONTRADICTIONS)))
    assert not np.array_equal(label[:CONTRADICTIONS], other[:CONTRADICTIONS])
    assert {*written[:CONTRADICTIONS]} <= {*label[:CONTRADICTIONS], *other[:CONTRADICTIONS]}
    assert set(other[CONTRADICTIONS:]) == {None}
    counts = class_counts(rows(split, range(HUMAN)), NAMES)
    start = class_counts(found["bootstrap"], NAMES)
    assert record(out, "packaged-cluster-human-0")["class_counts"] == {n: start[n] + counts[n] for n in NAMES}


def test_a_release_of_one_reading_refuses_to_be_read_in_another(tmp_path, capsys):
    import releases

    data = releases.write(tmp_path / "data")
    out = ran(
        data, tmp_path / "e", learner="frozen", models="packaged", settings="bootstrap,human", reading="published"
    )
    assert record(out, "packaged-cluster-human-0")["error"] == (
        "cluster: its labels have one reading only; leave --reading out"
    )
    assert "error" not in record(out, "packaged-bootstrap-bootstrap-0")


def test_a_grid_grows_and_comes_to_what_the_whole_comes_to(release, tiny, tmp_path):
    small_one = {**FAST, "settings": "human", "models": tiny[0], "strategies": "entropy"}
    out = ran(release, tmp_path / "grown", **small_one)
    before = {path: path.stat().st_mtime_ns for path in (out / "cells").rglob("*")}
    assert len(before) == 3
    assert record(out, "bert-base-cased-entropy-human-0")["fit"]["max_length"] == 50  # the paper's
    large = {**FAST, "settings": "bootstrap,human", "models": ",".join(tiny), "seeds": 2}
    ran(release, out, **large)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    whole = cells(ran(release, tmp_path / "whole", **large))
    assert cells(out) == whole
    assert len(whole) == 2 * (2 * 2 * (1 + 2))
    one, other = (
        read_parquet(out / "cells" / f"bert-base-cased-cluster-human-{seed}" / "predictions.parquet")
        for seed in (0, 1)
    )
    assert not np.array_equal(matrix(one, "probs"), matrix(other, "probs"))


def test_shards_put_together_are_the_whole(release, tiny, tmp_path):
    flags = {**FAST, "settings": "bootstrap,human+llm,human+cheap", "models": tiny[0], "strategies": "cluster"}
    parts = [cells(ran(release, tmp_path / str(n), **flags, shard=f"{n}/2")) for n in (1, 2)]
    assert not set(parts[0]) & set(parts[1])
    assert parts[0] | parts[1] == cells(ran(release, tmp_path / "whole", **flags))


def test_nothing_that_learns_sees_source_id_or_order(tiny, tmp_path):
    def scrambled(table, seed):
        order = np.random.default_rng(seed).permutation(len(table))
        renamed = {id_: f"x{place}" for place, id_ in enumerate(table["id"][:])}
        table = with_column(table, "id", [renamed[id_] for id_ in table["id"][:]])
        table = with_column(table, "parent_id", [id_ and renamed[id_] for id_ in table["parent_id"][:]])
        table = with_column(table, "source", ["elsewhere"] * len(table))
        return conform(rows(table, order), NAMES)

    found = experiments.splits()
    data = [experiments.write(tmp_path / "plain" / "data", found)]
    data += [
        experiments.write(tmp_path / "other" / "data", {n: scrambled(t, i) for i, (n, t) in enumerate(found.items())})
    ]
    for kind in ({**FAST, "models": tiny[0]}, {"learner": "frozen", "models": "packaged"}):
        flags = {**kind, "settings": "bootstrap,human+llm,human+cheap", "strategies": "cluster"}
        one, other = (ran(d, d.parent / kind["learner"], **flags) for d in data)
        assert (probs := _by_text(one)) == _by_text(other)
        assert len(probs) == 3


def _by_text(out: Path) -> dict[str, dict[str, bytes]]:
    """By cell, the probabilities of each test text."""
    test = read_parquet(out / "test.parquet")
    text = dict(zip(test["id"][:], test["text"][:], strict=True))
    found = {}
    for place in sorted((out / "cells").iterdir()):
        table = read_parquet(place / "predictions.parquet")
        kept = rows(table, [row for row, split in enumerate(table["split"][:]) if split == "test"])
        probs = matrix(kept, "probs")
        found[place.name] = {text[id_]: probs[row].tobytes() for row, id_ in enumerate(kept["id"][:])}
    return found


# What is asked of a grid that was begun with one cell, and what it is told.
CHANGED = {
    "learning rate": ({"learning_rate": 5e-4}, "was begun with --learning-rate 0.001, not 0.0005"),
    "reading": ({"reading": "consistent"}, "was begun without --reading, not consistent"),
    "seed": ({"seed": 1}, "was begun with --seed 0, not 1"),
    "weights": ({"class_weights": "sqrt"}, "was begun without --class-weights, not sqrt"),
}


@pytest.fixture
def begun(release, tiny, tmp_path):
    """A grid of one cell, and how it was begun."""
    data, model = tmp_path / "data", tmp_path / "model"
    shutil.copytree(release, data)
    shutil.copytree(tiny[0], model)
    flags = {**FAST, "settings": "human", "models": str(model), "strategies": "entropy"}
    return ran(data, tmp_path / "e", **flags), data, flags


def refused(data, out, capsys, **flags):
    """What is said, in one line, once it is refused; nothing in the folder has changed."""
    capsys.readouterr()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert command(command_of(data, out, **flags)) == 2
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1, said
    return said[0]


@pytest.mark.parametrize("name", CHANGED)
def test_other_settings_are_refused(name, begun, capsys):
    out, data, flags = begun
    changes, says = CHANGED[name]
    assert says in refused(data, out, capsys, **{**flags, **changes})


def test_a_setting_that_an_older_grid_does_not_know_had_its_default(begun, capsys):
    out, data, flags = begun
    run = json.loads((out / "run.json").read_text())
    del run["settings"]["class_weights"]
    (out / "run.json").write_text(json.dumps(run))
    says = "was begun without --class-weights, not none"
    assert says in refused(data, out, capsys, **{**flags, "class_weights": "none"})


def test_a_release_that_was_written_anew_since_is_refused_where_it_differs(begun, capsys):
    out, data, flags = begun
    found = experiments.splits()
    shutil.rmtree(data)
    assert command(command_of(data, out, **flags)) == 0  # finished cells need the stored copy alone
    assert f"warning: --data {data} cannot be read any more; going on with" in capsys.readouterr().err
    experiments.write(data, found)
    assert command(command_of(data, out, **flags)) == 0
    shutil.rmtree(data)
    order = [1, 0, *range(2, len(found["entropy"]))]
    labels = rows(found["entropy"], order)["label"][:]
    changed = with_column(found["entropy"], "label", labels, found["entropy"].features["label"])
    assert changed["label"][:] != found["entropy"]["label"][:]
    experiments.write(data, {**found, "entropy": changed})
    assert "holds is not what it was begun with (splits/entropy)" in refused(data, out, capsys, **flags)


def test_other_data_and_other_models_are_refused(begun, capsys):
    out, data, flags = begun
    split = out / "splits" / "entropy.parquet"
    kept = split.read_bytes()
    split.write_bytes((data / "cluster" / "train.parquet").read_bytes())
    assert "its tables or its taxonomy.yaml are not those it was begun with" in refused(data, out, capsys, **flags)
    split.write_bytes(kept)

    found = experiments.splits()
    shutil.rmtree(data)
    experiments.write(data, {**found, "test": rows(found["test"], range(30))})
    grown = {**flags, "strategies": "entropy,cluster"}
    assert "is not what it was begun with (test)" in refused(data, out, capsys, **grown)

    config = Path(flags["models"]) / "config.json"
    config.write_text(config.read_text().replace("0.1", "0.2"))
    assert "holds is not what it was begun with" in refused(data, out, capsys, **flags)


WRONG = {
    "no data": ({"data": "nowhere"}, "nowhere: no such file or folder"),
    "no strategies": ({"strategies": " "}, "--strategies  : expected configs"),
    "a misspelt strategy": ({"strategies": "entropy,clustr"}, "no config 'clustr'; there are bootstrap, "),
    "what was meant": ({"strategies": "clustr"}, "; did you mean 'cluster'?"),
    "the start as strategy": ({"strategies": "bootstrap"}, "--strategies bootstrap: expected configs"),
    "setting": ({"settings": "humans"}, "--settings 'humans': expected any of bootstrap, human,"),
    "no models": ({"models": ","}, "--models ',': expected models with different names"),
    "models of one name": ({"models": "./b,b"}, "expected models with different names"),
    "seeds": ({"seeds": 0}, "--seeds 0: expected 1 to 1,000"),
    "shard": ({"shard": "3/2"}, "--shard 3/2: expected I/N with I from 1 to N"),
    "shard, no number": ({"shard": "a"}, "--shard a: expected I/N"),
    "no effect": ({"learner": "frozen", "updates": 3}, "--updates has no effect beside --learner frozen"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_flag_is_one_line_and_leaves_nothing(name, release, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    changes, says = WRONG[name]
    flags = {"data": release, "learner": "frozen", "models": "packaged", **changes}
    assert command(command_of(flags.pop("data"), tmp_path / "e", **flags)) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1), said.err
    assert says in said.err
    assert not (tmp_path / "e").exists()


def spoilt(model: str, folder: Path, **config: int) -> str:
    """A copy of a model with another configuration, or where none is given, with a weight that is not a number."""
    shutil.copytree(model, folder)
    if config:
        said = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**said, **config}))
    else:
        weights = load_file(folder / "model.safetensors")
        next(value for name, value in weights.items() if "word_embeddings" in name).fill_(torch.nan)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return str(folder)


def test_bad_cells_are_rows_and_lines_and_stop_no_other(tiny, tmp_path):
    found = experiments.splits()
    strange = conform(with_column(found["entropy"], "label", [0] * HUMAN), ["weather", "sport"])
    data = experiments.write(tmp_path / "data", {**found, "strange": strange})
    models = {
        "huge": spoilt(tiny[0], tmp_path / "huge", intermediate_size=20_000_000),  # 5 GB of weights
        "large": spoilt(
            tiny[0], tmp_path / "large", intermediate_size=3_000_000
        ),  # 0.8 GB, and three times that to learn
        "nan": spoilt(tiny[0], tmp_path / "nan"),
        "nobody--nothing": "nobody/nothing",
        "bert-base-cased": tiny[0],
    }
    flags = {**FAST, "models": ",".join(models.values()), "settings": "bootstrap,human+llm", "precision": "fp32"}
    flags["strategies"] = "cluster,entropy,strange"
    memory = 2 << 30

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))

    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    run = [sys.executable, "-m", "rarecase", *command_of(data, tmp_path / "e", **flags)]
    ended = subprocess.run(run, env=environment, capture_output=True, text=True, preexec_fn=limited)
    assert ended.returncode == 0, ended.stderr
    out = tmp_path / "e"
    reasons = {
        "huge-bootstrap-bootstrap-0": "describes a larger model than its weights are",
        "large-cluster-human+llm-0": "describes a larger model than its weights are",
        "nan-cluster-human+llm-0": "the training loss is not finite",
        "nobody--nothing-bootstrap-bootstrap-0": "nobody/nothing: ",
        "bert-base-cased-entropy-human+llm-0": "no variations to learn from",
        "bert-base-cased-strange-human+llm-0": "is not in the taxonomy",
    }
    lines = ended.stderr.splitlines()
    for name, says in reasons.items():
        assert says in record(out, name)["error"], name
        assert [line for line in lines if line.startswith(f"{name}: ") and says in line], name
    good = {"bert-base-cased-bootstrap-bootstrap-0", "bert-base-cased-cluster-human+llm-0"}
    assert {c.name for c in (out / "cells").iterdir() if "error" not in record(out, c.name)} == good
    assert all((out / "cells" / name / "predictions.parquet").exists() for name in good)
    assert len(lines) <= 2 * len(models) * 5 + 2
    said = ended.stdout + ended.stderr + "".join(p.read_text() for p in out.rglob("*.json"))
    everything = {text for table in found.values() for text in table["text"][:]}
    assert [text for text in everything if text in said] == []

    # The next call tries again what failed, and nothing else.
    before = {path: path.stat().st_mtime_ns for name in good for path in (out / "cells" / name).iterdir()}
    again = ran(data, out, **{**flags, "models": tiny[0]})
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "error" in record(again, "bert-base-cased-strange-human+llm-0")
