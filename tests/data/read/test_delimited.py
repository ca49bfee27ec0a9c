"""CSV by whatever its header has between the names; what the standard library and rarecase write is read back."""

import csv
import io

import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rarecase.cli.main import command
from rarecase.core.csv_cells import BEGINS, restored
from rarecase.data.read.delimited import delimiter_of
from rarecase.data.read.formats import read_file
from rarecase.data.read.table import read_table
from rarecase.data.write import write_table

WANTED = ("id", "text", "label")
# No NUL, which is damage, and no half of a surrogate pair, which no file can hold.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(st.sampled_from('abtexidl ,;\t"'), min_size=1, max_size=8).filter(lambda name: name.strip(" \t"))


def written(header: list[str], rows: list[list[str]], **dialect: object) -> str:
    file = io.StringIO()
    csv.writer(file, **dialect).writerows([header, *rows])
    return file.getvalue()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(TEXTS, min_size=3, max_size=3), min_size=1, max_size=5),
    other=NAMES,
    place=st.integers(0, 3),
    delimiter=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_the_csv_module_writes_is_read_back_but_for_a_sign_in_front_of_a_formula(
    tmp_path, rows, other, place, delimiter, quoting
):
    header, *with_other = ([*row[:place], f"{other} ", *row[place:]] for row in [WANTED, *rows])  # never a wanted name
    path = tmp_path / "posts.csv"
    content = written(header, with_other, delimiter=delimiter, quoting=quoting)
    path.write_text(content, encoding="utf-8", newline="")
    found = read_file(path, WANTED)
    assert found.header == tuple(header)
    read = [list(row) for row in zip(*(found.table[name].to_pylist() for name in WANTED), strict=True)]
    assert read == [list(map(restored, row)) for row in rows]


@pytest.mark.parametrize("begin", BEGINS)
def test_what_rarecase_wrote_as_csv_is_read_back_without_the_sign_in_front_of_a_formula(begin, tmp_path):
    rows = {"id": [f"{begin}1", "2"], "text": [f"{begin}SUM of it all", "'One tree"], "label": ["a", f"{begin}b"]}
    write_table(tmp_path / "posts.csv", Dataset.from_dict(rows))
    found = read_table(tmp_path / "posts.csv", split="test", labeled=True)
    assert {name: found[name][:] for name in rows} == rows


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("text", ","),  # one column, whatever its rows hold
        ("id;text;label", ";"),
        ("id\ttext", "\t"),
        ('"text";"what, when, where"', ";"),
        ('"a;b;c;d",text', ","),
        ("a;b;c;d,text", ","),  # without quotes, too: by `;` there would be no `text`
        ("number;post;kind", ";"),  # none is known: the error then lists them
        ("number;post,kind", ","),
        ("Text ; Label\r\n", ";"),
        ("", ","),
        ("\n", ","),
        ('"', ","),
    ],
)
def test_the_header_alone_tells_the_delimiter(header, delimiter):
    assert delimiter_of(header, WANTED) == delimiter


def test_a_column_that_is_named_tells_the_delimiter_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts.csv").write_text("\na;b;c,post\n1;2,One tree; by the river\n", encoding="utf-8")
    assert command(["pool", "posts.csv", "--text-column", "post", "--out", "pool.parquet"]) == 0
    assert pq.read_table("pool.parquet")["text"].to_pylist() == ["One tree; by the river"]


def test_an_error_speaks_of_the_delimiter_of_the_file_and_counts_the_rows_as_they_stand(refused, tmp_path):
    (tmp_path / "posts.csv").write_text("\n\nid;text\n1;One tree\n2;Two; boats\n", encoding="utf-8")
    answer = "posts.csv row 5: 3 fields, expected 2 as in the header; quote a text that holds a semicolon"
    assert answer in refused("pool", "posts.csv", "--out", "pool.parquet")
    (tmp_path / "posts.csv").write_text('id\ttext\n1\t"One"tree\n', encoding="utf-8")
    assert 'expected CSV: a text with a tab in "quotes"' in refused("pool", "posts.csv", "--out", "pool.parquet")
    (tmp_path / "posts.csv").write_text("id;txt;kind\n1;One tree;a\n", encoding="utf-8")
    answer = "no column 'text' (there are: id, txt, kind); did you mean 'txt'"
    assert answer in refused("pool", "posts.csv", "--out", "pool.parquet")
