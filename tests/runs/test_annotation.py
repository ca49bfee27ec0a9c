"""`rarecase run --annotator llm`: a language model labels, alone or before people; over a real socket."""

import json
from collections import Counter

import pytest
import small
from endpoint import Server
from small_model import closed_port

from rarecase.cli.main import command
from rarecase.data.parquet import read_parquet
from rarecase.runs.folder import RoundFiles

NAMES = small.NAMES
SHOWN = sum(min(3, count) for count in Counter(small.table("bootstrap")["label"][:]).values())
ASKED = small.ROWS["dev"] + small.ROWS["bootstrap"] - SHOWN  # before it labels
RARE = NAMES.index("emergency-situation")
KNOWN = {
    text: label
    for name in small.ROWS
    for text, label in zip(small.table(name)["text"][:], small.table(name)["label"][:], strict=True)
}


def knows(sure=0.97):
    """A model that knows every label, and is as sure as this of each."""

    def judge(post):
        letter = "ABCDEF"[KNOWN[post]]
        return {code: sure if code == letter else (1 - sure) / 5 for code in "ABCDEF"}

    return judge


@pytest.fixture
def llm(tmp_path):
    """Types `rarecase run --annotator llm` with a server, and gives the status; further flags as words."""

    def run(server, *more, **rows):
        flags = [*small.write(tmp_path, **rows), "--strategy", "random", "--budget", "12", "--batch", "6"]
        model = ["--annotator", "llm", "--annotator-url", server.url, "--annotator-model", "words"]
        return command(["run", *flags, *model, "--out", str(tmp_path / "out"), *more])

    return run


def test_a_language_model_labels_and_its_labels_say_so(llm, tmp_path, capsys):
    with Server(judge=knows()) as server:
        assert llm(server) == 0
        asked = len(server.asked)
        assert asked == len(set(server.asked)) == ASKED + 12
        said = capsys.readouterr()
        assert command(["run", "--resume", str(tmp_path / "out")]) == 0
        assert len(server.asked) == asked
    labels = RoundFiles(tmp_path / "out").tables("labels")
    for row in (row for table in labels for row in table.to_list()):
        assert row["label"] == KNOWN[row["text"]]
        assert row["annotator"] == "llm:words"
        assert row["votes"] == [{"annotator": "llm:words", "label": row["label"], "seconds": None}]
    acquired = read_parquet(tmp_path / "out" / "data" / "random" / "train.parquet")
    assert set(acquired["annotator"][:]) == {"llm:words"}
    release = json.loads((tmp_path / "out" / "data" / "release.json").read_text())
    assert release["configs"]["random"]["acquired"]["annotator_model"] == "words"
    assert "llm:words labels; with people, who labelled the 30 texts of the dev set, its kappa is 100 %" in said.err
    assert said.err.index("llm:words") < said.err.index("round 0")
    assert "warning: llm" not in said.err


def test_its_agreement_with_people_is_reported_by_class(llm, tmp_path, capsys):
    def errs(post):
        """It takes emergencies for something else, and says nothing of self-harm."""
        label = KNOWN[post]
        return {"No": 1.0} if label == 0 else knows()(post) if label != RARE else {"F": 0.9, "E": 0.1}

    dev = small.table("dev")["label"][:]
    with Server(judge=errs) as server:
        assert llm(server) == 0
    assert "warning: llm:words recognises less than half of the texts of" in (said := capsys.readouterr().err)
    assert "--doubtful-to people has people label what may be of these" in said
    assert command(["report", str(tmp_path / "out"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["annotator"]
    missed = {0, RARE}
    for place, (name, at) in enumerate(found.pop("agreement").items()):
        assert name == NAMES[place]
        assert at == (None if not dev.count(place) else 0 if place in missed else 100)
    kappa = found.pop("kappa")
    assert 0 < kappa < 100
    assert found == {"name": "llm:words", "texts": 30, "undecided": dev.count(0)}
    assert command(["report", str(tmp_path / "out")]) == 0
    assert "llm:words labels; with people" in " ".join(capsys.readouterr().out.split())


def test_what_it_doubts_and_what_may_be_rare_goes_to_people_and_the_rest_does_not(llm, tmp_path, capsys):
    def doubts(post):
        return knows(0.97 if len(post) % 2 else 0.5)(post)

    with Server(judge=doubts) as server:
        assert llm(server, "--doubtful-to", "file") == 0
        assert "rows to label" in capsys.readouterr().err
        people = small.relabel(tmp_path / "out" / "to_label.csv", lambda number, row: NAMES[KNOWN[row["text"]]])
        assert command(["run", "--resume", str(tmp_path / "out")]) == 0
    labels, chosen = (RoundFiles(tmp_path / "out").tables(name)[0] for name in ("labels", "chosen"))
    assert labels["id"][:] == chosen["id"][:]
    by = dict(zip(labels["text"][:], labels["annotator"][:], strict=True))
    assert {text for text, name in by.items() if name == "A1"} == {row["text"] for row in people}
    assert {text for text in by if len(text) % 2 == 0} <= {row["text"] for row in people}
    assert set(by.values()) == {"A1", "llm:words"}


def test_texts_that_it_says_nothing_of_are_left_out_and_the_rest_is_labelled(llm, tmp_path):
    def silent(post):
        return {"No": 1.0} if len(post) % 3 == 0 else knows()(post)

    with Server(judge=silent) as server:
        assert llm(server) == 0
    texts = [text for table in RoundFiles(tmp_path / "out").tables("labels") for text in table["text"][:]]
    assert texts
    assert not [text for text in texts if len(text) % 3 == 0]


def test_one_that_says_no_class_at_all_ends_the_run_with_one_line(llm, tmp_path, capsys):
    with Server(judge=lambda post: {post: 1.0}) as server:
        assert llm(server) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line == (
        "rarecase: llm:words: says no class of any of the 6 chosen texts; begin anew with another --annotator-model"
    )


def test_the_generators_model_labels_where_no_other_is_named(tmp_path):
    flags = [*small.write(tmp_path), "--strategy", "random", "--budget", "6", "--batch", "6", "--variations", "1"]
    with Server(judge=lambda post: knows()(post) if post in KNOWN else {"words": 1.0}) as server:
        model = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        assert command(["run", *flags, *model, "--annotator", "llm", "--out", str(tmp_path / "out")]) == 0
    files = RoundFiles(tmp_path / "out")
    assert set(files.stored(1, "labels")["annotator"][:]) == {"llm:words"}
    assert set(files.stored(1, "variations")["generator"][:]) == {"words"}


def test_a_dead_address_is_named_with_its_own_flag_before_a_folder_is_made(llm, tmp_path, capsys):
    class Nobody:
        url = f"http://127.0.0.1:{closed_port()}/v1"

    assert llm(Nobody) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"rarecase: {Nobody.url}: no answer; start the server there, or correct --annotator-url"
    )
    assert not (tmp_path / "out").exists()


def test_posts_leave_the_machine_only_where_that_is_allowed(llm, capsys):
    class Elsewhere:
        url = "https://api.example.com/v1"

    assert llm(Elsewhere, "--dry-run") == 2
    assert "posts would leave this machine for api.example.com; add --send-to" in capsys.readouterr().err


def test_a_dry_run_counts_the_requests_for_labels_and_sends_none(llm, capsys):
    with Server(judge=knows()) as server:
        assert llm(server, "--doubtful-to", "file", "--dry-run") == 0
        assert server.asked == []
        said = capsys.readouterr().out.splitlines()
    assert " ".join(said[0].split()) == "labels 12 by llm, what it doubts by file, in 2 rounds of at most 6"
    assert " ".join(said[1].split()) == f"requests 0; {ASKED + 12} for labels to {server.url}"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--annotator", "llm"], "--annotator llm needs --annotator-model"),
        (["--annotator-model", "words"], "--annotator-model has no effect without --annotator llm"),
        (["--doubtful-to", "people"], "--doubtful-to has no effect without --annotator llm"),
        (["--annotator", "llm", "--annotator-model", "m", "--sure", "0.5"], "--sure has no effect without"),
        (["--annotator", "llm", "--annotator-model", "m", "--store", "s"], "--store has no effect beside"),
    ],
)
def test_settings_that_have_no_effect_or_are_missing_are_refused(flags, says, refused):
    assert says in refused("run", *flags, "--out", "out")


def test_the_sets_that_are_measured_on_are_labelled_by_people(refused, typed, tmp_path):
    assert "annotator" in refused("start", "--pool", "pool.csv", "--annotator", "llm", "--out", "start")
    flags = small.write(tmp_path)
    for name in ("dev", "test"):
        path = tmp_path / f"{name}.csv"
        before = path.read_text()
        head, first, *lines = before.splitlines()
        changed = [f"{head},annotator", f"{first},llm:words", *(f"{line}," for line in lines)]
        path.write_text("\n".join(changed))
        line = typed("run", *flags, "--out", "out", status=2).splitlines()[-1]
        assert f"--{name}: 1 of {small.ROWS[name]} rows were labelled by a language model" in line
        path.write_text(before)
