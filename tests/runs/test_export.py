"""`rarecase export`: everything that is labelled, once, as one table; the same as the config `all` of a run's data."""

import csv
import json
import shlex
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import releases
import small
from datasets import load_dataset
from small import NAMES

from rarecase.cli.main import command
from rarecase.core.csv_cells import restored
from rarecase.data.release import write_release
from rarecase.data.schema import conform

COLUMNS = ["id", "text", "label", "split", "origin", "parent_id", "round", "strategy"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> Path:
    """A run of two rounds with two variations a post; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("exported")
    settings = ["--annotator", "gold", "--generator", "cheap", "--variations", "2", "--strategy", "random"]
    sizes = ["--budget", "8", "--batch", "4", "--out", str(folder / "run")]
    assert command(["run", *small.write(folder), *settings, *sizes]) == 0
    return folder / "run"


def exported(folder: Path, out: Path) -> list[dict]:
    assert command(["export", str(folder), "--out", str(out)]) == 0
    if out.suffix == ".parquet":
        return pq.read_table(out).to_pylist()
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    with out.open(encoding="utf-8", newline="") as file:
        return [{name: restored(cell) or None for name, cell in row.items()} for row in csv.DictReader(file)]


def test_a_run_is_one_table_of_all_that_is_labelled_in_each_format(ended, tmp_path, capsys):
    capsys.readouterr()
    found = exported(ended, tmp_path / "all.parquet")
    assert capsys.readouterr().out.split() == ["84", "train", "30", "validation", "60", "test"]
    assert list(found[0]) == COLUMNS
    start, acquired = found[:60], found[60:84]
    assert {(row["round"], row["strategy"]) for row in start} == {(None, None)}
    assert {(row["round"], row["strategy"]) for row in acquired} == {(1, "random"), (2, "random")}
    labels = {row["id"]: row["label"] for row in acquired if row["origin"] == "human"}
    children = [row for row in acquired if row["origin"] == "generated"]
    assert (len(labels), len(children)) == (8, 16)
    assert all(labels[row["parent_id"]] == row["label"] for row in children)
    assert {row["label"] for row in found} <= set(NAMES)
    assert len({row["id"] for row in found}) == len(found)
    assert exported(ended, tmp_path / "all.jsonl") == found
    cells = [{name: None if value is None else str(value) for name, value in row.items()} for row in found]
    assert exported(ended, tmp_path / "all.csv") == cells


def test_the_table_and_the_release_of_a_run_hold_the_same_rows(ended, tmp_path):
    found = exported(ended, tmp_path / "run.jsonl")
    assert exported(ended / "data", tmp_path / "data.jsonl") == found
    for config in ((), ("all",)):
        loaded = load_dataset(str(ended / "data"), *config, cache_dir=str(tmp_path / "cache"))
        assert list(loaded) == ["train", "validation", "test"]
        pairs = [(split, id_) for split, table in loaded.items() for id_ in table["id"][:]]
        assert pairs == [(row["split"], row["id"]) for row in found]
    assert [p.name for p in sorted((ended / "data").iterdir())] == [
        *("README.md", "bootstrap", "random", "release.json", "test.parquet", "validation.parquet")
    ]


def test_a_run_that_is_not_finished_is_exported_as_far_as_it_is(ended, tmp_path):
    begun = Path(shutil.copytree(ended, tmp_path / "begun", ignore=shutil.ignore_patterns("02", "data", "learner")))
    found = exported(begun, tmp_path / "begun.jsonl")
    assert [row["round"] for row in found if row["round"]] == [1] * 12


def test_a_start_is_exported_with_its_certification_set_once_it_is_labelled(tmp_path, capsys):
    small.write(tmp_path)
    sizes = ["--bootstrap", "12", "--dev", "6", "--test", "8", "--certify", "4"]
    begin = ["start", "--pool", str(tmp_path / "pool.csv"), *sizes]
    assert command([*begin, "--annotator", "gold", "--out", str(tmp_path / "gold")]) == 0
    splits = [row["split"] for row in exported(tmp_path / "gold", tmp_path / "gold.csv")]
    assert splits == ["train"] * 12 + ["validation"] * 6 + ["test"] * 8 + ["certify"] * 4
    assert command([*begin, "--out", str(tmp_path / "asked")]) == 0
    capsys.readouterr()
    assert command(["export", str(tmp_path / "asked"), "--out", str(tmp_path / "none.csv")]) == 2
    resume = f"rarecase start --resume {tmp_path / 'asked'}"
    assert capsys.readouterr().err == (
        f"rarecase: {tmp_path / 'asked'}: nothing in it is labelled yet; go on with: {resume}\n"
    )
    assert not (tmp_path / "none.csv").exists()
    assert command(shlex.split(resume)[1:]) == 0  # it waits for labels


def test_a_row_that_stands_in_two_files_of_a_release_is_exported_once(tmp_path):
    """Each config has its test set, which repeats a text, as a file of its own; both strategies chose one post."""

    def table(name: str, *places: int):
        return conform(small.table(name).select(places), NAMES)

    configs = {
        "cluster": {"train": table("pool", 0, 1), "test": table("test", 0, 1, 1)},
        "random": {"train": table("pool", 1, 2), "test": table("test", 0, 1, 1)},
    }
    write_release(tmp_path / "data", configs, default="cluster", title="Posts")
    found = exported(tmp_path / "data", tmp_path / "all.jsonl")
    expected = {"train": small.table("pool")["id"][:3], "test": [small.table("test")["id"][i] for i in (0, 1, 1)]}
    assert [(row["split"], row["id"]) for row in found] == [(s, id_) for s, ids in expected.items() for id_ in ids]


def test_what_cannot_be_exported_and_a_file_that_is_there_are_one_line(refused, tmp_path):
    releases.write(tmp_path / "data", most=10)
    (tmp_path / "there.csv").write_text("mine")
    assert "data.xlsx: expected a name that ends in .csv, .jsonl or .parquet" in refused(
        "export", "data", "--out", "data.xlsx"
    )
    assert "--out there.csv: exists already; name another" in refused("export", "data", "--out", "there.csv")
    for nothing in ("nowhere", ".", "there.csv"):
        line = f"{nothing}: no run, no start and no release; give a folder of one of these"
        assert line in refused("export", nothing, "--out", "new.csv")
    assert (tmp_path / "there.csv").read_text() == "mine"
