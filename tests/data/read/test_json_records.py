"""JSON as one array of objects; what the standard library writes is read back the same, wherever the text is cut."""

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.cli.main import command
from rarecase.data.read.json_records import array_records

SECRET = "my neighbour hides a tortoise"
TEXTS = ["one tree by the river", "two boats at the harbour", 'été 🙂 \\ " ] } ,']
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(
    records=st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=6),
    indent=st.sampled_from([None, 0, 3]),
    escaped=st.booleans(),
    around=st.text(st.sampled_from(" \t\r\n"), max_size=3),
    size=st.integers(1, 9),
)
def test_what_the_json_module_writes_is_read_back_the_same(records, indent, escaped, around, size):
    text = around + json.dumps(records, indent=indent, ensure_ascii=escaped) + around
    pieces = (text[at : at + size] for at in range(0, len(text), size))
    assert list(array_records(Path("posts.json"), pieces)) == list(enumerate(records, 1))


@pytest.mark.parametrize("name", ["posts.json", "posts.JSON.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_array_is_a_table_and_may_be_packed(tmp_path, monkeypatch, name, encoding):
    monkeypatch.chdir(tmp_path)
    records = [{"id": str(row), "text": text} for row, text in enumerate(TEXTS)]
    content = json.dumps(records, ensure_ascii=False).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert command(["pool", name, "--out", "pool.parquet"]) == 0
    assert pq.read_table("pool.parquet").select(["id", "text"]).to_pylist() == records


def test_an_array_on_one_line_may_be_longer_than_any_line_of_another_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = [{"text": f"{TEXTS[0]} {row}", "more": "a" * 1_000_000} for row in range(20)]
    (tmp_path / "posts.json").write_text(json.dumps(records), encoding="utf-8")
    assert command(["pool", "posts.json", "--out", "pool.parquet"]) == 0
    assert pq.read_metadata("pool.parquet").num_rows == 1  # the others nearly repeat it


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("[]", "no rows; expected at least one"),
        (f'["{SECRET}"]', "row 1: expected a JSON object, found a string; write an array of objects"),
        (f'[{{"text": "{SECRET}"}}, ["a"]]', "row 2: expected a JSON object, found a list"),
        (f'[{{"text": "{SECRET}"}}, {{"text": "a]', "row 2: invalid JSON at character 10; expected an array of obj"),
        (f'[{{"text": "{SECRET}"}},', "row 2: invalid JSON at character 1; expected an array of objects (truncated?)"),
        (f'[{{"text": "{SECRET}"}}', "row 1: expected a comma or ] after it, found the end of the file (truncated?)"),
        (f'[{{"text": "{SECRET}"}} {{}}]', "row 1: expected a comma or ] after it, found something else"),
        (f'[{{"text": "{SECRET}"}}]\n[]', "more after the end of the array; expected one array, or one object a line"),
        ('[{"text": ["a", "b"]}]', "row 1: 'text' is a list, expected text; write one value a row"),
        ('[{"text": "\\ud800"}]', "row 1: half of a surrogate pair"),
        ('[{"text": "a\0"}]', "line 1: a NUL byte at position 13"),
        ("[" + "[" * 100_000, "row 1: nested too deeply"),
        ('{"data": [\n{"text": "a"}]}', "line 1: invalid JSON at character 11; expected one object a line, or in a"),
    ],
)
def test_what_is_no_array_of_objects_is_named_by_its_row(refused, tmp_path, content, answer):
    (tmp_path / "posts.json").write_text(content, encoding="utf-8")
    line = refused("pool", "posts.json", "--out", "pool.parquet")
    assert f"posts.json {answer}" in line.replace("posts.json:", "posts.json")
    assert "tortoise" not in line
