"""A run by the command line: it begins whole, goes on with what it began with, and ends as a release and a learner."""

import csv
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import small
from datasets import load_dataset
from endpoint import Server
from small import NAMES

from rarecase.cli.main import command
from rarecase.data.arrow import matrix, rows
from rarecase.data.parquet import read_parquet, write_parquet
from rarecase.evaluate.metrics import all_metrics
from rarecase.guard.certificate import Certificate, Rate, Rows, model_sha256
from rarecase.learn import load_learner
from rarecase.learn.record import TrainingData, digest_of
from rarecase.report.run import report_of_run


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> list[str]:
    """The flags that name the four sets."""
    return small.write(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def ended(tmp_path_factory, sets) -> Path:
    """A run of two rounds with two variations a post, from an endpoint; tests leave it as it is."""
    out = tmp_path_factory.mktemp("ended") / "out"
    with Server() as server:
        model = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        sizes = ["--budget", "8", "--batch", "4", "--variations", "2", "--policy", "none"]
        assert command(["run", *sets, "--annotator", "gold", *model, *sizes, "--out", str(out)]) == 0
    return out


@pytest.fixture
def begun(tmp_path, ended) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(ended, tmp_path / "out"))


def test_the_report_says_what_the_language_model_took_for_each_label_and_variation(begun, capsys):
    assert command(["report", str(begun), "--format", "json"]) == 0
    took = json.loads(capsys.readouterr().out)["generation"]
    assert took["requests"] == took["answered"] >= 8
    assert took["unanswered"] == took["cost"] == 0
    shares = {share["of"]: share["number"] for share in took["shares"]}
    assert (shares["request"], shares["label"], shares["variation kept"]) == (took["requests"], 8, 16)
    for share in took["shares"][:4]:  # those of classes follow: tests/report/test_generation.py
        expected = (took["prompt_tokens"] + took["completion_tokens"]) / share["number"] if share["number"] else None
        assert share["tokens"] == expected

    assert command(["report", str(begun)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{took['requests']} requests to a language model (0 without an answer), " in shown
    assert "variation kept 16" in shown


def test_the_data_loads_as_a_release_and_every_variation_names_its_parent(ended, tmp_path):
    start = load_dataset(str(ended / "data"), "bootstrap", cache_dir=str(tmp_path))
    acquired = load_dataset(str(ended / "data"), "rare_first", cache_dir=str(tmp_path))
    assert {split: len(table) for split, table in start.items()} == {"train": 60, "validation": 30, "test": 60}
    assert {split: len(table) for split, table in acquired.items()} == {"train": 24, "validation": 30, "test": 60}
    train = acquired["train"]
    assert train.features == start["train"].features
    assert train.features["label"].names == list(NAMES)
    label = {row["id"]: row["label"] for row in train if row["parent_id"] is None}
    children = [row for row in train if row["origin"] == "generated"]
    assert (len(label), len(children)) == (8, 16)
    assert all(row["label"] == label[row["parent_id"]] for row in children)
    assert {row["generator"] for row in children} == {"words"}
    bare = load_dataset(str(ended / "data"), cache_dir=str(tmp_path))
    assert bare["train"]["id"][:] == [*start["train"]["id"][:], *train["id"][:]]


def test_the_report_the_data_and_the_learner_are_of_one_run(ended):
    rounds = report_of_run(ended)["rounds"]
    train = read_parquet(ended / "data" / "rare_first" / "train.parquet")
    human = [row["id"] for row in train if row["parent_id"] is None]
    assert [id_ for round_ in rounds for id_ in round_["chosen"]] == human
    assert sum(rounds[-1]["class_counts"].values()) == len(train)
    scored = load_learner(ended / "learner").score(read_parquet(ended / "test.parquet"))
    predictions = read_parquet(ended / "rounds" / "02" / "predictions.parquet")
    of_test = predictions.filter(lambda row: row["split"] == "test", load_from_cache_file=False)
    assert scored["id"][:] == of_test["id"][:]
    assert [max(p) for p in scored["probs"][:]] == pytest.approx([max(p) for p in of_test["probs"][:]], abs=1e-5)


def test_the_learner_says_how_it_was_made_and_how_well_it_does(ended):
    record = json.loads((ended / "learner" / "rarecase.json").read_text())
    test, dev = read_parquet(ended / "test.parquet"), read_parquet(ended / "dev.parquet")
    learned = [
        *read_parquet(ended / "bootstrap.parquet"),
        *read_parquet(ended / "data" / "rare_first" / "train.parquet"),
    ]
    counts = {name: sum(row["label"] == place for row in learned) for place, name in enumerate(NAMES)}
    hashed = record["data"].pop("texts")
    assert record["data"] == {"configs": ["bootstrap", "rare_first"], "train_rows": 84, "class_counts": counts}
    data = TrainingData((), 84, counts, hashed)
    assert all(data.among([row["text"] for row in (*learned, *dev)]))
    assert not any(data.among(test["text"][:]))
    assert (record["learner"], record["model"], record["seed"]) == ("frozen", "packaged", 0)
    assert record["test_digest"] == digest_of(test)
    last = report_of_run(ended)["rounds"][-1]
    for name, split in {"dev": dev, "test": test}.items():
        measured = {key: value for key, value in last[name].items() if not key.endswith("_interval")}
        assert measured.items() <= record[name].items()
        answers = matrix(load_learner(ended / "learner").score(split), "probs").argmax(axis=1)
        assert record[name] == all_metrics(split["label"][:], answers, NAMES)


def test_what_share_of_the_texts_is_cut_is_said_when_a_run_begins(tmp_path, capsys):
    few = small.write(tmp_path, pool=8, bootstrap=12, dev=6, test=6)
    flags = ["--annotator", "gold", "--generator", "none", "--strategy", "random", "--budget", "2", "--batch", "2"]
    out = str(tmp_path / "out")
    assert command(["run", *few, *flags, "--max-length", "12", "--out", out]) == 0
    says = r"^\d+ % of 3\d texts are longer than the 12 tokens that the model reads; the rest of those is "
    assert len(re.findall(says, capsys.readouterr().err, re.M)) == 1
    assert load_learner(tmp_path / "out" / "learner").reader().tokens == 12
    assert command(["run", "--resume", out, "--max-length", "13"]) == 2
    assert "was begun with --max-length 12, not 13" in capsys.readouterr().err


def test_a_run_goes_on_with_a_larger_budget_from_where_it_was(begun):
    before = {path: path.stat().st_mtime_ns for path in (begun / "rounds").rglob("*.*")}
    with Server() as server:  # at another address
        address = ["--generator-url", server.url, "--concurrency", "1"]
        assert command(["run", "--resume", str(begun), "--budget", "11", *address]) == 0
        assert len(server.asked) == 3  # one for all variations of a post
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [len(round_["chosen"]) for round_ in report_of_run(begun)["rounds"]] == [0, 4, 4, 3]
    assert len(read_parquet(begun / "data" / "rare_first" / "train.parquet")) == 11 * 3


def test_a_run_that_has_ended_is_left_as_it_is(begun):
    before = small.files(begun)
    assert command(["run", "--resume", str(begun)]) == 0
    assert small.files(begun) == before


def test_what_was_certified_of_the_last_learner_stays_until_there_is_another(begun, capsys, monkeypatch):
    folder, none = begun / "learner", Rate(0.0, 0.0, 1.0)
    rows = Rows(drawn=1, labelled=1, uses=1, ids_sha256="", known=True)
    of = model_sha256(folder, NAMES)
    made = Certificate(0.95, 0.3, "1", of, "float32", "torch", 1.0, (), {}, (), none, none, rows)
    made.write(folder)
    before = small.files(begun)
    assert command(["run", "--resume", str(begun)]) == 0
    assert small.files(begun) == before
    with monkeypatch.context() as patch:

        def stopped(*_: object) -> str:
            raise KeyboardInterrupt

        patch.setattr("rarecase.runs.session.model_sha256", stopped)
        assert command(["run", "--resume", str(begun)]) == 130
    assert small.files(begun) == before
    replace(made, model_sha256="another").write(folder)
    capsys.readouterr()
    assert command(["run", "--resume", str(begun)]) == 0
    assert "its certificate was of the learner before" in capsys.readouterr().err
    assert not (folder / "certificate.json").exists()


@pytest.mark.parametrize("flag", ["--generator-url", "--annotator-url"])
def test_an_address_with_a_key_is_refused_before_it_is_written_down(begun, capsys, flag):
    before = (begun / "config.yaml").read_text()
    for address in ("https://ann:secret@example.org/v1", "https://example.org/v1?key=secret"):
        assert command(["run", "--resume", str(begun), flag, address]) == 2
        assert "secret" not in capsys.readouterr().err
    assert (begun / "config.yaml").read_text() == before


@pytest.mark.parametrize(
    ("flag", "value", "was"),
    [
        ("--seed", "1", "0"),
        ("--model", "another/model", "packaged"),
        ("--learner", "finetune", "frozen"),
        ("--strategy", "entropy", "rare_first"),
        ("--pool", "other.csv", None),
        ("--batch", "3", "4"),
        ("--variations", "3", "2"),
    ],
)
def test_a_resume_with_other_data_model_or_seed_is_refused_by_the_name_of_its_flag(ended, capsys, flag, value, was):
    before = small.files(ended), (ended / "config.yaml").read_text()
    assert command(["run", "--resume", str(ended), flag, value]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"was begun with {flag} {was or ''}" in shown.err
    assert f"not {value}; leave it as it was, or name another --out" in shown.err
    assert (small.files(ended), (ended / "config.yaml").read_text()) == before


def test_a_setting_that_an_older_run_does_not_know_had_its_default(begun, capsys):
    run = json.loads((begun / "run.json").read_text())
    del run["settings"]["class_weights"]
    (begun / "run.json").write_text(json.dumps(run))
    before = small.files(begun)
    assert command(["run", "--resume", str(begun), "--class-weights", "none"]) == 2
    assert "was begun without --class-weights, not none" in capsys.readouterr().err
    assert command(["run", "--resume", str(begun)]) == 0
    assert small.files(begun) == before


def test_tables_that_were_edited_since_are_refused(begun, capsys):
    pool = read_parquet(begun / "pool.parquet")
    write_parquet(begun / "pool.parquet", rows(pool, range(1, len(pool))))
    assert command(["run", "--resume", str(begun), "--budget", "12"]) == 2
    assert "are not those it was begun with" in capsys.readouterr().err
    assert not (begun / "rounds" / "03").exists()


def test_a_run_onto_a_used_folder_is_refused_and_resume_is_named(ended, sets, capsys):
    before = small.files(ended)
    assert command(["run", *sets, "--annotator", "gold", "--generator", "none", "--out", str(ended)]) == 2
    assert f"--resume {ended}" in capsys.readouterr().err
    assert small.files(ended) == before


MINE = """
import numpy as np

from rarecase.acquire.strategy import needs; from rarecase.data.arrow import rows


@needs()
def longest(pool, n, *, labeled=None, seed=0):
    return rows(pool, np.argsort([-len(text) for text in pool["text"][:]], kind="stable")[:n])
"""


def test_a_function_in_the_working_folder_is_a_strategy(tmp_path, sets, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (tmp_path / "strategy_of_mine.py").write_text(MINE)
    settings = ["--annotator", "gold", "--generator", "none", "--budget", "6", "--batch", "3"]
    assert command(["run", *sets, *settings, "--strategy", "strategy_of_mine:longest", "--out", "out"]) == 0
    texts = sorted((len(text) for text in read_parquet(Path("out/pool.parquet"))["text"][:]), reverse=True)
    assert [len(text) for text in read_parquet(Path("out/data/longest/train.parquet"))["text"][:]] == texts[:6]
    again = ["run", "--resume", "out", "--budget", "7"]
    assert command(again) == 2
    assert "code outside rarecase; name it by --strategy" in capsys.readouterr().err
    assert command([*again, "--strategy", "strategy_of_mine:longest"]) == 0
    capsys.readouterr()
    assert command(["run", *sets, *settings, "--strategy", "strategy_of_mine:longst", "--out", "other"]) == 2
    assert "did you mean 'longest'?" in capsys.readouterr().err


def fill_in(path: Path, count: int) -> tuple[list[str], list[str]]:
    """Labels the first rows of to_label.csv as people would; the ids that got a label, and those that got none."""
    answers = dict(zip(small.table("pool")["id"][:], small.table("pool")["label"][:], strict=True))
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines[:count]:
        line["label"] = NAMES[answers[line["id"]]]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "text", "label"])
        writer.writeheader()
        writer.writerows(lines)
    ids = [line["id"] for line in lines]
    return ids[:count], ids[count:]


def test_people_label_in_a_file_in_whole_or_in_part_and_the_run_goes_on(tmp_path, sets, capsys):
    out = tmp_path / "out"
    file, resume = out / "to_label.csv", ["run", "--resume", str(out)]
    settings = ["--strategy", "entropy", "--generator", "none", "--budget", "7", "--batch", "4"]
    assert command(["run", *sets, *settings, "--out", str(out)]) == 0  # `file` is the default
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"{file}: 4 rows to label; fill in the column 'label'" in shown.err
    assert f"rarecase run --resume {out}" in shown.err
    written = file.read_bytes()
    assert written.startswith(b"id,text,label\r\n")

    assert command(resume) == 0  # nothing filled in: it stops again
    assert file.read_bytes() == written
    assert "4 rows to label" in capsys.readouterr().err

    labelled, left = fill_in(file, 1)
    assert command(resume) == 0
    assert [round_["chosen"] for round_ in report_of_run(out)["rounds"]] == [[], labelled]
    second, left_again = fill_in(file, 4)
    assert len(second) == 4  # an empty row costs no budget: six of seven labels are left
    assert left_again == []
    assert set(left) & set(second)  # back in the pool, and still among the most uncertain
    assert not set(labelled) & set(second)

    assert command(resume) == 0
    third, _ = fill_in(file, 2)
    assert command(resume) == 0
    assert not file.exists()
    assert [round_["chosen"] for round_ in report_of_run(out)["rounds"]] == [[], labelled, second, third]
    train = read_parquet(out / "data" / "entropy" / "train.parquet")
    assert train["id"][:] == labelled + second + third
    assert set(train["annotator"][:]) == {"A1"}


def test_a_wrong_label_in_the_file_is_named_and_can_be_put_right(tmp_path, sets, capsys):
    out = tmp_path / "out"
    settings = ["--strategy", "random", "--generator", "none", "--budget", "2", "--batch", "2"]
    command(["run", *sets, *settings, "--out", str(out)])
    labelled, _ = fill_in(out / "to_label.csv", 2)
    right = NAMES[dict(zip(small.table("pool")["id"][:], small.table("pool")["label"][:], strict=True))[labelled[0]]]
    good = (out / "to_label.csv").read_text(encoding="utf-8")
    (out / "to_label.csv").write_text(good.replace(f",{right}\n", f",{right}s\n", 1), encoding="utf-8")
    assert command(["run", "--resume", str(out)]) == 2
    assert f"row 2: label '{right}s' is not in the taxonomy; did you mean '{right}'?" in capsys.readouterr().err
    (out / "to_label.csv").write_text(good, encoding="utf-8")
    assert command(["run", "--resume", str(out)]) == 0
    assert (out / "data" / "random" / "train.parquet").exists()


def test_a_budget_below_the_labels_that_were_given_is_refused(begun, capsys):
    before = small.files(begun)
    assert command(["run", "--resume", str(begun), "--budget", "7"]) == 2
    assert f"--budget 7: {begun} has spent 8 labels; expected at least as many" in capsys.readouterr().err
    assert small.files(begun) == before
    assert "budget: 8" in (begun / "config.yaml").read_text()


def test_a_budget_below_the_labels_that_are_waited_for_is_refused(tmp_path, sets, capsys):
    out = tmp_path / "out"
    settings = ["--strategy", "random", "--generator", "none", "--budget", "4", "--batch", "4"]
    assert command(["run", *sets, *settings, "--out", str(out)]) == 0
    fill_in(out / "to_label.csv", 4)
    assert command(["run", "--resume", str(out), "--budget", "3"]) == 2
    assert "has spent 4 labels" in capsys.readouterr().err
    assert command(["run", "--resume", str(out)]) == 0


def test_gold_labels_are_asked_of_every_post_before_anything_is_written(tmp_path, capsys):
    sets = small.write(tmp_path)
    id_ = small.without_label(tmp_path / "pool.csv", 41)
    run = ["run", *sets, "--annotator", "gold", "--generator", "none", "--out", str(tmp_path / "out")]
    for more in ([], ["--dry-run"]):
        assert command([*run, *more]) == 2
        said = capsys.readouterr().err
        assert f"--annotator gold: 1 of the 90 posts of the pool have no label, the first has the id {id_!r}; " in said
        assert "or use --annotator file" in said
    assert not (tmp_path / "out").exists()


def test_without_criteria_nothing_is_said_of_stopping(ended, capsys):
    assert not any("stopping" in round_ for round_ in report_of_run(ended)["rounds"])
    assert command(["report", str(ended)]) == 0
    assert "Stopped" not in capsys.readouterr().out
