"""`rarecase guard check`: a line of JSON for every row, and no text."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import small
from small import NAMES

from rarecase.cli.main import command
from rarecase.data.taxonomy import Taxonomy
from rarecase.guard.guard import Guard

TEXTS = ["Is this mole cancer?", "Which tyre?", " ", "и кто это", "Which tyre?", "so " * 300]
KEYS = ["id", "label", "action", "flagged", "windows", "scores", "thresholds", "script", "replaced", "certified"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return small.model(tmp_path_factory.mktemp("models") / "guard")


@pytest.fixture
def posts(tmp_path) -> Path:
    with (tmp_path / "posts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([f"p{row}", text] for row, text in enumerate(TEXTS))])
    return tmp_path / "posts.csv"


def check(*arguments: object) -> int:
    return command(["guard", "check", *map(str, arguments)])


def test_every_row_has_a_line_in_its_order_and_no_text_is_in_it(model, posts, tmp_path, capsys):
    assert check(model, posts, "--out", tmp_path / "said.jsonl") == 0
    assert capsys.readouterr() == ("", "")
    said = (tmp_path / "said.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in said.splitlines()]
    assert [list(line) for line in lines] == [KEYS] * 6
    assert [line["id"] for line in lines] == [f"p{row}" for row in range(6)]
    assert [line["windows"] for line in lines] == [1, 1, 0, 1, 1, 2]
    assert [line["script"] for line in lines] == ["latin"] * 3 + ["other"] + ["latin"] * 2
    assert (lines[2]["label"], lines[2]["scores"], lines[2]["flagged"]) == (None, None, False)
    assert not any(line["certified"] for line in lines)
    assert list(lines[0]["thresholds"]) == [*NAMES[:5]]
    verdicts = Guard.from_pretrained(model).check([text for text in TEXTS if text.strip()])
    read = [line for line in lines if line["windows"]]
    assert [line["label"] for line in read] == [verdict.label for verdict in verdicts]
    assert np.allclose(
        [[*line["scores"].values()] for line in read], [[*v.scores.values()] for v in verdicts], atol=1e-6
    )
    assert "mole" not in said
    assert check(model, posts) == 0
    assert capsys.readouterr().out == said


def test_texts_that_stand_in_the_column_of_ids_are_not_written(model, tmp_path):
    posts = tmp_path / "posts.csv"
    posts.write_text("text\nIs this mole cancer?\nWhich tyre?\n")
    assert check(model, posts, "--id-column", "text", "--out", tmp_path / "said.jsonl") == 0
    assert "mole" not in (tmp_path / "said.jsonl").read_text(encoding="utf-8")


def test_the_actions_may_be_named_and_a_model_that_allows_nothing_is_told_of(model, posts, tmp_path, capsys):
    text = (tmp_path / "none.yaml").write_text
    text("classes:\n" + "".join(f"  - {{name: {name}, action: block}}\n" for name in NAMES))
    assert check(model, posts, "--taxonomy", tmp_path / "none.yaml") == 0
    said = capsys.readouterr()
    assert said.err == f"warning: {model} has no class whose action is allow; --taxonomy FILE says which\n"
    assert {json.loads(line)["action"] for line in said.out.splitlines()} <= {"block", "allow"}


def test_what_cannot_be_done_is_one_line(model, posts, tmp_path, refused):
    assert "exists already; name another" in refused("guard", "check", model, posts, "--out", posts)
    Taxonomy.from_names(["a"]).save(tmp_path / "a.yaml")
    says = "rarecase: the taxonomy has 1 classes that are not the model's 6 in their order"
    assert refused("guard", "check", model, posts, "--taxonomy", tmp_path / "a.yaml").startswith(says)
    assert "no such folder" in refused("guard", "check", "no/model/here", posts)
