"""Which encoding a file is in: told by its byte order mark, or named by the line that refuses it."""

import re

import pyarrow.parquet as pq
import pytest

from rarecase.cli.main import command

TEXTS = ["Ein Haus – “alt” für 5 € … 東京 🐢", "Two boats at the harbour"]
TABLE = "".join(f"{line}\n" for line in ["id,text", *(f"{row},{text}" for row, text in enumerate(TEXTS))])


def read_back() -> list[str]:
    return pq.read_table("pool.parquet")["text"].to_pylist()


@pytest.mark.parametrize("marks", [1, 2])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("named", ["utf-8", "latin-1"])
def test_a_byte_order_mark_tells_the_encoding_whatever_is_named(tmp_path, monkeypatch, marks, encoding, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts.csv").write_bytes(("\ufeff" * marks + TABLE.replace("\n", "\r\n")).encode(encoding))
    assert command(["pool", "posts.csv", "--encoding", named, "--out", "pool.parquet"]) == 0
    assert read_back() == TEXTS


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "Où est l'été ?"),
        ("cp1252", "“Où” – 5 €"),
        ("cp1252", "It’s late"),
        ("latin-1", "a line\x81with a control character"),
        ("utf-16-le", "One tree by the river"),
        ("utf-16-be", "One tree by the river"),
    ],
)
@pytest.mark.parametrize("name", ["posts.csv", "posts.json"])
def test_the_encoding_that_the_error_names_reads_the_file(tmp_path, refused, encoding, text, name):
    array = f'[{{"text":"{TEXTS[1]}"}},{{"text":"{text}"}}]'
    content = f"text\n{TEXTS[1]}\n{text}\n" if name == "posts.csv" else array
    (tmp_path / name).write_bytes(content.encode(encoding))
    line = refused("pool", name, "--out", "pool.parquet")
    named = re.search(r"--encoding ([\w-]+)", line)[1]
    assert command(["pool", name, "--encoding", named, "--out", "pool.parquet"]) == 0
    assert read_back() == [TEXTS[1], text]


def test_a_line_that_is_damaged_does_not_make_all_others_latin_1(refused, tmp_path):
    (tmp_path / "posts.csv").write_bytes(TABLE.encode() + b"2,caf\xe9\n")
    line = refused("pool", "posts.csv", "--out", "pool.parquet")
    assert "line 4: byte 6 (0xe9) is not valid utf-8, which the lines before are; correct this line" in line
    assert "--encoding" not in line


def test_utf_16_without_a_byte_order_mark_is_told_so(refused, tmp_path):
    (tmp_path / "posts.csv").write_bytes(TABLE.encode("utf-16-le"))
    line = refused("pool", "posts.csv", "--encoding", "utf-16", "--out", "pool.parquet")
    assert "posts.csv: no byte order mark, which utf-16 needs; is it utf-8, or --encoding utf-16-le?" in line
    (tmp_path / "posts.csv").write_bytes("\ufefftext\na".encode("utf-16-le") + b"\0\xd8")
    assert "not valid utf-16 after line 1; is the file damaged?" in refused("pool", "posts.csv", "--out", "a.parquet")


@pytest.mark.parametrize(
    ("encoding", "wrong"),
    [
        ("utf-16-le", b"\0\xd8"),
        ("utf-16-be", b"\xd8\0"),
        ("utf-32-le", b"\xff" * 4),
        ("utf-32-be", b"\xff" * 4),
        ("utf-8-sig", b"\xff"),
    ],
)
@pytest.mark.parametrize("before", [1, 300])  # the first in the piece that begins with the mark, the other not
def test_the_line_before_what_is_damaged_is_counted(refused, tmp_path, encoding, wrong, before):
    named = encoding if encoding == "utf-8-sig" else "utf-8"
    begin, end = (text.encode(encoding) for text in ("\ufefftext\n" + f"{'ab' * 500}\n" * before, "ab\nab\n"))
    (tmp_path / "posts.csv").write_bytes(begin + wrong + end)
    line = refused("pool", "posts.csv", "--encoding", named, "--out", "pool.parquet")
    assert f"not valid {encoding.removesuffix('-le').removesuffix('-be')} after line {before + 1};" in line


@pytest.mark.parametrize("name", ["posts.xlsx", "posts.XLS", "posts.ods"])
def test_a_workbook_is_told_the_way_out(refused, tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    line = refused("pool", name, "--out", "pool.parquet")
    assert f"{name}: no workbook is read; export the sheet as CSV ('CSV UTF-8' in Excel) and name that" in line
