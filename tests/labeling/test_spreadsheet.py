"""People as annotators, with a spreadsheet program: what is written, what comes back, what goes wrong."""

import csv
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.core.csv_cells import restored
from rarecase.core.errors import DataError, WaitingForLabels
from rarecase.data import arrow, schema
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.labeling.csv_file import LONGEST, MOST_ROWS
from rarecase.labeling.spreadsheet import File

TAXONOMY = Taxonomy.default()
TEXTS = ['He said "no", twice', "two\nlines", "=1+1", " a tea; with milk", "été 🙂"]
IDS = [f"p-{i}" for i in range(len(TEXTS))]


@pytest.fixture
def chosen() -> Dataset:
    return Dataset.from_dict({"id": IDS, "text": TEXTS, "source": ["r/a"] * len(TEXTS)})


@pytest.fixture
def annotator(tmp_path) -> File:
    return File(tmp_path / "to_label.csv", TAXONOMY, "rarecase run --resume out")


def asked(annotator: File, dataset: Dataset) -> str:
    with pytest.raises(WaitingForLabels) as caught:
        annotator.annotate(dataset)
    return str(caught.value)


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def save(path: Path, rows: list[dict[str, str]], *, encoding: str = "utf-8", **dialect: Any) -> None:
    """The file as a spreadsheet program would save it."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), **dialect)
        writer.writeheader()
        writer.writerows(rows)


def fill(annotator: File, labels: dict[str, str]) -> list[dict[str, str]]:
    rows = read(annotator.path)
    for row in rows:
        row["label"] = labels.get(row["id"], "")
    save(annotator.path, rows)
    return rows


def test_it_writes_the_rows_and_says_what_to_do(annotator, chosen):
    message = asked(annotator, chosen)
    assert annotator.path.read_bytes().startswith(b"id,text,label\r\n")
    assert [(row["id"], row["text"], row["label"]) for row in read(annotator.path)] == [
        (id_, text.replace("=1+1", "'=1+1"), "") for id_, text in zip(IDS, TEXTS, strict=True)
    ]
    assert message.startswith(f"{annotator.path}: 5 rows to label; ")
    assert all(name in message for name in TAXONOMY.names)
    assert message.endswith("rarecase run --resume out")
    assert "\n" not in message
    assert [path.name for path in annotator.path.parent.iterdir()] == ["to_label.csv"]


def test_of_many_classes_and_of_long_names_the_first_are_named(tmp_path, chosen):
    taxonomy = Taxonomy(tuple(Category(f"class {number} {'x' * 300}") for number in range(1000)))
    message = asked(File(tmp_path / "to_label.csv", taxonomy, "go on"), chosen)
    assert " and 980 more (a row left empty is not used), then go on with: go on" in message
    assert len(message) < 2000


def test_filled_rows_come_back_in_the_order_asked_and_empty_ones_do_not(annotator, chosen):
    asked(annotator, chosen)
    rows = fill(annotator, {"p-3": "self-harm", "p-1": "not-harmful"})
    save(annotator.path, sorted(rows, key=lambda row: row["id"], reverse=True))
    labelled = annotator.annotate(chosen)
    assert labelled["id"][:] == ["p-1", "p-3"]
    assert labelled["text"][:] == [TEXTS[1], TEXTS[3]]
    assert labelled["label"][:] == [5, 0]
    assert labelled["annotator"][:] == ["A1", "A1"]
    assert labelled["votes"][:] == [
        [{"annotator": "A1", "label": label, "seconds": None}] for label in labelled["label"][:]
    ]
    assert labelled["source"][:] == ["r/a", "r/a"]
    assert schema.conform(labelled, TAXONOMY.names).features == schema.features(TAXONOMY.names)


def test_no_cell_is_a_formula_and_ids_and_labels_come_back(tmp_path):
    names = ["=HYPERLINK(0)", "-1", "+x", "@home", "'quoted", "plain"]
    annotator = File(tmp_path / "to_label.csv", Taxonomy(tuple(map(Category, names))), "go on", ["set"])
    ids = [f"{name}#1" for name in names]
    chosen = Dataset.from_dict({"id": ids, "text": ["=cmd|' /C calc'!A0"] * 6, "set": ["\tdev"] * 6})
    asked(annotator, chosen)
    rows = list(csv.reader(io.StringIO(annotator.path.read_text(encoding="utf-8"), newline="")))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    for written in (names, [f"'{name}" for name in names[:5]] + ["plain"]):  # as typed, or as we would write it
        filled = [[*row[:2], label, "x"] for row, label in zip(rows[1:], written, strict=True)]
        save(annotator.path, [dict(zip(rows[0], row, strict=True)) for row in filled])
        assert annotator.annotate(chosen)["id"][:] == ids
        assert annotator.annotate(chosen)["label"][:] == list(range(6))


def test_while_nothing_is_filled_in_it_asks_again_and_leaves_the_file(annotator, chosen):
    asked(annotator, chosen)
    rows = read(annotator.path)
    save(annotator.path, rows[::-1])
    before = annotator.path.read_bytes()
    assert "5 rows to label" in asked(annotator, chosen)
    assert annotator.path.read_bytes() == before


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_saved_by_any_spreadsheet_program_is_read(annotator, chosen, delimiter, line_end, encoding):
    asked(annotator, chosen)
    spoken = ["  Self-Harm ", "DISCARD", "", "legal-advice\u00a0", "not-harmful"]
    rows = [
        {"ID": row["id"], "Text": row["text"], "Label ": label}
        for row, label in zip(read(annotator.path), spoken, strict=True)
    ]
    quoting = csv.QUOTE_ALL if line_end == "\r" else csv.QUOTE_MINIMAL  # Python's writer leaves LF bare before CR ends
    save(annotator.path, rows, encoding=encoding, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    assert annotator.annotate(chosen)["label"][:] == [0, 5, 2, 5]


def test_trailing_cells_and_lines_that_a_program_drops_or_adds_do_not_matter(annotator, chosen):
    lines = ["id;label;text", "p-0;self-harm", "p-1;;x;", "p-2", "", "p-3;discard;", ";;", "p-4;;", ";;", ""]
    annotator.path.write_text("\r\n".join(lines).replace("x;", "x"), encoding="utf-8")
    assert annotator.annotate(chosen)["id"][:] == ["p-0", "p-3"]


def test_the_text_of_the_file_is_ignored(annotator, chosen):
    asked(annotator, chosen)
    rows = fill(annotator, {"p-2": "discard"})
    save(annotator.path, [{**row, "text": "#NAME?"} for row in rows])
    assert annotator.annotate(chosen)["text"][:] == ["=1+1"]


def test_classes_that_differ_in_case_only_stay_apart(tmp_path):
    taxonomy = Taxonomy((Category("it"), Category("IT")))
    annotator = File(tmp_path / "to_label.csv", taxonomy, "rarecase run --resume out")
    chosen = Dataset.from_dict({"id": ["a", "b"], "text": ["one", "two"]})
    asked(annotator, chosen)
    fill(annotator, {"a": "IT", "b": "it"})
    assert annotator.annotate(chosen)["label"][:] == [1, 0]


def test_further_columns_are_shown_to_people(tmp_path, chosen):
    chosen = arrow.with_column(chosen, "set", ["dev", "dev", "test", "test", "bootstrap"])
    annotator = File(tmp_path / "to_label.csv", TAXONOMY, "rarecase start --resume out", columns=("set",))
    asked(annotator, chosen)
    assert [row["set"] for row in read(annotator.path)] == chosen["set"][:]
    fill(annotator, {"p-4": "discard"})
    assert annotator.annotate(chosen)["set"][:] == ["bootstrap"]


def test_the_file_goes_once_its_labels_are_stored_and_one_of_a_later_round_stays(annotator, chosen):
    asked(annotator, chosen)
    earlier = Dataset.from_dict({"id": ["q-1"], "text": ["earlier"]})
    annotator.stored(earlier)
    assert annotator.path.exists()
    annotator.stored(chosen)
    annotator.stored(chosen)
    assert not list(annotator.path.parent.iterdir())


def test_an_empty_leftover_of_another_round_is_written_anew(annotator, chosen):
    asked(annotator, Dataset.from_dict({"id": ["q-1"], "text": ["earlier"]}))
    asked(annotator, chosen)
    assert [row["id"] for row in read(annotator.path)] == IDS
    assert [path.name for path in annotator.path.parent.iterdir()] == ["to_label.csv"]


def test_labels_of_other_ids_are_never_lost(annotator, chosen):
    for round_ in (1, 2):
        annotator.path.unlink(missing_ok=True)
        asked(annotator, Dataset.from_dict({"id": [f"q-{round_}"], "text": ["earlier"]}))
        fill(annotator, {f"q-{round_}": "discard"})
        kept = annotator.path.with_name(f"to_label-earlier-{round_}.csv")
        assert str(kept) in asked(annotator, chosen)
        assert [(row["id"], row["label"]) for row in read(kept)] == [(f"q-{round_}", "discard")]
        assert [row["id"] for row in read(annotator.path)] == IDS


POST = "I have never told anybody this and it is far too long for a label"
HEAD, GOOD = "id,text,label\n", "".join(f"{id_},t,\n" for id_ in IDS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEAD + GOOD.replace("p-1,t,", "p-1,t,self harm"), r"row 3: label 'self harm' .* did you mean 'self-harm'\?"),
        (HEAD + GOOD.replace("p-1,t,", f"p-1,t,{POST}"), "row 3: label is not in the taxonomy"),
        (HEAD + GOOD.replace("p-2", "p-9"), "row 4: id 'p-9' is not one of those to label"),
        (HEAD + GOOD.replace("p-2", POST), "row 4: id is not one of those to label"),
        (HEAD + GOOD + "p-2,t,\n", "row 7: id 'p-2' occurs twice"),
        (HEAD + GOOD.replace("p-2,t,\n", ""), "1 of the 5 rows are missing, the first with id 'p-2'"),
        (HEAD + GOOD.replace("p-3,t", "p-3,t,t"), "row 5: 4 cells, expected 3; put quotes"),
        ("id,text,lable\n" + GOOD, "row 1: no column 'label'; did you mean 'lable'"),
        ("text,label\n", "row 1: no column 'id'"),
        ("", "row 1: no column 'id'"),
        (f"{HEAD}p-0,{'x' * 200_000},\n", "no CSV file in UTF-8"),
        (
            (HEAD + "p-0,caf\u00e9,\n").encode("latin-1"),
            "no CSV file in UTF-8; expected a CSV file, saved as 'CSV UTF-8'",
        ),
    ],
)
def test_what_is_wrong_is_named_in_one_line_without_any_text(annotator, chosen, content, says):
    annotator.path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = annotator.path.read_bytes()
    with pytest.raises(DataError, match=says) as caught:
        annotator.annotate(chosen)
    message = str(caught.value)
    assert message.startswith(str(annotator.path))
    assert "\n" not in message
    assert POST not in message
    assert annotator.path.read_bytes() == before


def test_a_file_without_an_end_or_of_many_rows_is_one_line(annotator, chosen):
    annotator.path.symlink_to("/dev/zero")
    with pytest.raises(DataError, match=r"to_label.csv: not a file; expected a CSV file"):
        annotator.annotate(chosen)
    annotator.path.unlink()
    os.mkfifo(annotator.path)
    with pytest.raises(DataError, match=r"to_label.csv: not a file; expected a CSV file"):
        annotator.annotate(chosen)
    annotator.path.unlink()
    annotator.path.write_text(HEAD + "\n" * MOST_ROWS)
    with pytest.raises(DataError, match=r"to_label.csv: more than 1,048,576 rows; expected what people filled in"):
        annotator.annotate(chosen)
    os.truncate(annotator.path, LONGEST + 1)
    with pytest.raises(DataError, match=r"to_label.csv: longer than 64 MiB; expected what people filled in"):
        annotator.annotate(chosen)


def test_a_column_of_posts_in_place_of_labels_is_not_shown(annotator):
    many = Dataset.from_dict({"id": [f"p-{i}" for i in range(120)], "text": ["t"] * 120})
    save(annotator.path, [{"id": f"p-{i}", "label": f"short post {i}"} for i in range(120)])
    with pytest.raises(DataError, match="row 2: label is not in the taxonomy") as caught:
        annotator.annotate(many)
    assert "short post" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), min_size=1, max_size=8),
)
def test_any_texts_survive_and_exactly_the_filled_rows_come_back(data, texts):
    chosen = Dataset.from_dict({"id": [f"{i}" for i in range(len(texts))], "text": texts})
    wanted = data.draw(st.dictionaries(st.sampled_from(chosen["id"][:]), st.sampled_from(TAXONOMY.names), min_size=1))
    with tempfile.TemporaryDirectory() as folder:
        annotator = File(Path(folder) / "to_label.csv", TAXONOMY, "rarecase run --resume out")
        asked(annotator, chosen)
        with annotator.path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [restored(row["text"]) for row in rows] == texts
        save(annotator.path, [{**row, "label": wanted.get(row["id"], "")} for row in rows])
        labelled = annotator.annotate(chosen)
    assert labelled["text"][:] == [texts[int(id_)] for id_ in labelled["id"][:]]
    found = [TAXONOMY.names[label] for label in labelled["label"][:]]
    assert dict(zip(labelled["id"][:], found, strict=True)) == wanted
    assert labelled["id"][:] == sorted(wanted, key=int)
