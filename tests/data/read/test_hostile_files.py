"""Files that strangers made: whatever they hold is one line, in bounded memory and time; by the command itself."""

import gzip
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from rarecase.cli.main import command

TEXTS = ["one tree by the river", "two boats at the harbour"]
# Imports what reading takes, and prints how much the peak of the memory then grows by, in MiB, for each file.
MEASURE = """
import resource, sys
import datasets, rarecase.data.pool, rarecase.data.parquet
from rarecase.cli.main import command
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
before = peak()
for file in sys.argv[1:]:
    print(command(["pool", file, "--out", "out.parquet"]), peak() - before, flush=True)
"""
# Reads a table, with each bit in turn that says of which kind its columns are (the begin of the footer) the other way.
FLIP = """
from pathlib import Path
from rarecase import RarecaseError, read_table
good = Path("good.parquet").read_bytes()
begin = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
for place in range(begin, begin + 150):
    bad = bytearray(good)
    bad[place] ^= 1
    Path("bad.parquet").write_bytes(bad)
    try:
        read_table("bad.parquet", split="train", labeled=False)
    except RarecaseError:
        pass
print("done")
"""
VALUES = 50_000_000  # of one list, in a file of less than 1 kB


@pytest.fixture
def refused_pool(refused):
    """Makes a pool of a file, and gives the one line that refuses it."""

    def run(*arguments: str) -> str:
        line = refused("pool", *arguments, "--out", "out.parquet")
        assert len(line) < 2500
        assert not os.path.exists("out.parquet")
        return line

    return run


def write(name: str, table: pa.Table) -> str:
    pq.write_table(table, name)
    return name


def described(features: object, **columns: list) -> pa.Table:
    """A table with features in the words of `datasets`."""
    about = json.dumps({"info": {"features": features}}).encode()
    return pa.table(columns).replace_schema_metadata({b"huggingface": about})


def packed(content: bytes, window: int) -> bytes:
    """As zstd packs what comes from a pipe."""
    settings = zstandard.ZstdCompressionParameters.from_level(3, window_log=window, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    return stream.compress(content) + stream.flush()


def test_bombs_are_refused_in_250_mib_and_ten_seconds(tmp_path):
    long = b"a" * (1 << 24)
    zst, gz = zstandard.compress(long), gzip.compress(long)
    files = {
        "line.csv": b"id,text\n1," + long * 6,
        "zst.csv.zst": zstandard.compress(b"id,text\n1,") + zst * 640,  # 10 GiB
        "RS_dump.zst": zstandard.compress(b'{"id": "') + zst * 640,
        "line.jsonl.gz": gzip.compress(b'{"text": "') + gz * 128,  # 2 GiB
        "table.parquet.gz": gz * 128,
        "equal.csv.gz": gzip.compress(b"text\n") + gzip.compress(b"a" * 100_000 + b"\n") * 10_000,  # each row is short
        "equal.jsonl.gz": gzip.compress(b'{"text": "' + long[: 1 << 22] + b'"}\n') * 250,
        "equal.tsv.zst": zstandard.compress(b"text\n") + zstandard.compress(long[: 1 << 22] + b"\n") * 250,
        "blank.csv.zst": zstandard.compress(b"text\na\n") + zstandard.compress(b"\n" * (1 << 24)) * 64,
        "window.csv.zst": packed(b"text\n" + b"a\n" * (1 << 20), window=31),
        "fields.csv": b"id,text\n" + b"ab," * (1 << 22),
        "rows.csv": b"id,text\n" + b'"\n",' * (1 << 24),
        "array.json": b'[{"text": "' + long,
        "array.json.gz": gzip.compress(b'[{"text": "a", "b": [') + gzip.compress(b"[]," * (1 << 22)) * 64,
        "equal.json.gz": gzip.compress(b"[")
        + gzip.compress(b'{"text": "' + long[: 1 << 22] + b'"},') * 250,  # each row is short
        "blank.json.zst": zstandard.compress(b"[") + zstandard.compress(b" " * (1 << 24)) * 640,
        "utf-16.csv": "a".encode("utf-16") * (1 << 24),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name in ("line.jsonl", "line.tsv", "line.json"):
        os.link(tmp_path / "line.csv", tmp_path / name)
        files[name] = b""
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000_000, pa.int32()), ["a" * 2000])
    values = pa.nulls(VALUES, pa.float32())
    tables = {
        "texts": pa.table({"text": same}),  # 4 GB
        "nulls": pa.table({"text": pa.nulls(20_000_000, pa.string())}),
        "text": pa.table({"text": ["a" * (100 << 20)]}),
        "list": pa.table({"text": ["a"], "embedding": pa.LargeListArray.from_arrays([0, VALUES], values)}),
    }
    for name, table in tables.items():
        write(str(tmp_path / f"{name}.parquet"), table)
        files[f"{name}.parquet"] = b""
    run = [sys.executable, "-c", MEASURE, *files]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=10 * len(files))
    results = [line.split() for line in done.stdout.splitlines()]
    assert [status for status, _ in results] == ["2"] * len(files), done.stderr
    assert all(line.startswith("rarecase: ") for line in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) == len(files)
    assert int(results[-1][1]) < 250, list(zip(files, results, strict=True))


def test_no_bit_of_a_parquet_footer_ends_the_process(forks, tmp_path):
    votes = pa.array([[{"annotator": "A1", "label": 0, "seconds": 1.0}], []])
    pq.write_table(pa.table({"id": ["a", "b"], "text": ["one", "two"], "votes": votes}), tmp_path / "good.parquet")
    assert forks.run(["-c", FLIP], cwd=tmp_path).stdout == "done\n"


def test_a_long_line_is_read_and_one_of_over_16_mib_is_named(refused_pool, tmp_path, capsys):
    wide = ",".join(["id", "text", *(f"c{i:07}" for i in range(100_000))])
    (tmp_path / "wide.csv").write_text(f"{wide}\n1,{TEXTS[0]}{',' * 100_000}\n")
    assert command(["pool", "wide.csv", "--out", "wide.parquet"]) == 0
    capsys.readouterr()
    (tmp_path / "long.tsv").write_text(f"id\ttext\n1\t{'a' * (1 << 24)}\n")
    assert "long.tsv line 2: longer than 16 MiB" in refused_pool("long.tsv")


def test_names_in_an_error_are_few_and_short(refused_pool, tmp_path):
    (tmp_path / "columns.csv").write_text(",".join(f"c{i}" for i in range(200_000)) + "\n" + "," * 199_999)
    assert "c0, c1, c2" in (line := refused_pool("columns.csv"))
    assert "c19 and 199,980 more" in line
    (tmp_path / "more.csv").write_text(",".join(f"c{i}" for i in range(1_000_000)) + "\n1\n")
    assert "more.csv row 1: more than 200,000 columns" in refused_pool("more.csv")
    assert "no such file or folder" in refused_pool("n" * 300)
    assert "no such file or folder" in refused_pool(f"{'n' * 300}/{'n' * 300}.csv")
    assert "…" in refused_pool("n" * 100_000)


@pytest.mark.parametrize("line", ["9" * 5000, "[" * 100_000 + "]" * 100_000, "[" * 100_000, "1e999999", "\ud800"])
def test_odd_json_is_one_line(refused_pool, tmp_path, line):
    (tmp_path / "odd.jsonl").write_bytes(b'{"text": "fine"}\n' + line.encode(errors="surrogatepass") + b"\n")
    assert "odd.jsonl line 2: " in refused_pool("odd.jsonl")


@pytest.mark.parametrize(
    ("name", "table", "answer"),
    [
        ("twice", pa.table([[TEXTS[0]], [TEXTS[1]]], names=["text", "text"]), "has the column 'text' twice"),
        ("type", described({"text": {"_type": "Evil"}}, text=TEXTS), "its metadata 'huggingface' cannot be read"),
        (
            "class",
            described(
                {
                    "text": {"dtype": "string", "_type": "Value"},
                    "label": {"names": ["a", "b"], "_type": "ClassLabel"},
                },
                text=TEXTS,
                label=[0, 77],
            ),
            "row 2: a number in column 'label' for which it has no class; there are 2",
        ),
        (
            "names",
            described(
                {
                    "text": {"dtype": "string", "_type": "Value"},
                    "label": {"names": ["a", {}], "_type": "ClassLabel"},
                },
                text=TEXTS,
                label=[0, 1],
            ),
            "its metadata 'huggingface' cannot be read",
        ),
        (
            "deep",
            pa.table({"text": TEXTS}).replace_schema_metadata({b"huggingface": b"[" * 100_000}),
            "its metadata 'huggingface' cannot be read",
        ),
    ],
)
def test_odd_parquet_is_one_line(refused_pool, tmp_path, name, table, answer):
    assert answer in refused_pool(write(f"{name}.parquet", table))


@pytest.mark.parametrize("encoding", ["undefined", "hex", "rot13", "base64", "idna", "unicode_escape", "x" * 5000])
def test_what_is_no_encoding_of_a_text_file_is_refused(refused_pool, tmp_path, encoding):
    (tmp_path / "posts.csv").write_text(f"id,text\n1,{TEXTS[0]}\n")
    assert "unknown encoding" in refused_pool("posts.csv", "--encoding", encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32", "utf-7", "cp037", "hz", "iso2022_jp"])
@pytest.mark.parametrize("read_as", ["utf-8", "utf-16", "utf-32-be", "utf-7", "shift_jis", "latin-1"])
def test_a_file_in_another_encoding_is_one_line_or_read(tmp_path, monkeypatch, capsys, encoding, read_as):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts.csv").write_bytes(f"id,text\n1,{TEXTS[0]}\n".encode(encoding))
    assert command(["pool", "posts.csv", "--encoding", read_as, "--out", "out.parquet"]) in (0, 2)
    assert capsys.readouterr().err.count("\n") <= 1


def test_a_doubled_byte_order_mark_is_no_part_of_the_header(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "posts.csv").write_text(f"\ufeff\ufeffid,text\n1,{TEXTS[0]}\n", encoding="utf-8")
    assert command(["pool", "posts.csv", "--out", "out.parquet"]) == 0
    assert pq.read_table("out.parquet")["id"].to_pylist() == ["1"]
