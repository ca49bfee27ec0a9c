"""`rarecase predict`: what a learner says of every row of a table."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import small
from datasets import ClassLabel, Dataset, Features, Value
from small import NAMES

from rarecase.cli.main import command
from rarecase.data.arrow import from_columns, matrix, with_column
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import as_table
from rarecase.learn import Learner, load_learner
from rarecase.learn.frozen import Frozen
from rarecase.runs.folder import Manifest
from rarecase.runs.predict import AT_ONCE, probability_columns, table_of

TEXTS = ["Is this mole cancer?", "=SUM(1)", "", "Is this mole cancer?", " \t", 'She said "hi", and\nleft']


@pytest.fixture(scope="module")
def guard(tmp_path_factory) -> Path:
    """A model folder."""
    return small.model(tmp_path_factory.mktemp("models") / "guard")


@pytest.fixture
def posts(tmp_path) -> Path:
    """A table as somebody has it: own names of columns, repeats, rows without a text."""
    with (tmp_path / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["no", "post"], *([f"-{row}", text] for row, text in enumerate(TEXTS))])
    return tmp_path / "posts.csv"


def predict(*arguments: object) -> int:
    return command(["predict", *map(str, arguments)])


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_has_a_row_in_its_order_and_one_without_a_text_has_no_label(guard, posts, tmp_path, capsys):
    flags = [guard, posts, "--id-column", "no", "--text-column", "post"]
    assert predict(*flags, "--out", tmp_path / "found.csv") == 0
    said = capsys.readouterr()
    assert said.err == "2 of 6 rows have no text, and so no label\n"
    rows = read_csv(tmp_path / "found.csv")
    assert list(rows[0]) == ["id", "label", *NAMES]
    assert [row["id"] for row in rows] == [f"'-{row}" for row in range(6)]  # no formula
    probs = matrix(load_learner(guard).score([text for text in TEXTS if text.strip()]), "probs")
    known = [row for row in rows if row["label"]]
    assert [row["label"] for row in known] == [NAMES[place] for place in probs.argmax(axis=1)]
    assert np.allclose([[float(row[name]) for name in NAMES] for row in known], probs, atol=1e-6)
    assert known[0] == {**known[2], "id": "'-0"}
    assert {tuple(rows[place].values())[1:] for place in (2, 4)} == {("",) * 7}
    counted = {name: int(count) for count, name in (line.split() for line in said.out.splitlines())}
    assert counted == {name: [row["label"] for row in rows].count(name) for name in NAMES}


def test_labels_are_not_looked_at(guard, tmp_path):
    rows = [{"text": "Which tyre?", "label": ["a", {}]}, {"text": "Which tyre?", "label": "zz"}]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert predict(guard, tmp_path / "posts.jsonl", "--out", tmp_path / "found.csv") == 0
    assert {row["label"] for row in read_csv(tmp_path / "found.csv")} <= set(NAMES)


def test_nothing_but_ids_and_texts_is_looked_at(guard, tmp_path):
    """A spreadsheet leaves columns without a name behind, and what is called `round` may be anything."""
    (tmp_path / "posts.csv").write_text("id,text,round,votes,,\n1,Which tyre?,last,3,,\n2,A mole,first,4,,\n")
    assert predict(guard, tmp_path / "posts.csv", "--out", tmp_path / "found.csv") == 0
    assert [row["id"] for row in read_csv(tmp_path / "found.csv")] == ["1", "2"]
    row = {"text": "Which tyre?", "round": "last", "source": ["a"], "origin": {"by": "hand"}, "embedding": [0.5]}
    (tmp_path / "posts.jsonl").write_text(json.dumps(row) + "\n")
    assert predict(guard, tmp_path / "posts.jsonl", "--out", tmp_path / "other.csv") == 0


def test_all_formats_hold_the_same_and_texts_only_where_they_are_asked_for(guard, posts, tmp_path):
    flags = [guard, posts, "--text-column", "post", "--with-text", "--out"]
    for name in ("found.csv", "found.jsonl", "found.parquet"):
        assert predict(*flags, tmp_path / name) == 0
    table = read_parquet(tmp_path / "found.parquet")
    assert table.column_names == ["id", "text", "label", *NAMES]
    assert table["text"][:] == TEXTS
    assert len(set(table["id"][:])) == 6  # from a hash of the text
    lines = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[2] | {"id": 0} == {"id": 0, "text": "", "label": None, **dict.fromkeys(NAMES)}
    exact = [[np.float32(line[name] or 0) for name in NAMES] for line in lines]
    assert exact == [[np.float32(row[name] or 0) for name in NAMES] for row in table.to_list()]
    assert [{**row, **dict.fromkeys(NAMES)} for row in table.to_list()] == [
        {**line, **dict.fromkeys(NAMES)} for line in lines
    ]
    assert [row["text"] for row in read_csv(tmp_path / "found.csv")] == [
        "'=SUM(1)" if t == "=SUM(1)" else t for t in TEXTS
    ]
    assert predict(*flags[:-2], "--out", tmp_path / "bare.jsonl") == 0
    assert "mole" not in (tmp_path / "bare.jsonl").read_text(encoding="utf-8")


class ByLength(Learner):
    """Tells texts of even length from others; keeps how many it was given at once."""

    names = ("even", "odd")

    def __init__(self) -> None:
        self.given: list[int] = []

    def score(self, dataset):
        odd = np.array([len(text) % 2 for text in dataset], np.float32)
        self.given.append(len(dataset))
        return with_column(as_table(dataset), "probs", np.stack([1 - odd, odd], axis=1))


def test_equal_texts_are_scored_once_some_at_a_time_and_every_row_gets_its_own_answer():
    learner, texts = ByLength(), [str(place) for place in range(2 * AT_ONCE + 1)] * 2
    table = from_columns({"id": texts, "text": texts}, Features({"id": Value("string"), "text": Value("string")}))
    found = table_of(table, learner, with_text=False)
    assert learner.given == [AT_ONCE, AT_ONCE, 1]
    assert found["id"][:] == texts
    assert found["label"][:] == ["odd" if len(text) % 2 else "even" for text in texts]
    assert found["odd"][:] == [len(text) % 2 for text in texts]


def test_a_class_may_be_called_as_another_column(tmp_path, posts):
    assert probability_columns(["id", "label", "text", "label_probability", "spam"]) == [
        *("id_probability", "label_probability_probability", "text_probability", "label_probability", "spam")
    ]
    features = Features({"text": Value("string"), "label": ClassLabel(names=["label", "text"])})
    table = Dataset.from_dict({"text": ["mole", "tyre"], "label": [0, 1]}, features=features)
    Frozen("packaged", ["label", "text"], seed=0, encoder=small.encoder()).fit(table, table).save(tmp_path / "odd")
    for name in ("odd.csv", "odd.jsonl", "odd.parquet"):
        assert predict(tmp_path / "odd", posts, "--text-column", "post", "--out", tmp_path / name) == 0
    [row, *_] = read_csv(tmp_path / "odd.csv")
    assert list(row) == ["id", "label", "label_probability", "text_probability"]
    assert row["label"] == ("label" if float(row["label_probability"]) > 0.5 else "text")
    assert read_parquet(tmp_path / "odd.parquet").column_names == list(row)


def test_the_model_may_be_a_run_that_has_ended(guard, posts, tmp_path, refused):
    run, flags = tmp_path / "run", [posts, "--text-column", "post"]
    Manifest("run", strategy="cluster", origins={"pool": {}}, settings={"seed": 3}, data="abc").write(run)
    says = f"rarecase: {run}: has no learner yet; go on with: rarecase run --resume {run}\n"
    assert refused("predict", run, *flags, "--out", "none.csv") == says
    shutil.copytree(guard, run / "learner")
    assert (
        predict(run, *flags, "--out", tmp_path / "run.csv") == predict(guard, *flags, "--out", tmp_path / "g.csv") == 0
    )
    assert (tmp_path / "run.csv").read_bytes() == (tmp_path / "g.csv").read_bytes()
    Manifest("grid", settings={"seed": 3}, data="abc").write(tmp_path / "grid")
    assert "is the folder of a grid, expected a run" in refused(
        "predict", tmp_path / "grid", *flags, "--out", "no.csv"
    )


def test_what_cannot_be_written_is_refused_before_anything_is_loaded(posts, tmp_path, refused):
    flags = ["--text-column", "post", "--out"]
    for name in ("found.xlsx", "found", "found.csv.gz"):
        says = f"rarecase: --out {name}: expected a name that ends in .csv, .jsonl or .parquet\n"
        assert refused("predict", "no-model", posts, *flags, name) == says
    before = posts.read_bytes()
    assert "exists already; name another, or remove it" in refused("predict", "no-model", posts, *flags, posts)
    assert posts.read_bytes() == before
    says = "a.csv: cannot be written (Not a directory); name another place"
    assert says in refused("predict", "no-model", posts, *flags, posts / "a.csv")
    says = "rarecase: max_length = 0: expected at least 1\n"
    assert refused("predict", "no-model", posts, "--max-length", 0, *flags, "found.csv") == says


def test_what_share_of_the_texts_is_cut_is_said_once_and_more_can_be_read(guard, tmp_path, capsys):
    texts = ["tyre", "word " * 20, "word " * 20 + "mole", *["bicycle"] * 5]
    rows = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (tmp_path / "posts.jsonl").write_text(rows)
    flags = [guard, tmp_path / "posts.jsonl", "--out"]
    assert predict(*flags, tmp_path / "cut.jsonl", "--max-length", 12) == 0
    says = "25 % of 8 texts are longer than the 12 tokens that the model reads; the rest of those is cut off\n"
    assert capsys.readouterr().err == says
    assert predict(*flags, tmp_path / "whole.jsonl") == 0
    assert capsys.readouterr().err == ""
    for name, is_same in (("cut.jsonl", True), ("whole.jsonl", False)):
        found = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert ([found[1][c] for c in NAMES] == [found[2][c] for c in NAMES]) == is_same
