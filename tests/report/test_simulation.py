"""Learning curves are means over seeds, and comparisons are paired."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from grids import made

from rarecase.evaluate.record import RoundRecord
from rarecase.experiment import cells as stored
from rarecase.experiment.cells import Cell
from rarecase.report.simulation import report_of_grid


@pytest.fixture(scope="module")
def grid() -> Path:
    """A grid that has ended; tests leave it as it is."""
    return made()


def read_cells(grid: Path) -> dict[Cell, tuple[RoundRecord, ...]]:
    return {cell: found.rounds for cell, found in stored.read_cells(grid).items()}


def copy_cell(grid: Path, strategy: str, seed: int, name: str, to: int | None = None) -> None:
    """Gives another strategy, or another seed, what this one did."""
    seed_of_copy = seed if to is None else to
    target = grid / "cells" / Cell(name, seed_of_copy).name
    shutil.copytree(grid / "cells" / Cell(strategy, seed).name, target)
    content = json.loads((target / "cell.json").read_text())
    (target / "cell.json").write_text(json.dumps({**content, "strategy": name, "seed": seed_of_copy}))


def test_a_strategy_that_did_what_random_did_differs_by_nothing(tmp_path, grid):
    mine = Path(shutil.copytree(grid, tmp_path / "grid"))
    for seed in (0, 1):
        copy_cell(mine, "random", seed, "twin")
    strategies = report_of_grid(mine)["strategies"]
    difference = strategies["twin"]["difference"]
    assert (difference["macro_f1"], difference["macro_f1_interval"]) == (0, [0, 0])
    assert strategies["twin"]["curve"] == strategies["random"]["curve"]
    assert strategies["cluster"]["difference"]["macro_f1_interval"] != [0, 0]


def test_the_test_rows_that_are_counted_are_those_of_the_first_seed(tmp_path, grid):
    mine = Path(shutil.copytree(grid, tmp_path / "grid", ignore=shutil.ignore_patterns("random-*", "cluster-*")))
    counts = {}
    for seed, to in ((0, 10), (1, 9)):  # whose folders are in the other order
        shutil.copytree(grid / "cells" / Cell("random", seed).name, mine / "cells" / Cell("random", seed).name)
        copy_cell(mine, "random", seed, "random", to)
        shutil.rmtree(mine / "cells" / Cell("random", seed).name)
        [path] = (mine / "cells" / Cell("random", to).name).glob("rounds/00/predictions.parquet")
        counts[to] = np.bincount(stored.read_predictions(path).labels, minlength=6).tolist()
    assert counts[9] != counts[10]
    assert [*report_of_grid(mine)["test_class_counts"].values()] == counts[9]


def test_every_figure_is_the_mean_over_the_seeds(grid):
    cells, found = read_cells(grid), report_of_grid(grid)
    assert found["seeds"] == [0, 1]
    for strategy in ("random", "cluster"):
        records = [cells[Cell(strategy, seed)] for seed in (0, 1)]
        for number, point in enumerate(found["strategies"][strategy]["curve"]):
            measured = [rounds[number].test for rounds in records]
            assert point["macro_f1"] == pytest.approx(np.mean([m["macro_f1"] for m in measured]))
            assert point["accuracy"] == pytest.approx(np.mean([m["accuracy"] for m in measured]))
            for name, mean in point["f1"].items():
                assert mean == pytest.approx(np.mean([m["f1"][name] for m in measured]))
        for name, mean in found["strategies"][strategy]["found"].items():
            assert mean == np.mean([rounds[-1].found[name] for rounds in records])


def test_strategies_are_held_against_each_other_on_the_seeds_that_all_have(tmp_path, grid):
    mine = Path(shutil.copytree(grid, tmp_path / "grid"))
    shutil.rmtree(mine / "cells" / "cluster-1")
    cells, report = read_cells(mine), report_of_grid(mine)
    found = report["strategies"]
    says = "cluster has 1 of 2 runs: the means of each strategy are over its own, differences over the seeds that all"
    assert report["notes"][0] == f"{says} have."
    assert "of 2 runs" not in " ".join(report_of_grid(grid)["notes"])
    expected = [cells[Cell(strategy, 0)][-1].test["macro_f1"] for strategy in ("cluster", "random")]
    assert found["cluster"]["difference"]["macro_f1"] == pytest.approx(expected[0] - expected[1])
    both = [cells[Cell("random", seed)][-1].test["macro_f1"] for seed in (0, 1)]
    assert found["random"]["final"]["macro_f1"] == pytest.approx(np.mean(both))


def test_few_seeds_are_said_so_for_their_intervals_are_too_narrow(tmp_path, grid):
    assert "With 2 seeds intervals are too narrow" in report_of_grid(grid)["notes"][0]
    mine = Path(shutil.copytree(grid, tmp_path / "grid"))
    shutil.rmtree(mine / "cells" / "cluster-1")
    assert "Where there is one seed, intervals reflect the test rows alone" in report_of_grid(mine)["notes"][1]
    for path in (mine / "cells").glob("cluster-*"):
        shutil.rmtree(path)
    for seed in range(2, 5):
        copy_cell(mine, "random", 0, "random", seed)
    assert not [note for note in report_of_grid(mine)["notes"] if "seed" in note]


def test_a_grid_of_one_strategy_or_without_a_done_cell_has_a_report(tmp_path, grid):
    mine = Path(shutil.copytree(grid, tmp_path / "grid"))
    for path in (mine / "cells").glob("random-*"):
        shutil.rmtree(path)
    assert "difference" not in report_of_grid(mine)["strategies"]["cluster"]
    shutil.rmtree(mine / "cells")
    assert report_of_grid(mine)["strategies"] == {}


def test_intervals_stand_beside_what_was_found_and_beside_f1_at_the_end(tmp_path, grid):
    for found in report_of_grid(grid)["strategies"].values():
        for name, mean in found["found"].items():
            low, high = found["found_interval"][name]
            assert low <= mean <= high
        assert any(low < high for low, high in found["found_interval"].values())
        for name, mean in found["final"]["f1"].items():
            low, high = found["final"]["f1_interval"][name]
            assert low <= mean <= high
    mine = Path(shutil.copytree(grid, tmp_path / "grid"))
    for path in (mine / "cells").glob("*-1"):
        shutil.rmtree(path)
    alone = report_of_grid(mine)["strategies"]["cluster"]
    assert set(alone["found_interval"].values()) == {None}  # one seed says nothing of others


def test_a_rare_example_costs_the_labels_over_the_examples_found(tmp_path, grid):
    """By the figures of the cells; the interval is that of the share that was found, turned over."""
    least, cells = report_of_grid(grid)["rarest"], read_cells(grid)
    for strategy, found in report_of_grid(grid)["strategies"].items():
        last = [cells[Cell(strategy, seed)][-1] for seed in (0, 1)]
        total = sum(record.found[least] for record in last)
        expected = sum(record.labels for record in last) / total if total else None
        assert found["cost_per_rare"] == pytest.approx(expected)


def rewrite(grid: Path, strategy: str, rare: dict[int, int], least: str) -> None:
    """Gives each seed of a strategy so many examples of the rarest class, of 8 labels."""
    for seed, number in rare.items():
        path = grid / "cells" / Cell(strategy, seed).name / "cell.json"
        content = json.loads(path.read_text())
        content["rounds"][-1] |= {"labels": 8, "found": {**content["rounds"][-1]["found"], least: number}}
        path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("rare", "cost", "interval"),
    [
        ({0: 4, 1: 4}, 2.0, [2.0, 2.0]),
        ({0: 2, 1: 4}, 16 / 6, [2.0, 4.0]),
        ({0: 0, 1: 4}, 4.0, [2.0, None]),  # seeds that found none can be drawn
        ({0: 0, 1: 0}, None, None),
    ],
)
def test_what_a_rare_example_costs_with_its_interval_over_the_seeds(tmp_path, grid, rare, cost, interval):
    mine, least = Path(shutil.copytree(grid, tmp_path / "grid")), report_of_grid(grid)["rarest"]
    rewrite(mine, "cluster", rare, least)
    found = report_of_grid(mine)["strategies"]["cluster"]
    assert found["cost_per_rare"] == (cost and pytest.approx(cost))
    assert found["cost_per_rare_interval"] == (interval and pytest.approx(interval))


def test_one_seed_says_nothing_of_what_others_would_cost(tmp_path, grid):
    mine, least = Path(shutil.copytree(grid, tmp_path / "grid")), report_of_grid(grid)["rarest"]
    rewrite(mine, "cluster", {0: 4}, least)
    shutil.rmtree(mine / "cells" / "cluster-1")
    found = report_of_grid(mine)["strategies"]["cluster"]
    assert (found["cost_per_rare"], found["cost_per_rare_interval"]) == (2.0, None)
