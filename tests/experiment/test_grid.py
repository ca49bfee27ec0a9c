"""The grid runner: a cell is a folder, run once, and a killed grid goes on where it was."""

from pathlib import Path

import pytest

from rarecase.evaluate.record import RoundRecord
from rarecase.experiment.cells import Cell, Found, read_cells
from rarecase.experiment.experiment import reason_of
from rarecase.experiment.grid import run_grid

CELLS = [Cell("random", 0), Cell("cluster", 0), Cell("random", 1), Cell("my_module:mine", 1)]


def found(cell: Cell) -> Found:
    """A simulation of one round, and an experiment."""
    if cell.setting:
        return Found(train_rows=60, class_counts={"a": 20, "b": 40}, fit={"epochs": cell.seed})
    measured = {"accuracy": 70.0, "macro_f1": 60.0 + cell.seed, "f1": {"a": 50.0, "b": 70.0}}
    counts = {"a": 0, "b": 0}
    return Found(rounds=(RoundRecord(0, [], 0, counts, 0.0, counts, dev=measured, test=measured),))


class Runner:
    """Notes what it ran; stops at a cell as a kill would."""

    def __init__(self, stops_at: Cell | None = None) -> None:
        self.ran: list[Cell] = []
        self.stops_at = stops_at

    def __call__(self, cell: Cell, place: Path) -> Found:
        self.ran.append(cell)
        place.mkdir(parents=True, exist_ok=True)
        (place / "stage").write_text("made")
        if cell == self.stops_at:
            raise KeyboardInterrupt
        return found(cell)


def test_every_cell_runs_once_in_order_in_a_folder_of_its_own(tmp_path):
    runner = Runner()
    run_grid(tmp_path, CELLS, runner)
    assert runner.ran == CELLS
    assert sorted(p.name for p in (tmp_path / "cells").iterdir()) == [
        "cluster-0",
        "my_module.mine-1",
        "random-0",
        "random-1",
    ]


def test_a_done_cell_is_never_run_again_and_new_ones_are_added(tmp_path):
    run_grid(tmp_path, CELLS[:2], Runner())
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    again = Runner()
    run_grid(tmp_path, CELLS, again)
    assert again.ran == CELLS[2:]
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_grid_that_was_stopped_goes_on_with_the_cell_it_was_in(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_grid(tmp_path, CELLS, Runner(stops_at=CELLS[1]))
    assert list(read_cells(tmp_path)) == [CELLS[0]]
    assert (tmp_path / "cells" / "cluster-0" / "stage").exists()  # what the cell has made stays
    again = Runner()
    run_grid(tmp_path, CELLS, again)
    assert again.ran == CELLS[1:]


def test_the_records_come_back_by_cell(tmp_path):
    run_grid(tmp_path, CELLS, Runner())
    assert read_cells(tmp_path) == {cell: found(cell) for cell in CELLS}


def test_a_cell_that_fails_as_foreseen_is_a_row_and_a_line_and_is_tried_again(tmp_path, capsys):
    def broken(cell: Cell, place: Path) -> Found:
        raise ValueError("no weights")

    def fails(cell: Cell, place: Path) -> Found:
        return (broken if cell == CELLS[1] else Runner())(cell, place)

    run_grid(tmp_path, CELLS, fails, reason=str)
    assert capsys.readouterr().err == "cluster-0: no weights\n"
    assert read_cells(tmp_path) == {**{cell: found(cell) for cell in CELLS}, CELLS[1]: Found(error="no weights")}
    again = Runner()
    run_grid(tmp_path, CELLS, again, reason=str)
    assert again.ran == [CELLS[1]]
    assert read_cells(tmp_path)[CELLS[1]] == found(CELLS[1])
    with pytest.raises(ValueError, match="no weights"):
        run_grid(tmp_path, [Cell("random", 7)], broken, reason=lambda error: None)
    assert Cell("random", 7) not in read_cells(tmp_path)


def test_a_model_and_a_setting_are_part_of_a_cells_name_and_record(tmp_path):
    cell = Cell("cluster", 3, "acme/guard", "human+llm")
    assert cell.name == "acme--guard-cluster-human+llm-3"
    run_grid(tmp_path, [cell], Runner())
    assert read_cells(tmp_path) == {cell: found(cell)}


def test_a_grid_without_cells_is_empty(tmp_path):
    assert read_cells(tmp_path) == {}


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_a_cell_that_is_out_of_memory_has_a_way_out_as_its_reason(error):
    assert reason_of(error) == "out of memory; give a smaller model, or run this cell on a larger machine (--shard)"
