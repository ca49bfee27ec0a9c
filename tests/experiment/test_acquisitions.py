"""What one learner acquired, learned from by others: the rows, the seeds, the test sets, and what is lost."""

import json
import shutil

import grids
import numpy as np
import pytest
import tiny_models

from rarecase.cli.main import command
from rarecase.core.errors import RarecaseError
from rarecase.data.arrow import matrix, to_table
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import GENERATED
from rarecase.evaluate.metrics import metrics
from rarecase.experiment.acquisitions import acquired_in
from rarecase.experiment.experiment import experiment
from rarecase.report.transfer import is_of_grids, report_of_transfer, transfer_table
from rarecase.settings.config import ExperimentConfig


@pytest.fixture(scope="module")
def tiny():
    """A tiny model."""
    return str(tiny_models.made()["google-bert/bert-base-cased"])


@pytest.fixture(scope="module")
def grid_folders(tiny, tmp_path_factory):
    """Entropy and random by two encoders, with two seeds, each with two cheap variations of a post."""
    root = tmp_path_factory.mktemp("grids")
    found = []
    for name, model in {"one": "packaged", "two": tiny}.items():
        changes = ["--strategies", "random,entropy", "--generator", "cheap", "--variations", "2", "--model", model]
        changes += ["--policy", "none"]  # two variations of one post may be equal
        (root / f"sets-{name}").mkdir()
        assert command(grids.simulate(root / f"sets-{name}", *changes, "--out", str(root / name))) == 0
        found.append(root / name)
    return found


@pytest.fixture(scope="module")
def folder(grid_folders, tiny, tmp_path_factory):
    """Both models on what both acquired."""
    return experiment(config(grid_folders, tmp_path_factory.mktemp("exp") / "exp", models=f"packaged,{tiny}"))


def config(grid_folders, out, **settings):
    data = ",".join(map(str, grid_folders))
    given = {"learner": "frozen", "models": "packaged", "settings": "bootstrap,human,human+llm", "seeds": 2}
    return ExperimentConfig(data=data, out=out, **{**given, **settings})


def test_a_cell_learns_from_all_that_a_grids_cell_acquired_and_is_measured_on_its_test_set(folder, grid_folders):
    for seed in (0, 1):
        rounds = [grid_folders[1] / "cells" / f"entropy-{seed}" / "rounds" / n for n in ("01", "02")]
        labels = [to_table(read_parquet(round_ / "labels.parquet")).to_pylist() for round_ in rounds]
        split = read_parquet(folder / "seeds" / str(seed) / "entropy@frozen-bert-base-cased.parquet")
        human = [r for r in to_table(split).to_pylist() if r["origin"] != GENERATED]
        assert [(r["text"], r["label"]) for r in human] == [(r["text"], r["label"]) for part in labels for r in part]
        assert len(split) == 3 * len(human) == 3 * 8
        theirs = read_parquet(rounds[0].parent / "00" / "predictions.parquet")
        test = {i for i, s in zip(theirs["id"][:], theirs["split"][:], strict=True) if s == "test"}
        assert set(read_parquet(folder / "seeds" / str(seed) / "test.parquet")["id"][:]) == test
        name = f"packaged-entropy@frozen-bert-base-cased-human+llm-{seed}"
        record = json.loads((folder / "cells" / name / "cell.json").read_text())
        assert record["train_rows"] == 60 + 3 * 8


def test_a_learner_gets_from_its_own_what_it_got_in_its_simulation(folder, grid_folders):
    """The same rows, the same seed: the same figures."""
    for seed in (0, 1):
        theirs = grid_folders[0] / "cells" / f"entropy-{seed}" / "rounds" / "02" / "predictions.parquet"
        ours = folder / "cells" / f"packaged-entropy@frozen-packaged-human+llm-{seed}" / "predictions.parquet"
        one, other = (
            dict(zip(t["id"][:], matrix(t, "probs"), strict=True)) for t in map(read_parquet, (theirs, ours))
        )
        assert one.keys() == other.keys()
        assert all(np.allclose(one[id_], other[id_], atol=1e-3) for id_ in one)


def test_the_report_says_what_is_lost(folder):
    assert is_of_grids(folder)
    found = report_of_transfer(folder)
    assert [note[:40] for note in found["notes"]] == ["With 2 seeds intervals are too narrow, s"]
    assert list(found["strategies"]) == ["entropy", "random"]
    names = ["frozen-bert-base-cased", "frozen-packaged"]
    for strategy, part in found["strategies"].items():
        matrix_ = {(r["setting"], r["acquirer"], r["user"]): r for r in part["matrix"]}
        assert set(matrix_) == {(s, a, u) for s in ("human", "human+llm") for a in names for u in names}
        for (setting, acquirer, user), row in matrix_.items():
            assert row["seeds"] == [0, 1]
            means = [_macro_f1(folder, f"{user[7:]}-{strategy}@{acquirer}-{setting}-{seed}") for seed in (0, 1)]
            assert row["macro_f1"] == pytest.approx(np.mean(means))
            assert row["macro_f1_interval"][0] <= row["macro_f1"] <= row["macro_f1_interval"][1]
        assert len(part["lost"]) == 4
        for row in part["lost"]:
            own, other = (
                matrix_[row["setting"], by, row["user"]]["macro_f1"] for by in (row["user"], row["acquirer"])
            )
            assert row["acquirer"] != row["user"]
            assert row["lost"] == pytest.approx(own - other)
            assert row["lost_interval"][0] <= row["lost_interval"][1]
    # What random draws hangs on no learner: nothing is lost, with any resample.
    assert all(row["lost_interval"] == [0, 0] for row in found["strategies"]["random"]["lost"])
    header, rows, *_ = transfer_table(found)
    assert {len(row) for row in rows} == {len(header)}
    assert len(rows) == 16


def _macro_f1(folder, cell):
    table = read_parquet(folder / "cells" / cell / "predictions.parquet")
    test = np.array(table["split"][:]) == "test"
    labels, guesses = matrix(table, "label")[test], matrix(table, "probs")[test].argmax(axis=1)
    return metrics(labels, guesses, table.features["label"].names)["macro_f1"]


def test_it_grows_by_seeds_and_says_which_a_grid_lacks(grid_folders, tmp_path, capsys):
    settings = {"settings": "human", "strategies": "entropy@frozen-packaged"}
    out = experiment(config(grid_folders[:1], tmp_path / "exp", seeds=1, **settings))
    before = {path: path.stat().st_mtime_ns for path in (out / "cells").rglob("*")}
    experiment(config(grid_folders[:1], tmp_path / "exp", seeds=3, **settings))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    reason = "has no finished cell of entropy with seed 2; simulate it, or ask for others"
    assert (
        reason
        in json.loads((out / "cells" / "packaged-entropy@frozen-packaged-human-2" / "cell.json").read_text())["error"]
    )
    assert [line for line in capsys.readouterr().err.splitlines() if line.endswith(reason)]


def test_of_one_cell_no_other_is_read(tmp_path):
    """A grid of a thousand cells would else be read a thousand times."""
    grid = tmp_path / "grid"
    shutil.copytree(grids.made(), grid)
    before = acquired_in(grid, "random", 1).to_dict()
    (grid / "cells" / "random-0" / "cell.json").write_text("damaged")
    assert acquired_in(grid, "random", 1).to_dict() == before


def test_what_does_not_go_together_is_said(grid_folders, tmp_path):
    one, copy = grid_folders[0], tmp_path / "copy"
    shutil.copytree(one, copy)
    for data, says, settings in (
        ((one, tmp_path), "no folder of a simulation, as", {}),
        ((one, copy), "both have", {}),
        ((one,), "--reading: the labels of a simulation have one reading only", {"reading": "published"}),
        ((one,), "--leave-out-overlap: no test text", {"leave_out_overlap": True}),
        (
            (one,),
            "the grids have .*; did you mean 'entropy@frozen-packaged'",
            {"strategies": "entrpy@frozen-packaged"},
        ),
    ):
        with pytest.raises(RarecaseError, match=says):
            experiment(config(data, tmp_path / "exp", **settings))
    assert not (tmp_path / "exp").exists()


def test_variations_that_no_simulation_made_are_missed_before_anything_is_trained(tmp_path):
    with pytest.raises(RarecaseError, match=r"--settings human\+llm: these simulations made no variations"):
        experiment(config([grids.made()], tmp_path / "exp"))
    assert not (tmp_path / "exp").exists()
