"""Votes as a table: every one of them, without names and texts; and votes that were given elsewhere."""

import csv
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score
from voting import NAMES, items_of, put, vote_next

from rarecase.cli.main import command
from rarecase.core.errors import DataError
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.export import COLUMNS, export_votes, import_votes, status
from rarecase.labeling.store.service import LabelService, Row, item_id
from rarecase.labeling.store.settings import Settings


@pytest.fixture
def labelled(service, clock) -> LabelService:
    """Two people have labelled eight texts and differ on two, of which one is settled; a ninth is open."""
    put(service, 3, "known", "calibrate", known="harmful")
    put(service, 9)
    said = ["harmful"] * 4 + ["harmless"] * 4
    for name, labels in {"ann": said, "bob": ["harmless", "unclear", *said[2:]]}.items():
        for label in labels:
            service.queue(name)
            clock.now += 2.5
            vote_next(service, name, label, seconds=2.5)
    service.review("eve", service.to_review("eve")[0].id, "harmful")
    return service


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_every_vote_is_there_also_those_that_were_overruled(labelled, tmp_path):
    assert export_votes(labelled, tmp_path / "votes.csv") == 16
    rows = read(tmp_path / "votes.csv")
    assert list(rows[0]) == list(COLUMNS)
    assert rows[0] == {
        "item": "p0",
        "annotator": "A1",
        "label": "harmful",
        "seconds": "2.5",
        "at": "1970-01-12T13:46:42.500+00:00",
        "overruled": "false",
        "batch": "b",
    }
    assert [(row["item"], row["label"]) for row in rows if row["overruled"] == "true"] == [("p0", "harmless")]
    assert [row["item"] for row in rows if row["overruled"] == ""] == ["p1", "p1"]
    assert {row["annotator"] for row in rows} == {"A1", "A2"}
    assert "text" not in (tmp_path / "votes.csv").read_text()


def test_no_class_name_is_a_formula_and_the_file_can_be_imported_again(tmp_path):
    stores = [LabelService(EventLog(str(tmp_path / f"{name}.sqlite"))) for name in ("one", "two")]
    for store in stores:
        store.add("b", ["=1+1", "plain"], [Row("-p0", "text")])
        store.start(Settings(votes=1))
    vote_next(stores[0], "ann", "=1+1")
    export_votes(stores[0], tmp_path / "votes.csv")
    (row,) = read(tmp_path / "votes.csv")
    assert (row["item"], row["label"]) == ("'-p0", "'=1+1")
    assert import_votes(stores[1], tmp_path / "votes.csv") == 1
    assert [decision.label for decision in stores[1].decisions("b")] == ["=1+1"]


def test_kappa_is_scikit_learns_from_the_export(labelled, tmp_path):
    export_votes(labelled, tmp_path / "votes.csv")
    said = {(row["annotator"], row["item"]): row["label"] for row in read(tmp_path / "votes.csv")}
    pairs = [(said["A1", item], said["A2", item]) for item in sorted({item for _, item in said})]
    expected = cohen_kappa_score(*zip(*pairs, strict=True))
    assert status(labelled).kappa == pytest.approx(expected)
    assert 0 < expected < 1


def test_an_id_that_may_be_a_post_is_a_hash(service, tmp_path):
    service.add("b", NAMES, [Row("a post taken for an id, of somebody", "text")])
    vote_next(service, "ann", "harmful")
    export_votes(service, tmp_path / "votes.csv")
    assert "post" not in (tmp_path / "votes.csv").read_text()
    [row] = read(tmp_path / "votes.csv")
    written(tmp_path / "more.csv", "item,annotator,label", f"{row['item']},bob,harmful")
    assert import_votes(service, tmp_path / "more.csv") == 1
    assert len(service.decisions("b")) == 1


def test_the_status_says_how_far_things_are_without_names(labelled, clock):
    put(labelled, 2, "known", "calibrate", known="harmful")
    found = asdict(status(labelled))
    assert {key: found[key] for key in ("total", "decided", "open", "leased", "compared")} == {
        "total": 9,
        "decided": 7,
        "open": 2,
        "leased": 1,
        "compared": 8,
    }
    assert found["annotators"][0] == {"annotator": "A1", "votes": 8, "known": 0, "known_right": 0, "seconds": 20.0}
    assert "ann" not in json.dumps(found["annotators"]).replace('"annotator"', "")
    clock.now += 1_000
    assert status(labelled).leased == 0


def test_known_answers_are_counted_for_each_person(service):
    put(service, 3, "qualify", "qualify", known="harmful")
    for label in ("harmful", "harmless", "harmful"):
        vote_next(service, "ann", label)
    [ann] = status(service).annotators
    assert asdict(ann) == {"annotator": "A1", "votes": 0, "known": 3, "known_right": 2, "seconds": 0.0}
    assert status(service).total == 0


def test_votes_of_elsewhere_are_read_once(service, tmp_path):
    put(service, 3)
    rows = ["item,annotator,label,seconds", "p0,ann,harmful,3.5", "p0,bob,harmful,", "p1,ann,unclear,2"]
    path = written(tmp_path / "votes.csv", *rows)
    assert import_votes(service, path) == 3
    assert import_votes(service, path) == 0
    assert [decision.label for decision in service.decisions("b")] == ["harmful"]
    assert [entry["seconds"] for entry in _votes(service, "p0")] == [3.5, 0.0]
    assert len(items_of(service.queue("ann"))) == 1
    assert import_votes(service, written(path, *rows, "p1,bob,harmful,1")) == 1
    assert len(service.to_review("eve")) == 1


def test_new_votes_are_counted_where_places_in_the_log_have_gaps(url, tmp_path):
    """As in PostgreSQL, where a vote that is there already uses up a place."""
    service = LabelService(EventLog(url))
    put(service, 3)
    rows = ["item,annotator,label", "p0,ann,harmful", "p1,ann,harmful"]
    path = written(tmp_path / "votes.csv", *rows)
    assert import_votes(service, path) == 2

    def fails() -> None:
        with service.transaction() as transaction:
            transaction.append("flag", item_id("b", "p2"), "bob")
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert import_votes(service, written(path, *rows, "p2,ann,harmful")) == 1


def _votes(service: LabelService, row: str) -> list[dict[str, float]]:
    with service.state() as state:
        return [{"seconds": v.seconds} for i in state.items.values() if i.row == row for v in i.votes.values()]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("p9,ann,harmful,1", r"row 3: item 'p9' is not one of those to label here"),
        ("a post of somebody,ann,harmful,1", r"row 3: item is not one of those"),
        ("p0,ann,harmfull,1", r"row 3: label 'harmfull' is no class; did you mean 'harmful'\?"),
        ("p0,ann,a post of somebody,1", r"row 3: label is no class \(classes:"),
        ("p0,a post of somebody,harmful,1", r"row 3: annotator: expected a name"),
        ("p0,,harmful,1", r"row 3: annotator: expected a name"),
        ("p1,bob,harmful,-1", r"row 3: seconds: expected a number"),
        ("p1,bob,harmful,nan", r"row 3: seconds: expected a number"),
        ("p1,bob,harmful,long", r"row 3: seconds: expected a number"),
        ("p1,ann,harmless,1", r"row 3: annotator ann has labelled item 'p1' before"),
        ("p2,zoe,harmless,1", r"row 3: item 'p2' has all its 2 votes"),
        ("p0", r"row 3: label is no class"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_read(service, tmp_path, row, message):
    put(service, 3)
    for name in ("ann", "bob"):
        vote_next(service, name, "harmful")  # of p0; p2 gets its two below
    rows = ["item,annotator,label,seconds", "p2,ann,harmful,1", "p2,bob,harmful,1"]
    import_votes(service, written(tmp_path / "first.csv", *rows))
    before = service.log.since(0)
    path = written(tmp_path / "votes.csv", "item,annotator,label,seconds", "p1,ann,harmful,1", row)
    with pytest.raises(DataError, match=message) as caught:
        import_votes(service, path)
    assert "somebody" not in str(caught.value)
    assert service.log.since(0) == before


def test_an_event_of_somebody_else_under_the_id_of_an_imported_vote_is_one_line(service, clock, tmp_path):
    rows = ["item,annotator,label", "p0,carol,harmful"]
    path = written(tmp_path / "votes.csv", *rows)
    twin = LabelService(EventLog(str(tmp_path / "twin.sqlite")))  # whose vote gets the same id
    for one in (service, twin):
        put(one, 1)
    import_votes(twin, path)
    with twin.state() as state:
        [(item, id_)] = [(item.id, item.votes["carol"].event) for item in state.items.values()]
    service.queue("bob")
    assert service.comment("bob", item, "text", event=id_).accepted
    with pytest.raises(DataError, match="row 2: something else in the store has the id of this vote; rename the ann"):
        import_votes(service, path)
    assert service.undo("carol").reason == "there is nothing to undo"
    assert import_votes(service, written(path, *rows[:1], "p0,carla,harmful")) == 1


def test_the_name_of_imported_votes_is_nobodys_on_the_page_until_it_is_released(service, tmp_path):
    put(service, 3)
    assert service.bind("ann", "browser 1") is None
    path = written(tmp_path / "votes.csv", "item,annotator,label", "p0,ann,harmful", "p0,dave,harmful")
    assert import_votes(service, path) == 2
    assert service.bind("ann", "browser 2", "browser 1") is None
    assert service.bind("dave", "browser 3") == (
        "has votes that were imported: choose another name, or have it released (rarecase label forget)"
    )
    service.bind_alone("dave", "browser 3")  # by a link, of those in --roles
    assert service.browsers_of("dave") == ("browser 3",)
    assert service.forget("dave")
    assert import_votes(service, written(path, "item,annotator,label", "p1,dave,harmful")) == 1
    assert service.bind("dave", "browser 4") is None


def test_names_that_look_alike_are_not_two_people_unless_they_are_stored(service, tmp_path):
    put(service, 5)
    head, first = "item,annotator,label", "p0,zoë,harmful"
    for row in ("p0,ZOË,harmful", "p1,z\u043eë,harmful"):
        path = written(tmp_path / "votes.csv", head, first, row)
        with pytest.raises(DataError, match=r"votes.csv: annotator \w+ looks like zoë; use one name for one person"):
            import_votes(service, path)
    assert import_votes(service, written(tmp_path / "votes.csv", head, first)) == 1
    with pytest.raises(DataError, match="annotator Zoë looks like zoë"):
        import_votes(service, written(tmp_path / "votes.csv", head, "p1,Zoë,harmful"))
    with service.transaction() as transaction:
        transaction.append("skip", item_id("b", "p1"), "Zoë")  # as before there was this rule
    rows = ("p1,Zoë,harmful", "p1,zoë,harmful")
    assert import_votes(service, written(tmp_path / "votes.csv", head, *rows)) == 2


def test_a_missing_column_is_named(service, tmp_path):
    with pytest.raises(DataError, match=r"row 1: no column 'label'; did you mean 'labels'\?"):
        import_votes(service, written(tmp_path / "votes.csv", "item,annotator,labels"))
    with pytest.raises(DataError, match="No such file"):
        import_votes(service, tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="/dev/zero: not a file; expected a CSV file"):
        import_votes(service, Path("/dev/zero"))


def test_an_id_in_two_batches_needs_the_batch(service, tmp_path):
    put(service, 1)
    put(service, 1, "c")
    with pytest.raises(DataError, match="row 2: item 'p0' is in 2 batches"):
        import_votes(service, written(tmp_path / "votes.csv", "item,annotator,label", "p0,ann,harmful"))
    assert (
        import_votes(service, written(tmp_path / "votes.csv", "item,annotator,label,batch", "p0,ann,harmful,c")) == 1
    )
    assert service.decisions("b") == []


def test_the_commands_print_json_and_figures(labelled, tmp_path, capsys):
    store = str(tmp_path / "labels.sqlite")
    assert command(["label", "status", "--store", str(tmp_path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["decided"] == 7
    assert command(["label", "status", "--store", store]) == 0
    out = capsys.readouterr().out
    assert "7 of 9 decided, 2 open, " in out
    assert "A1" in out
    assert command(["label", "export", "--store", store, "--out", str(tmp_path / "votes.csv")]) == 0
    assert "16 votes" in capsys.readouterr().err
    votes = written(tmp_path / "more.csv", "item,annotator,label", "p8,fay,harmful")
    assert command(["label", "import", str(votes), "--store", store]) == 0
    assert "1 new votes" in capsys.readouterr().err


def test_a_store_in_which_nothing_has_happened_is_none(tmp_path, capsys):
    EventLog(str(tmp_path / "labels.sqlite")).close()
    assert command(["label", "status", "--store", str(tmp_path)]) == 2
    assert f"--store {tmp_path}: no label store there yet; expected that of a run or start" in capsys.readouterr().err


def test_a_name_is_forgotten_by_command(labelled, tmp_path, capsys):
    labelled.bind("fay", "browser 1")
    store = ["--store", str(tmp_path / "labels.sqlite")]
    assert command(["label", "forget", "fey", *store]) == 2
    assert "nobody has signed in as 'fey'; did you mean 'fay'?" in capsys.readouterr().err
    assert command(["label", "forget", "fay", *store]) == 0
    assert LabelService(EventLog(store[1])).bind("fay", "browser 2") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "--store", "nowhere.sqlite"], "--store nowhere.sqlite: no label store there"),
        (["export", "--store", "nowhere", "--out", "votes.csv"], "--store nowhere: no label store there"),
        (["serve", "--store", "s.sqlite", "--votes", "0"], "--votes 0: expected at least 1"),
        (["serve", "--store", "s.sqlite", "--lease", "0"], "--lease 0.0: expected more than 0 seconds"),
        (["serve", "--store", "s.sqlite", "--lease", "nan"], "--lease nan: expected more than 0 seconds"),
        (["serve", "--store", "s.sqlite", "--lease", "inf"], "--lease inf: expected more than 0 seconds, at most 1,0"),
        (["serve", "--store", "s.sqlite", "--calibrate-every", "10"], "--calibrate-every needs --qualify FILE"),
        (["serve", "--store", "no/such/s.sqlite"], "--store no/such/s.sqlite: no label store there"),
    ],
)
def test_a_mistake_is_one_line_and_makes_no_store(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert command(["label", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
