"""`rarecase simulate`: strategies and seeds with hidden labels; the same command goes on, and a grid grows."""

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest
import small
from grids import made, simulate
from small import NAMES

from rarecase.cli.main import command
from rarecase.data.arrow import rows
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.data.schema import GENERATED
from rarecase.experiment.cells import Cell, read_cells

CELLS = [Cell(strategy, seed) for strategy in ("cluster", "random") for seed in (0, 1)]


@pytest.fixture(scope="module")
def grid() -> Path:
    """A grid that has ended; tests leave it as it is."""
    return made()


@pytest.fixture
def mine(tmp_path, grid) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(grid, tmp_path / "grid"))


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (folder / "cells").rglob("*")}


def measured_on(folder: Path, cell: Cell) -> list[str]:
    table = read_parquet(folder / "cells" / cell.name / "rounds" / "00" / "predictions.parquet")
    return [row["id"] for row in table.select_columns(["id", "split"]) if row["split"] == "test"]


def test_the_json_has_a_curve_what_was_found_and_the_difference_to_random(grid, capsys):
    assert command(["report", str(grid), "--format", "json"]) == 0
    strategies = json.loads(capsys.readouterr().out)["strategies"]
    assert set(strategies) == {"random", "cluster"}
    for name, found in strategies.items():
        assert [point["labels"] for point in found["curve"]] == [0, 4, 8]
        for point in [*found["curve"], found["final"]]:
            low, high = point["macro_f1_interval"]
            assert 0 <= low < point["macro_f1"] < high <= 100
        assert found["final"]["macro_f1"] == found["curve"][-1]["macro_f1"]
        assert list(found["found"]) == list(NAMES)
        assert sum(found["found"].values()) == 8
        assert ("difference" in found) == (name != "random")
    difference = strategies["cluster"]["difference"]
    expected = strategies["cluster"]["final"]["macro_f1"] - strategies["random"]["final"]["macro_f1"]
    assert difference["macro_f1"] == pytest.approx(expected)
    assert difference["macro_f1_interval"][0] <= difference["macro_f1"] <= difference["macro_f1_interval"][1]


def test_a_grid_that_has_ended_is_left_as_it_is_and_says_the_same(mine, grid, capsys):
    before = times(mine)
    said = []
    for _ in range(2):
        assert command([*simulate(grid.parent, "--out", str(mine)), "--format", "json"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert times(mine) == before


@pytest.mark.parametrize(
    ("flag", "value", "new"),
    [("--seeds", "3", [Cell("cluster", 2), Cell("random", 2)]), ("--strategies", "coreset", [Cell("coreset", 0)])],
)
def test_a_grid_grows_by_the_cells_that_are_new(mine, grid, flag, value, new):
    before, change = times(mine), [flag, value, *(["--seeds", "1"] if flag == "--strategies" else [])]
    assert command(simulate(grid.parent, *change, "--out", str(mine))) == 0
    assert sorted(read_cells(mine), key=repr) == sorted([*CELLS, *new], key=repr)
    after = times(mine)
    assert {path: after[path] for path in before} == before


def test_the_test_set_is_drawn_anew_for_each_seed_and_shares_no_post_with_the_pool(grid):
    cells = read_cells(grid)
    assert set(cells) == set(CELLS)
    for seed in (0, 1):
        one, other = (measured_on(grid, Cell(strategy, seed)) for strategy in ("random", "cluster"))
        assert one == other
        assert len(set(one)) == 30
        for strategy in ("random", "cluster"):
            chosen = [id_ for round_ in cells[Cell(strategy, seed)].rounds for id_ in round_.chosen]
            assert len(set(chosen)) == 8
            assert not set(chosen) & set(one)
    assert set(measured_on(grid, Cell("random", 0))) != set(measured_on(grid, Cell("random", 1)))


def test_a_cell_keeps_what_it_chose_and_predicted_and_no_copy_of_pool_or_encoder(grid):
    cell = grid / "cells" / "cluster-0"
    kept = {str(path.relative_to(cell)) for path in cell.rglob("*") if path.is_file()}
    stages = {1: ("scores", "chosen", "labels", "variations", "predictions"), 0: ("predictions",)}
    expected = {f"rounds/{n:02d}/{stage}.parquet" for n in range(3) for stage in stages[min(n, 1)]}
    assert kept == {"cell.json", *expected, *(f"rounds/{n:02d}/metrics.json" for n in range(3))}
    scores = read_parquet(cell / "rounds" / "01" / "scores.parquet")
    assert scores.column_names == ["id", "probs"]


def test_with_a_test_set_given_every_seed_is_measured_on_it_and_a_cell_is_what_a_run_of_its_seed_is(tmp_path):
    sets = small.write(tmp_path)
    sizes = ["--budget", "4", "--batch", "4", "--generator", "none"]
    grid, run = tmp_path / "grid", tmp_path / "run"
    several = ["--strategies", "random,cluster", "--seeds", "2", "--seed", "5"]
    assert command(["simulate", *sets, *sizes, *several, "--out", str(grid)]) == 0
    assert (
        measured_on(grid, Cell("random", 5)) == measured_on(grid, Cell("cluster", 6)) == small.table("test")["id"][:]
    )
    single = ["--strategy", "cluster", "--seed", "6", "--annotator", "gold"]
    assert command(["run", *sets, *sizes, *single, "--out", str(run)]) == 0
    assert small.files(run / "rounds") == small.files(grid / "cells" / "cluster-6" / "rounds")


@pytest.mark.parametrize(("flag", "value"), [("--budget", "9"), ("--seed", "1"), ("--test-size", "31")])
def test_other_settings_are_refused_by_the_name_of_their_flag(grid, capsys, flag, value):
    before = small.files(grid), (grid / "config.yaml").read_text()
    assert command(simulate(grid.parent, flag, value, "--out", str(grid))) == 2
    assert f"was begun with {flag}" in capsys.readouterr().err
    assert (small.files(grid), (grid / "config.yaml").read_text()) == before


def test_a_setting_that_an_older_grid_does_not_know_had_its_default(mine, grid, capsys):
    run = json.loads((mine / "run.json").read_text())
    del run["settings"]["class_weights"]
    (mine / "run.json").write_text(json.dumps(run))
    assert command(simulate(grid.parent, "--class-weights", "none", "--out", str(mine))) == 2
    assert "was begun without --class-weights, not none" in capsys.readouterr().err
    assert command(simulate(grid.parent, "--out", str(mine))) == 0


def test_a_grid_whose_tables_or_settings_were_edited_is_refused(mine, grid, capsys):
    config = (mine / "config.yaml").read_text()
    (mine / "config.yaml").write_text(config.replace("budget: 8", "budget: 12"))
    assert command(simulate(grid.parent, "--budget", "12", "--out", str(mine))) == 2
    assert "was begun with --budget 8, not 12" in capsys.readouterr().err
    gold = read_parquet(mine / "gold.parquet")
    write_parquet(mine / "gold.parquet", rows(gold, range(len(gold) - 1, -1, -1)))
    assert command(simulate(grid.parent, "--out", str(mine))) == 2
    assert "its tables or its taxonomy.yaml are not those it was begun with" in capsys.readouterr().err


def test_a_pool_without_labels_or_a_test_set_that_is_all_of_it_is_refused(tmp_path, capsys):
    out = ["--out", str(tmp_path / "grid")]
    assert command(simulate(tmp_path, "--test-size", "90", *out)) == 2
    assert "--test-size 90: expected fewer than the 90 rows of the pool" in capsys.readouterr().err
    unlabelled = simulate(tmp_path, *out)
    lines = (tmp_path / "pool.csv").read_text(encoding="utf-8").replace("id,text,label", "id,text,topic", 1)
    (tmp_path / "pool.csv").write_text(lines, encoding="utf-8")
    assert command(unlabelled) == 2
    assert "simulate: the pool has no labels; name their --label-column" in capsys.readouterr().err
    assert not (tmp_path / "grid").exists()


def pool_of(folder: Path, *names: str, origin: str = "", said: str = "") -> None:
    """The posts of these sets as further rows of the pool, under ids of their own."""
    rows = [row for name in names for row in csv.DictReader((folder / f"{name}.csv").open(encoding="utf-8"))]
    more = [{**row, "id": f"more-{row['id']}", "text": said + row["text"], "origin": origin} for row in rows]
    with (folder / "pool.csv").open(encoding="utf-8", newline="") as file:
        lines = [{**row, "origin": ""} for row in csv.DictReader(file)]
    with (folder / "pool.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0].keys())
        writer.writeheader()
        writer.writerows([*lines, *more])


def test_what_a_model_wrote_is_neither_drawn_nor_chosen(tmp_path, capsys):
    flags = simulate(tmp_path, "--strategies", "random", "--seeds", "1", "--out", str(tmp_path / "grid"))
    pool_of(tmp_path, "pool", origin=GENERATED, said="In other words, and rather more of them than before: ")
    assert command(flags) == 0
    assert "pool: 180 read, 90 generated, 90 kept" in capsys.readouterr().err
    people = set(small.table("pool")["id"][:])
    cell = Cell("random", 0)
    chosen = [id_ for round_ in read_cells(tmp_path / "grid")[cell].rounds for id_ in round_.chosen]
    assert set(chosen) | set(measured_on(tmp_path / "grid", cell)) <= people


def test_what_stands_in_the_start_set_or_dev_is_in_no_test_set_and_is_counted(tmp_path, capsys):
    flags = simulate(tmp_path, "--strategies", "random", "--seeds", "1", "--out", str(tmp_path / "grid"))
    pool_of(tmp_path, "bootstrap", "dev", said=" ")
    assert command(flags) == 0
    said = capsys.readouterr().err
    assert "pool: 180 read, 90 elsewhere, 90 kept" in said
    assert said.count("seed 0: 30 drawn as test set, 60 left; dropped: 0 duplicates, 0 near-duplicates, 0 in") == 1
    assert set(measured_on(tmp_path / "grid", Cell("random", 0))) <= set(small.table("pool")["id"][:])


def test_a_post_of_the_pool_without_a_label_is_named_before_anything_is_written(tmp_path, capsys):
    flags = simulate(tmp_path, "--out", str(tmp_path / "grid"))
    small.without_label(tmp_path / "pool.csv", 7)
    assert command(flags) == 2
    assert "simulate: 1 of the 90 posts of the pool have no label, the first has the id" in capsys.readouterr().err
    assert not (tmp_path / "grid").exists()


def test_a_pool_whose_labels_were_changed_since_is_refused_and_an_equal_one_is_not(mine, grid, capsys):
    pool, again = grid.parent / "pool.csv", simulate(grid.parent, "--out", str(mine))
    good, before = pool.read_text(encoding="utf-8"), small.files(mine)
    first, *others = good.splitlines(keepends=True)[1:]
    label = first.rstrip().rpartition(",")[2]
    other = next(line.rstrip().rpartition(",")[2] for line in others if not line.rstrip().endswith(label))
    try:
        pool.write_text(good.replace(first, first.replace(label, other)), encoding="utf-8")
        assert command(again) == 2
        assert f"what --pool {pool} holds is not what it was begun with; put that back, or" in capsys.readouterr().err
        assert small.files(mine) == before
        pool.unlink()
        assert command(again) == 0
        assert f"warning: --pool {pool} cannot be read any more; going on with" in capsys.readouterr().err
        pool.write_text(good.replace("\n", "\r\n"), encoding="utf-8", newline="")
        assert command(again) == 0
    finally:
        pool.write_text(good, encoding="utf-8")


def test_a_strategy_of_ones_own_that_was_changed_is_not_answered_with_the_figures_of_before(
    mine, grid, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "shortest", raising=False)
    code = "def chosen(pool, n, *, labeled=None, seed=0):\n    return pool.select(range(n))\n"
    own = tmp_path / "shortest.py"
    own.write_text(code + "\nchosen.needs = ()\n")
    again = simulate(grid.parent, "--strategies", "random,shortest:chosen", "--seeds", "1", "--out", str(mine))
    assert command(again) == 0  # the grid grows by it
    before = small.files(mine)
    capsys.readouterr()
    own.write_text(code.replace("range(n)", "range(1, n + 1)"))
    assert command(again) == 2
    said = capsys.readouterr()
    assert "what --strategies shortest:chosen holds is not what it was begun with; put that back, or" in said.err
    assert said.out == ""
    others = simulate(grid.parent, "--seeds", "1", "--out", str(mine))
    assert command(others) == 0
    assert small.files(mine) == before


def test_a_test_set_whose_labels_were_swapped_is_not_answered_with_the_figures_of_before(tmp_path, capsys):
    sizes = ["--strategies", "random", "--seeds", "1", "--budget", "4", "--batch", "4"]
    again = ["simulate", *small.write(tmp_path), *sizes, "--out", str(tmp_path / "grid")]
    assert command(again) == 0
    test, before = tmp_path / "test.csv", small.files(tmp_path / "grid")
    rows = [line.rpartition(",") for line in test.read_text(encoding="utf-8").splitlines()]
    labels = [label for _, _, label in rows[1:]]
    swapped = zip(rows[1:], labels[1:] + labels[:1], strict=True)
    test.write_text("\n".join(["".join(rows[0]), *(f"{row},{label}" for (row, _, _), label in swapped)]) + "\n")
    capsys.readouterr()
    assert command(again) == 2
    said = capsys.readouterr()
    assert f"what --test {test} holds is not what it was begun with; put that back, or" in said.err
    assert said.out == ""
    assert small.files(tmp_path / "grid") == before
