"""No cell of a CSV file for people is a formula, and each comes back as it was."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarecase.core.csv_cells import BEGINS, neutralized, restored, write_csv
from rarecase.core.errors import DataError
from rarecase.labeling.csv_file import read_csv

CELLS = st.text(st.characters(exclude_categories=["Cs"])) | st.builds(
    "".join, st.tuples(st.text("=+-@\t\r'", max_size=4), st.text(max_size=4))
)


@given(CELLS)
def test_a_cell_comes_back_as_it_was_and_is_no_formula(cell):
    written = neutralized(cell)
    assert restored(written) == cell
    assert not written.startswith(tuple(set(BEGINS) - {"'"}))
    assert written in (cell, f"'{cell}")


@given(st.text("=+-@\t\r' a", max_size=6))
def test_what_people_type_stays_what_they_typed_but_for_one_sign_in_front_of_a_formula(typed):
    assert restored(typed) in (typed, typed[1:])
    assert restored(typed) == typed or neutralized(restored(typed)) == typed


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=5))
def test_a_file_of_them_is_read_back(tmp_path_factory, cells):
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    write_csv(path, [["id", "label"], *([cell, "x"] for cell in cells)])
    assert [row["id"] for _, row in read_csv(path, ("id", "label"))] == cells


def test_a_number_stays_a_number(tmp_path):
    write_csv(tmp_path / "n.csv", [["-a", -1.5, None, "-1.5"]])
    assert next(csv.reader((tmp_path / "n.csv").open(newline=""))) == ["'-a", "-1.5", "", "'-1.5"]


@pytest.mark.parametrize("name", ["file/n.csv", "x" * 300 + ".csv"])
def test_a_place_that_cannot_be_written_is_one_line(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_csv(tmp_path / name, [["a"]])
