"""A disk that is full is answered in one line, and what stands on it stays whole."""

import csv
import os
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bad_input.cases import run


def test_a_disk_that_is_full_when_a_run_begins_is_left_empty(rarecase, small_disk):
    disk = small_disk("32k")
    done = rarecase(run(out=disk / "out"))
    assert done.status == 2, done.stderr
    assert re.match(r"rarecase: .*no space left on the disk; free some", done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    assert not list(disk.iterdir())


@pytest.mark.parametrize("room", [16_384, 4_194_304], ids=["rounds", "learner"])
def test_a_disk_that_fills_up_under_way_keeps_whole_files_and_the_run_goes_on(rarecase, small_disk, room):
    disk = small_disk("256m")
    assert rarecase(run(annotator="file", budget=20, out=disk / "out")).status == 0
    fill_in(disk / "out" / "to_label.csv")
    with (disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(disk).free - room)
    done = rarecase(f"run --resume {disk / 'out'}")
    assert done.status == 2, done.stderr
    assert re.match(r"rarecase: .*no space left on the disk.*; free some", done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    kept = [path for path in (disk / "out").rglob("*") if path.is_file()]
    assert not [path for path in kept if path.name.startswith(".")]
    for path in kept:
        if path.suffix == ".parquet":
            pq.read_table(path)
    (disk / "filler").unlink()
    assert rarecase(f"run --resume {disk / 'out'}").status == 0
    assert (disk / "out" / "learner" / "head.json").is_file()


def fill_in(path: Path) -> None:
    """Labels every row of a `to_label.csv`."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *([row[0], row[1], "not-harmful"] for row in rows)])
