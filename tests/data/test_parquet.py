"""Parquet files have a checksum of each page, so that one in which a byte has changed is refused, and not read."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from rarecase.core.errors import DataError
from rarecase.data.parquet import read_parquet, write_parquet


def changed(path, old: bytes, new: bytes) -> None:
    """Replaces these bytes, of which the file stays readable."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def test_a_byte_that_has_changed_in_a_page_is_one_line(tmp_path, refused):
    path = tmp_path / "posts.parquet"
    write_parquet(path, Dataset.from_dict({"text": ["one tree by the river", "two boats at the harbour"]}))
    changed(path, b"tree", b"free")
    assert pq.read_table(path)["text"][0].as_py() == "one free by the river"  # what nobody would see
    with pytest.raises(DataError, match=r"posts\.parquet: not a readable Parquet file"):
        read_parquet(path)
    assert "posts.parquet: not a readable Parquet file" in refused("pool", "posts.parquet", "--out", "out.parquet")


def test_a_file_of_others_without_checksums_is_read(tmp_path):
    pq.write_table(pa.table({"text": ["one tree by the river"]}), tmp_path / "theirs.parquet")
    assert read_parquet(tmp_path / "theirs.parquet")["text"][:] == ["one tree by the river"]


def test_a_column_whose_name_is_no_text_is_one_line(tmp_path, refused):
    path = tmp_path / "posts.parquet"
    pq.write_table(pa.table({"text": ["one tree"], "other": [1]}), path, store_schema=False)
    changed(path, b"other", b"\xffther")
    assert "posts.parquet: not a readable Parquet file" in refused("pool", "posts.parquet", "--out", "out.parquet")


def test_a_file_that_is_missing_is_named_as_the_system_does(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        read_parquet(tmp_path / "absent.parquet")
    assert raised.value.filename == str(tmp_path / "absent.parquet")


def test_a_file_that_the_system_does_not_read_is_not_called_truncated(tmp_path):
    with pytest.raises(DataError, match=r": not a file$"):
        read_parquet(tmp_path)
