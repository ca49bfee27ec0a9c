"""`rarecase verify`: what it prints, that it shows no text, and what people get to label."""

import csv
import json
import shlex
from pathlib import Path

import labelers
import pytest
import small
from doubted import auroc, planted

from rarecase.cli.main import command
from rarecase.labeling.store.export import export_votes

LOOKS = ["id", "label", "doubt", "likelier", "why"]


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> tuple[str, str, set[str]]:
    """Rows with planted mistakes and trusted ones, as files, and the ids of the mistakes."""
    folder = tmp_path_factory.mktemp("verify")
    small.write(folder)
    table, wrong = planted()
    path = folder / "labelled.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        labels = [small.NAMES[label] for label in table["label"][:]]
        writer.writerows(zip(table["id"][:], table["text"][:], labels, strict=True))
    return str(path), str(folder / "bootstrap.csv"), wrong


def verified(capsys, *arguments: object) -> tuple[str, str]:
    capsys.readouterr()
    assert command(["verify", *map(str, arguments)]) == 0
    return capsys.readouterr()


@pytest.fixture
def service(given, tmp_path, capsys):
    """A store with the ten most doubted rows."""
    data, trusted, _ = given
    store = tmp_path / "doubted.sqlite"
    out, err = verified(capsys, data, "--trusted", trusted, "--to-store", store, "--most", 10, "--format", "json")
    assert err.splitlines()[-1] == f"10 rows are new in the store; next: rarecase label serve --store {store}"
    return store, json.loads(out)["rows"]


def test_json_has_all_rows_the_most_doubted_first_and_no_text(given, capsys):
    data, trusted, wrong = given
    out, err = verified(capsys, data, "--trusted", trusted, "--format", "json")
    rows = json.loads(out)["rows"]
    assert [list(row) for row in rows] == [LOOKS] * small.ROWS["pool"]
    assert [row["doubt"] for row in rows] == sorted((row["doubt"] for row in rows), reverse=True)
    assert auroc([(row["id"], row["label"], row["doubt"]) for row in rows], wrong, of_one_label=True) > 0.9
    assert not any(text in out + err for text in small.table("pool")["text"][:])
    again = f"rarecase verify {data} --trusted {trusted} --to-store doubted.sqlite"
    assert err.splitlines()[-1] == f"next, for people to label the most doubted once more: {again}"


def test_the_next_step_can_be_typed(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, err = verified(capsys, *given[:1], "--trusted", given[1])
    assert command(shlex.split(err.splitlines()[-1].partition(": rarecase ")[2])) == 0
    following = capsys.readouterr().err.splitlines()[-1].partition("; next: rarecase ")[2]
    assert command([*shlex.split(following.replace("serve", "status"))]) == 0


def test_a_terminal_gets_the_first_and_how_many_more(given, capsys):
    data, trusted, _ = given
    out, _ = verified(capsys, data, "--trusted", trusted)
    head, _, *lines, last = out.splitlines()
    assert head.split() == ["id", "label", "looks", "like", "doubt"]
    assert len(lines) == 20
    assert last == "… and 70 rows that are doubted less"


def test_people_label_the_most_doubted_without_the_label_that_they_have(service):
    store, rows = service
    with labelers.running(store, labelers.ONE_VOTE) as url:
        ann = labelers.Client(url, "ann")
        queue = ann.say()["queue"]
        assert [entry["text"] for entry in queue][:1] == [_text(rows[0]["id"])]
        assert not any("suggestion" in json.dumps(entry) for entry in queue)
        told = ann.say(labelers.vote(queue[0]["item"], rows[0]["likelier"]))["told"][0]
        assert (told["accepted"], told["suggestion"]) == (True, rows[0]["label"])


def test_what_people_say_is_exported_by_the_ids_of_the_rows(service, tmp_path):
    store, rows = service
    open_ = labelers.service(store)
    open_.start(labelers.ONE_VOTE)
    while queue := open_.queue("ann").queue:
        for entry in queue:
            open_.vote("ann", entry["item"], "not-harmful", seconds=1.0)
    assert export_votes(open_, tmp_path / "votes.csv") == 10
    with (tmp_path / "votes.csv").open(newline="") as file:
        assert {line["item"] for line in csv.DictReader(file)} == {row["id"] for row in rows[:10]}


def test_the_same_rows_are_put_into_the_store_once_and_more_can_follow(given, service, capsys):
    data, trusted, _ = given
    store, rows = service
    for most, new in ((10, 0), (15, 5)):
        _, err = verified(capsys, data, "--trusted", trusted, "--to-store", store, "--most", most)
        assert err.splitlines()[-1].startswith(f"{new} rows are new in the store")
    with labelers.service(store).state() as state:
        assert [item.row for item in state.work()] == [row["id"] for row in rows[:15]]


def test_a_class_without_a_trusted_row_is_said(given, tmp_path, capsys):
    data, trusted, _ = given
    lines = Path(trusted).read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if ",emergency-situation" not in line]
    (tmp_path / "trusted.csv").write_text("".join(kept), encoding="utf-8")
    _, err = verified(capsys, data, "--trusted", tmp_path / "trusted.csv")
    assert "warning: no trusted row is emergency-situation, so these labels are judged by the other rows alone" in err


def test_what_cannot_be_is_refused_in_a_line(refused, given):
    data, trusted, _ = given
    assert "--most 5: expected at least 1, beside --to-store" in refused(
        "verify", data, "--trusted", trusted, "--most", 5
    )
    assert "--trusted" in refused("verify", data)
    assert "did you mean 'label'" in refused("verify", data, "--trusted", trusted, "--label-column", "lable")


def _text(id_: str) -> str:
    table = small.table("pool")
    return table["text"][table["id"][:].index(id_)]
