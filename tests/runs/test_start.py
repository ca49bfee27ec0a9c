"""`rarecase start`: random sets out of a pool, labelled, and the rest of it as the pool of the run to come."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import small
from small import NAMES

from rarecase.cli.main import command
from rarecase.data.parquet import read_parquet
from rarecase.runs.start import begin, go_on
from rarecase.settings.config import StartConfig, read_config

SIZES = {"bootstrap": 30, "dev": 12, "test": 20, "certify": 5}
GOLD = dict(zip(small.table("pool")["id"][:], small.table("pool")["label"][:], strict=True))


def start(folder: Path, out: str = "start", *, annotator: str = "gold", seed: int = 0, **sizes: int) -> Path:
    """The folder that the command makes out of the pool of the sample."""
    small.write(folder)
    flags = [part for name, size in {**SIZES, **sizes}.items() for part in (f"--{name}", str(size))]
    pool = ["--pool", str(folder / "pool.csv"), "--annotator", annotator, "--seed", str(seed)]
    assert command(["start", *pool, *flags, "--out", str(folder / out)]) == 0
    return folder / out


def ids(folder: Path) -> dict[str, list[str]]:
    return {name: read_parquet(folder / f"{name}.parquet")["id"][:] for name in ("pool", *SIZES)}


def test_the_sets_share_no_post_and_the_rest_is_the_pool(tmp_path, capsys):
    found = ids(start(tmp_path))
    assert {name: len(rows) for name, rows in found.items()} == {"pool": 90 - sum(SIZES.values()), **SIZES}
    everything = sorted(id_ for rows in found.values() for id_ in rows)
    assert everything == sorted(GOLD)
    counted = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert counted == {name: str(len(rows)) for name, rows in found.items()}


def test_the_draw_goes_by_the_seed_and_not_by_the_order_of_the_posts(tmp_path):
    one, two = start(tmp_path, "one"), start(tmp_path, "two")
    assert small.files(one) == small.files(two)
    other = start(tmp_path, "other", seed=1)
    assert set(ids(other)["test"]) != set(ids(one)["test"])
    lines = (tmp_path / "pool.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "turned.csv").write_text(lines[0] + "".join(reversed(lines[1:])), encoding="utf-8")
    flags = [part for name, size in SIZES.items() for part in (f"--{name}", str(size))]
    turned = ["--pool", str(tmp_path / "turned.csv"), "--annotator", "gold", "--out", str(tmp_path / "turned")]
    assert command(["start", *turned, *flags]) == 0
    assert {n: set(rows) for n, rows in ids(tmp_path / "turned").items()} == {
        n: set(rows) for n, rows in ids(one).items()
    }


def test_gold_labels_are_set_aside_where_no_strategy_sees_them(tmp_path):
    folder = start(tmp_path)
    assert set(read_parquet(folder / "pool.parquet")["label"][:]) == {None}
    for name in SIZES:
        table = read_parquet(folder / f"{name}.parquet")
        assert table["label"][:] == [GOLD[id_] for id_ in table["id"][:]]
    gold = read_parquet(folder / "gold.parquet")
    assert dict(zip(gold["id"][:], gold["label"][:], strict=True)) == GOLD


def test_a_run_begins_with_the_folder_and_takes_its_gold_labels(tmp_path):
    folder, out = start(tmp_path), tmp_path / "run"
    settings = ["--annotator", "gold", "--generator", "none", "--strategy", "coreset", "--budget", "4", "--batch", "2"]
    assert command(["run", "--start", str(folder), *settings, "--out", str(out)]) == 0
    train = read_parquet(out / "data" / "coreset" / "train.parquet")
    assert train["label"][:] == [GOLD[id_] for id_ in train["id"][:]]
    assert set(train["id"][:]) <= set(ids(folder)["pool"])
    assert read_parquet(out / "test.parquet")["id"][:] == ids(folder)["test"]


def test_the_line_that_says_what_to_do_shows_nothing_that_a_terminal_obeys(tmp_path, capsys):
    folder = start(tmp_path, "a\x1b[31m", annotator="file")
    err = capsys.readouterr().err
    assert (folder / "to_label.csv").is_file()
    assert "a\\x1b[31m/to_label.csv: 67 rows to label; fill in" in err
    assert "\x1b" not in err


def answer(path: Path, sets: set[str], leave: int = 0) -> list[str]:
    """Labels the rows of these sets in to_label.csv, all but the last `leave` of them; the ids that got a label."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    wanted = [line for line in lines if line["set"] in sets]
    for line in wanted[: len(wanted) - leave]:
        line["label"] = NAMES[GOLD[line["id"]]]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0].keys())
        writer.writeheader()
        writer.writerows(lines)
    return [line["id"] for line in wanted[: len(wanted) - leave]]


def test_people_label_the_sets_in_one_file_and_what_they_leave_empty_goes_back_to_the_pool(tmp_path, capsys):
    folder = start(tmp_path, annotator="file")
    file = folder / "to_label.csv"
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "67 rows to label; fill in the column 'label'" in shown.err
    assert f"rarecase start --resume {folder}" in shown.err
    assert file.read_bytes().startswith(b"id,text,label,set\r\n")
    assert not (folder / "gold.parquet").exists()  # labels that stood in the pool count for nothing

    labelled = answer(file, set(SIZES), leave=3)
    assert command(["start", "--resume", str(folder)]) == 0
    assert not file.exists()
    found = ids(folder)
    assert sorted(id_ for name in SIZES for id_ in found[name]) == sorted(labelled)
    assert len(found["pool"]) == 90 - 64
    assert set(found["pool"]) == set(GOLD) - set(labelled)
    origins = {name: set(read_parquet(folder / f"{name}.parquet")["origin"][:]) for name in ("pool", *SIZES)}
    assert origins == {"pool": {None}, **{name: {"human"} for name in SIZES}}
    assert set(read_parquet(folder / "pool.parquet")["label"][:]) == {None}


def test_a_set_without_any_label_yet_is_waited_for(tmp_path, capsys):
    folder = start(tmp_path, annotator="file", certify=0)
    answer(folder / "to_label.csv", {"bootstrap", "test"})
    before = (folder / "to_label.csv").read_bytes()
    assert command(["start", "--resume", str(folder)]) == 0
    assert "no row of the set dev has a label yet" in capsys.readouterr().err
    assert (folder / "to_label.csv").read_bytes() == before
    assert command(["run", "--start", str(folder), "--generator", "none", "--out", str(tmp_path / "run")]) == 2
    assert f"rarecase start --resume {folder}" in capsys.readouterr().err
    answer(folder / "to_label.csv", {"dev"})
    assert command(["start", "--resume", str(folder)]) == 0
    assert not (folder / "certify.parquet").exists()


@pytest.mark.parametrize(("flag", "value"), [("--seed", "1"), ("--test", "21"), ("--annotator", "file")])
def test_a_resume_with_other_settings_is_refused_by_the_name_of_the_flag(tmp_path, capsys, flag, value):
    folder = start(tmp_path)
    before = small.files(folder)
    assert command(["start", "--resume", str(folder), flag, value]) == 2
    assert f"was begun with {flag}" in capsys.readouterr().err
    assert small.files(folder) == before


def test_sets_that_are_too_large_for_the_pool_are_named(tmp_path, capsys):
    small.write(tmp_path)
    pool = ["--pool", str(tmp_path / "pool.csv"), "--annotator", "gold", "--test", "80", "--out", str(tmp_path / "o")]
    assert command(["start", *pool, "--bootstrap", "5", "--dev", "5"]) == 2
    assert "--test 80, --certify 0: together 90, expected fewer than the 90 posts" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_gold_labels_are_asked_of_every_post_before_anything_is_written(tmp_path, capsys):
    small.write(tmp_path)
    id_ = small.without_label(tmp_path / "pool.csv", 3)
    sizes = [part for name, size in SIZES.items() for part in (f"--{name}", str(size))]
    pool = ["--pool", str(tmp_path / "pool.csv"), "--annotator", "gold", "--out", str(tmp_path / "out")]
    assert command(["start", *pool, *sizes]) == 2
    said = capsys.readouterr().err
    assert f"--annotator gold: 1 of the 90 posts of the pool have no label, the first has the id {id_!r}; " in said
    assert not (tmp_path / "out").exists()


def test_a_start_that_goes_on_with_another_store_says_so_to_the_run(tmp_path):
    small.write(tmp_path)
    config = StartConfig(pool=str(tmp_path / "pool.csv"), annotator="people", out=tmp_path / "start", **SIZES)
    begin(config)
    other = str(tmp_path / "other.sqlite")
    for given in (replace(config, store=other), config):  # named once, it stays
        go_on(tmp_path / "start", given)
        assert read_config(tmp_path / "start", StartConfig)["store"] == other
