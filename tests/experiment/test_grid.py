"""The grid runner: a cell is a folder, run once, and a killed grid goes on where it was."""

from pathlib import Path

import pytest

from rarecase.experiment.grid import Cell, read_cells, run_grid

CELLS = [Cell("random", 0), Cell("cluster", 0), Cell("random", 1), Cell("my_module:mine", 1)]


class Runner:
    """Notes what it ran; stops at a cell as a kill would."""

    def __init__(self, stops_at: Cell | None = None) -> None:
        self.ran: list[Cell] = []
        self.stops_at = stops_at

    def __call__(self, cell: Cell, place: Path) -> list[dict]:
        self.ran.append(cell)
        place.mkdir(parents=True, exist_ok=True)
        (place / "stage").write_text("made")
        if cell == self.stops_at:
            raise KeyboardInterrupt
        return [{"round": 0, "test": {"macro_f1": 60.0 + cell.seed}}]


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
    found = read_cells(tmp_path)
    assert set(found) == set(CELLS)
    assert all(records == [{"round": 0, "test": {"macro_f1": 60.0 + c.seed}}] for c, records in found.items())


def test_a_grid_without_cells_is_empty(tmp_path):
    assert read_cells(tmp_path) == {}
