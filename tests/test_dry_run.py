"""`rarecase run --dry-run` says what a run would ask for, and asks for nothing."""

import re

import pytest
import small
from endpoint import Server

from rarecase.cli import command


@pytest.mark.parametrize(("budget", "labels", "rounds"), [(20, 20, 4), (13, 13, 3), (500, 90, 18)])
def test_it_says_labels_requests_and_time_and_writes_and_sends_nothing(tmp_path, capsys, budget, labels, rounds):
    flags = [*small.write(tmp_path), "--budget", str(budget), "--batch", "5", "--variations", "3"]
    before = sorted(tmp_path.rglob("*"))
    with Server() as server:
        model = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        assert command(["run", *flags, *model, "--out", str(tmp_path / "out"), "--dry-run"]) == 0
        assert server.asked == []
        said = capsys.readouterr().out.splitlines()
        assert said[0].split() == f"labels {labels} by file, in {rounds} rounds of at most 5".split()
        assert said[1].split() == ["requests", str(labels * 3), "to", server.url]
    assert re.fullmatch(r"time +about \d+ (s|min) of computing on this machine", said[2])
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_language_model_there_are_no_requests(tmp_path, capsys):
    flags = [*small.write(tmp_path), "--annotator", "gold", "--generator", "none", "--learner", "finetune"]
    assert command(["run", *flags, "--epochs", "1", "--strategy", "random", "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[1:4] == ["90", "by", "gold,"]
    assert said[1].split() == ["requests", "0"]
