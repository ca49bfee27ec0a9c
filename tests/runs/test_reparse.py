"""`rarecase generate reparse`: what stored replies hold is read anew, and nothing is asked or changed."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import small
from endpoint import Server

from rarecase.cli.main import command
from rarecase.data.parquet import read_parquet
from rarecase.llm.replies import Replies
from rarecase.runs.folder import Manifest, RoundFiles, stored_sets
from rarecase.runs.generation import stored_variations


@pytest.fixture
def run(tmp_path) -> Path:
    """A run of two rounds of four labels, with two variations of each; its server is gone."""
    out = tmp_path / "run"
    with Server() as server:
        model = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        sizes = ["--budget", "8", "--batch", "4", "--variations", "2", "--annotator", "gold", "--strategy", "random"]
        sizes += ["--policy", "none"]  # two of one post may be alike
        assert command(["run", *small.write(tmp_path), *model, *sizes, "--out", str(out)]) == 0
    return out


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_stored_replies_give_the_variations_again_and_a_run_can_learn_from_them(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "")
    before = contents(run)
    capsys.readouterr()
    assert (
        command(["generate", "reparse", str(run), "--out", str(tmp_path / "again.parquet"), "--format", "json"]) == 0
    )
    counts = json.loads(capsys.readouterr().out)
    assert sum(old for old, _ in counts.values()) == sum(new for _, new in counts.values()) == 16
    again = read_parquet(tmp_path / "again.parquet")
    stored = [read_parquet(run / "rounds" / number / "variations.parquet") for number in ("01", "02")]
    assert again["text"][:] == [text for table in stored for text in table["text"][:]]
    assert again["id"][:] == [id_ for table in stored for id_ in table["id"][:]]
    names = stored[0].features["label"].names
    assert again["label"][:] == [names[label] for table in stored for label in table["label"][:]]
    assert contents(run) == before

    replay = ["--generator", "replay", "--generator-data", str(tmp_path / "again.parquet"), "--variations", "2"]
    sizes = ["--budget", "8", "--batch", "4", "--annotator", "gold", "--strategy", "random"]
    assert command(["run", *small.write(tmp_path), *replay, *sizes, "--out", str(tmp_path / "replayed")]) == 0
    replayed = [read_parquet(tmp_path / "replayed" / "rounds" / n / "variations.parquet") for n in ("01", "02")]
    assert [table["text"][:] for table in replayed] == [table["text"][:] for table in stored]


def test_a_round_that_asked_nothing_has_no_variations_and_misses_no_reply(run):
    """As one whose posts are all of the class that contrasts are made of."""
    config, labels = Manifest.read(run, "run").config, RoundFiles(run).stored(1, "labels")
    with closing(Replies(run / "replies.sqlite")) as replies:
        made = stored_variations(config, stored_sets(run).taxonomy, replies, labels.select([]))
    assert made is not None
    assert len(made) == 0


def test_contrasts_are_marked_so_that_a_replay_keeps_their_label(tmp_path, refused):
    flags, out = small.write(tmp_path), tmp_path / "run"
    sizes = ["--budget", "4", "--batch", "4", "--variations", "1", "--annotator", "gold", "--strategy", "random"]
    with Server() as server:
        model = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        asked = ["--template", "contrast", "--contrast-to", small.NAMES[1], "--policy", "none"]
        assert command(["run", *flags, *model, *asked, *sizes, "--out", str(out)]) == 0
    assert "name a file that ends in .parquet" in refused("generate", "reparse", out, "--out", tmp_path / "a.csv")
    again = tmp_path / "again.parquet"
    assert command(["generate", "reparse", str(out), "--out", str(again)]) == 0
    replay = ["--generator", "replay", "--generator-data", str(again), "--policy", "none"]
    assert command(["run", *flags, *replay, *sizes, "--out", str(tmp_path / "replayed")]) == 0
    replayed = read_parquet(tmp_path / "replayed" / "rounds" / "01" / "variations.parquet")
    assert len(replayed)
    assert set(replayed["label"][:]) == {1}


def test_what_is_read_otherwise_now_is_counted_by_class(run, tmp_path, capsys):
    """As after a change of what reads replies; here the replies change."""
    refusal = json.dumps({"choices": [{"message": {"content": "I'm sorry, but I can't help with that."}}]})
    with closing(sqlite3.connect(run / "replies.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE replies SET reply = ? WHERE rowid = 1", (refusal,))
    capsys.readouterr()
    assert command(["generate", "reparse", str(run), "--out", str(tmp_path / "again.csv")]) == 0
    said = capsys.readouterr()
    header, *lines = said.out.splitlines()
    assert header.split() == ["before", "now"]
    columns = [line.split() for line in lines]
    assert [name for _, _, name in columns] == list(small.NAMES)
    assert sum(int(old) - int(new) for old, new, _ in columns) == 2
    assert "--generator replay --generator-data" in said.err


def test_a_run_without_replies_is_told_so(run, tmp_path, refused):
    (run / "replies.sqlite").unlink()
    line = refused("generate", "reparse", run, "--out", tmp_path / "again.csv")
    assert "run: replies.sqlite has no reply to what round 1 would ask now; was the file of --template changed" in line
    assert not (tmp_path / "again.csv").exists()
    line = refused("generate", "reparse", run, "--out", tmp_path / "again.txt")
    assert "again.txt" in line
    small.write(tmp_path)
    flags = [part for name in ("pool", "bootstrap", "dev", "test") for part in (f"--{name}", f"{name}.csv")]
    sizes = ["--budget", "4", "--batch", "4", "--annotator", "gold", "--strategy", "random"]
    assert command(["run", *flags, *sizes, "--out", "plain"]) == 0
    assert "plain: has no variations by a language model" in refused("generate", "reparse", "plain", "--out", "a.csv")


def test_a_template_that_was_changed_is_refused_when_a_run_goes_on(tmp_path, capsys):
    mine = tmp_path / "mine.jinja"
    mine.write_text("=== user\n{{ label }}: {{ post }}\n")
    out = str(tmp_path / "run")
    with Server() as server:
        model = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        sizes = ["--budget", "4", "--batch", "4", "--variations", "1", "--annotator", "gold", "--strategy", "random"]
        begin = ["run", *small.write(tmp_path), *model, *sizes, "--template", str(mine)]
        assert command([*begin, "--out", out]) == 0
        asked = len(server.asked)
        assert command(["run", "--resume", out, "--budget", "5"]) == 0
        assert len(server.asked) == asked + 1
        mine.write_text("=== user\nNow {{ label }}: {{ post }}\n")
        assert command(["run", "--resume", out, "--budget", "6"]) == 2
    assert f"what --template {mine} holds is not what it was begun with" in capsys.readouterr().err
