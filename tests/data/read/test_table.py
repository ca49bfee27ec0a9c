"""Files into tables: every format says the same, and what is broken is named by file, row and the way out."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from datasets import ClassLabel, Dataset, DatasetDict, load_dataset

from rarecase.core.errors import DataError, MissingColumnError
from rarecase.data.arrow import from_table
from rarecase.data.parquet import write_parquet
from rarecase.data.read import Columns, read_table
from rarecase.data.schema import features

SECRET = "my neighbour hides a tortoise"  # stands in every bad file; no error may repeat it
TEXTS = ["a plain one", 'she said "no", twice', "Zürich – 東京 🐢", "007", "two,commas,here"]
LABELS = ["calm", "loud", "calm", "loud", "calm"]


def table() -> Dataset:
    ids = [f"00{place}" for place in range(len(TEXTS))]
    return Dataset.from_dict({"id": ids, "text": TEXTS, "label": LABELS, "subreddit": ["x", "y", "x", "y", "x"]})


def as_csv(rows: Dataset) -> bytes:
    def quoted(value: str) -> str:
        return '"' + value.replace('"', '""') + '"'

    lines = [",".join(rows.column_names), *(",".join(map(quoted, row.values())) for row in rows)]
    return ("\r\n".join(lines) + "\r\n").encode()


def as_tsv(rows: Dataset) -> bytes:
    return "".join("\t".join(fields) + "\r\n" for fields in [rows.column_names, *(r.values() for r in rows)]).encode()


def as_jsonl(rows: Dataset) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(rows: Dataset) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows.with_format("arrow")[:], sink)
    return sink.getvalue().to_pybytes()


WRITERS = {
    "csv": as_csv,
    "tsv": as_tsv,
    "jsonl": as_jsonl,
    "ndjson": as_jsonl,
    "json": as_jsonl,
    "parquet": as_parquet,
}
PACKERS = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


def read(source, labeled: bool = True, **options) -> Dataset:
    return read_table(source, split="train", labeled=labeled, **options)


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("ending", WRITERS)
def test_every_format_plain_or_packed_gives_the_same_table(tmp_path, ending, packing):
    path = tmp_path / f"posts.{ending}{packing}"
    path.write_bytes(PACKERS[packing](WRITERS[ending](table())))
    found = read(path)
    assert found.to_dict() == {
        "id": ["000", "001", "002", "003", "004"],
        "text": TEXTS,
        "label": LABELS,
        "source": ["x", "y", "x", "y", "x"],
    }
    assert {feature.dtype for feature in found.features.values()} == {"string"}


def test_a_line_break_in_a_quoted_field_of_a_csv_belongs_to_the_text_and_rows_are_counted_as_records(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text('text,label\n"one\ntwo",a\nthree,\n', encoding="utf-8")
    assert read(path, labeled=False)["text"][:] == ["one\ntwo", "three"]
    with pytest.raises(DataError, match=r"posts\.csv row 3: no label"):
        read(path)


def test_a_quote_in_a_tsv_belongs_to_the_text(tmp_path):
    path = tmp_path / "posts.tsv"
    path.write_bytes(b'text\tlabel\n"half a quote\ta\nplain \tb\nended"\ta\n')
    assert read(path)["text"][:] == ['"half a quote', "plain ", 'ended"']


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_bytes(b"\xef\xbb\xbfid,text,label\n1,one,a\n")
    assert read(path)["id"][:] == ["1"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-32"])
def test_a_file_in_another_encoding_is_read_when_it_is_named(tmp_path, encoding):
    path = tmp_path / "questions.tsv"
    path.write_bytes("text\tlabel\nÀ la carte, señor?\tDESC\n".encode(encoding))
    assert read(path, encoding=encoding)["text"][:] == ["À la carte, señor?"]


def test_a_byte_of_another_encoding_is_named_by_line_and_place_with_the_way_out(tmp_path):
    path = tmp_path / "questions.tsv"
    path.write_bytes(b"text\tlabel\nWhere is it ?\tLOC\nWho drew the se\xf1orita ?\tHUM\n")
    with pytest.raises(DataError, match=r"line 3: byte 16 \(0xf1\) is not valid utf-8; .*--encoding cp1252"):
        read(path)


def test_ids_are_hashes_of_the_text_where_there_are_none_and_differ_for_a_text_that_comes_again(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("text,label\none,a\ntwo,b\none,a\n", encoding="utf-8")
    first, again = read(path)["id"][:], read(path)["id"][:]
    assert first == again
    assert len(set(first)) == 3
    path.write_text("text,label\ntwo,b\none,a\n", encoding="utf-8")
    assert read(path)["id"][:] == [first[1], first[0]]


def test_the_source_is_the_column_or_the_name_of_the_file_or_nothing(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text("text\none\n", encoding="utf-8")
    assert read(path, labeled=False)["source"][:] == ["posts.csv"]
    assert read(Dataset.from_dict({"text": ["one"]}), labeled=False)["source"][:] == [None]
    assert read(Dataset.from_dict({"text": ["one"], "source": ["s"]}), labeled=False)["source"][:] == ["s"]


def test_a_pool_loses_its_empty_texts_and_says_how_many(tmp_path, caplog):
    path = tmp_path / "posts.csv"
    path.write_text('text\none\n""\n" \u3000"\ntwo\n', encoding="utf-8")
    assert read(path, labeled=False)["text"][:] == ["one", "two"]
    assert "2 rows without text" in caplog.text


def test_class_labels_come_out_as_names_from_parquet_and_from_memory(tmp_path):
    feature = ClassLabel(names=["calm", "loud"])
    labeled = Dataset.from_dict({"text": ["one", "two", "three"], "label": [1, 0, -1]}).cast_column("label", feature)
    labeled.to_parquet(str(tmp_path / "posts.parquet"))
    for source in (labeled, tmp_path / "posts.parquet"):
        assert read(source, labeled=False)["label"][:] == ["loud", "calm", None]


def test_a_selected_and_shuffled_data_set_gives_its_rows_as_they_stand():
    shuffled = table().shuffle(seed=1).select([3, 1, 2])
    assert read(shuffled)["text"][:] == shuffled["text"][:]


def test_provenance_and_embeddings_are_kept_and_other_columns_are_not():
    rows = table().add_column("round", [1, 2, 1, 2, 1]).add_column("parent_id", ["p", None, "q", "", "r"])
    rows = rows.add_column("karma", [1] * 5).add_column("embedding", np.eye(5, dtype=np.float32).tolist())
    found = read(rows)
    assert found.column_names == ["id", "text", "label", "source", "parent_id", "round", "embedding"]
    assert found["parent_id"][:] == ["p", None, "q", None, "r"]
    assert found.features["round"].dtype == "int32"
    assert np.array_equal(np.array(found["embedding"][:]), np.eye(5))


def test_vectors_in_json_are_left_out(tmp_path):
    """As `Dataset.to_json` writes a pool; a program that wants to hand in vectors has Parquet."""
    (tmp_path / "posts.jsonl").write_text(json.dumps({"text": "a post", "embedding": [0.5, 0.5]}) + "\n")
    assert read(tmp_path / "posts.jsonl", labeled=False).column_names == ["id", "text", "label", "source"]


def test_a_folder_is_all_its_files_in_the_order_of_their_names(tmp_path):
    (tmp_path / "b.csv").write_text("text,label\nbee,x\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"text": "ay", "label": "y", "round": 3}\n', encoding="utf-8")
    (tmp_path / "notes.md").write_text("no data", encoding="utf-8")
    (tmp_path / ".c.csv").write_text("text,label\nhidden,x\n", encoding="utf-8")
    found = read(tmp_path)
    assert found["text"][:] == ["ay", "bee"]
    assert found["source"][:] == ["a.jsonl", "b.csv"]
    assert found["round"][:] == [3, None]


def test_a_folder_whose_card_has_configs_is_a_release(tmp_path):
    release(tmp_path)
    assert read(tmp_path, config="loud")["text"][:] == ["hey"]
    assert read(tmp_path)["text"][:] == ["hush"]  # the default config
    assert load_dataset(str(tmp_path), "loud", split="train")["text"][:] == ["hey"]
    with pytest.raises(DataError, match="no config 'laud'; there are calm, loud; did you mean 'loud'"):
        read(tmp_path, config="laud")
    with pytest.raises(DataError, match=r"loud: no split 'validation'; there are train, such as .*:loud/train"):
        read_table(tmp_path, split="validation", config="loud", labeled=True)


def release(folder: Path) -> None:
    for name, text in (("calm", "hush"), ("loud", "hey")):
        (folder / name).mkdir()
        Dataset.from_dict({"text": [text], "label": [name]}).to_parquet(str(folder / name / "train.parquet"))
    configs = [
        {"config_name": "calm", "default": True, "data_files": [{"split": "train", "path": "calm/train.parquet"}]},
        {"config_name": "loud", "data_files": [{"split": "train", "path": "loud/train.parquet"}]},
    ]
    (folder / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n# A release\n", encoding="utf-8")


def test_a_dataset_dict_gives_the_split_and_names_those_it_has():
    splits = DatasetDict(train=table(), test=table().select([2]))
    assert len(read_table(splits, split="test", labeled=True)) == 1
    with pytest.raises(DataError, match=r"no split 'dev' .* train, test"):
        read_table(splits, split="dev", labeled=True)


def test_what_is_no_table_is_named_by_its_type_with_the_way_to_one():
    for given in (table().to_pandas(), table().to_list(), None):
        with pytest.raises(DataError, match=rf"is {type(given).__name__}, expected a path.* Dataset\.from_pandas"):
            read_table(given, split="train", labeled=False)


GOOD = f"id,text,label\n1,{SECRET},a\n2,some text,b\n"
LONG = "x" * 100_001


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("t.csv", GOOD, Columns(text="txt"), r"no column 'txt' \(there are: id, text, label\); did you mean 'text'\?"),
        ("t.csv", GOOD, Columns(id="number"), r"no column 'number' .*--id-column"),
        ("t.csv", GOOD.replace("label", "kind"), Columns(), r"no column 'label' .*--label-column"),
        ("t.csv", f"{SECRET},x\n{SECRET},y\n", Columns(), r"no column 'text' \(there are: x and 1 that may be texts"),
        (
            "t.csv",
            "我今天看见一只猫,1\n你好,2\n",
            Columns(),
            r"no column 'text' \(there are: 1 and 1 that may be texts",
        ),
        ("t.csv", GOOD + "3,,a\n", Columns(), r"t\.csv row 4: no text"),
        ("t.csv", GOOD + "3, \u2003 ,a\n", Columns(), r"t\.csv row 4: no text"),
        ("t.csv", GOOD + "3,more,\n", Columns(), r"t\.csv row 4: no label"),
        ("t.csv", GOOD + "\n,more,b\n", Columns(), r"t\.csv row 5: no 'id'"),
        ("t.csv", GOOD + "1,more,b\n", Columns(), r"t\.csv row 4: the same id as .*t\.csv row 2; .*--id-column"),
        ("t.csv", GOOD + f"3,{LONG},b\n", Columns(), r"t\.csv row 4: a text of over 100,000 characters"),
        ("t.csv", GOOD + f"3,{LONG * 10},b\n", Columns(), r"t\.csv row 4: a field of over 131,072 .*quote left open"),
        ("t.csv", GOOD + "3,more,b,c\n", Columns(), r"t\.csv row 4: 4 fields, expected 3 .*quote"),
        ("t.csv", GOOD + '3,"more,b\n', Columns(), r"t\.csv row 4: .*quote"),
        ("t.csv", GOOD + '3,"more"d,b\n', Columns(), r"t\.csv row 4: .*quote"),
        ("t.csv", "text,text,label\n1,2,3\n", Columns(), r"has the column 'text' twice"),
        ("t.tsv", "id\ttext\tlabel\n1\ta\n", Columns(), r"t\.tsv row 2: 2 fields, expected 3"),
        ("t.csv", GOOD + "3,NUL \0,b\n", Columns(), r"t\.csv line 4: a NUL byte at position 7"),
        ("t.jsonl", '{"text": "a\\u0000", "label": "b"}\n', Columns(), r"t\.jsonl row 1: a NUL byte"),
        ("t.jsonl", '{"text": "\\ud83d", "label": "b"}\n', Columns(), r"t\.jsonl row 1: half of a surrogate pair"),
        ("t.jsonl", f'{{"text": "{SECRET}"\n', Columns(), r"t\.jsonl line 1: invalid JSON at character 41"),
        ("t.jsonl", f'\n["{SECRET}"]\n', Columns(), r"t\.jsonl line 2: expected a JSON object, found a list"),
        ("t.jsonl", '{"text": ["a"], "label": "b"}\n', Columns(), r"t\.jsonl row 1: 'text' is a list"),
        ("t.jsonl", "", Columns(), r"t\.jsonl: no rows"),
        ("t.csv", "", Columns(), r"t\.csv: the file is empty"),
        ("t.csv", "id,text,label\n", Columns(), r"t\.csv: no rows; expected at least one below the header"),
        ("t.csv", "text,label,round\none,a,first\n", Columns(), r"'round' has values that are not integers; rename"),
        ("t.txt", GOOD, Columns(), r"t\.txt: unknown ending; expected \.csv"),
        ("t.parquet", GOOD, Columns(), r"t\.parquet: not a readable Parquet"),
        ("t.csv.gz", GOOD, Columns(), r"t\.csv\.gz: not a readable \.gz file"),
        ("t.csv.zst", GOOD, Columns(), r"t\.csv\.zst: not a readable \.zst file"),
    ],
)
def test_a_bad_file_is_answered_by_one_line_with_the_place_and_the_way_out(tmp_path, name, content, columns, message):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(DataError, match=message) as caught:
        read(path, columns=columns)
    said = str(caught.value)
    assert "\n" not in said
    assert name in said
    assert not any(word in said for word in SECRET.split() if len(word) > 4)
    assert len(said) < 400


@pytest.mark.parametrize("ending", ["csv.gz", "csv.zst", "jsonl.zst", "parquet", "parquet.gz", "parquet.zst"])
def test_a_truncated_file_is_an_error_and_never_a_shorter_table(tmp_path, ending):
    kind, _, packing = ending.partition(".")
    rows = Dataset.from_dict({"text": [f"text {place}" for place in range(5000)], "label": ["a"] * 5000})
    whole = PACKERS[f".{packing}" if packing else ""](WRITERS[kind](rows))
    path = tmp_path / f"posts.{ending}"
    for part in (0.3, 0.9, 0.9999):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(DataError, match=r"posts\..*truncated"):
            read(path)


def test_an_unknown_encoding_is_named(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(DataError, match="unknown encoding 'utf-9'"):
        read(path, encoding="utf-9")
    path.write_bytes(b"\xff\xfea\x00\x00\xd8b\x00\n\x00")
    with pytest.raises(DataError, match=r"not valid utf-16 after line 0"):
        read(path, encoding="utf-16")


def test_numbers_where_texts_should_stand_are_refused():
    with pytest.raises(DataError, match=r"column 'text' has the type int64, expected texts; .*--text-column"):
        read(Dataset.from_dict({"text": [1, 2], "label": ["a", "b"]}))
    with pytest.raises(DataError, match=r"'label' has the type list.* expected short strings"):
        read(Dataset.from_dict({"text": ["one"], "label": [["a"]]}))


def test_an_empty_folder_a_config_for_a_file_and_a_broken_card_are_named(tmp_path):
    with pytest.raises(DataError, match="no data files in this folder"):
        read(tmp_path)
    (tmp_path / "posts.csv").write_text(GOOD, encoding="utf-8")
    with pytest.raises(DataError, match=r"files have no configs, .*leave :cluster out"):
        read(tmp_path / "posts.csv", config="cluster")
    (tmp_path / "README.md").write_text("---\nconfigs: [\n---\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"README\.md: the front matter is invalid YAML"):
        read(tmp_path)


def test_one_id_in_two_files_of_a_folder_is_an_error_that_names_both(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"id,text,label\n7,{name}{name},x\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"b\.csv row 2: the same id as .*a\.csv row 2"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text(GOOD, encoding="utf-8")
    path.chmod(0)
    with pytest.raises(DataError, match=r"posts\.csv: Permission denied"):
        read(path)


def test_a_missing_column_is_a_missing_column_error(tmp_path):
    with pytest.raises(MissingColumnError):
        read(Dataset.from_dict({"text": ["one"]}))


def test_votes_checks_and_reading_are_read_as_a_release_has_them_and_nothing_else_of_their_names(tmp_path):
    names, failed = ["calm", "loud"], [{"check": "not-empty", "passed": False, "value": None}]
    votes = [{"annotator": "A1", "label": 1, "seconds": 2.5}, {"annotator": "A2", "label": None, "seconds": None}]
    first = {"id": "a", "text": TEXTS[0], "label": 0, "votes": votes, "checks": failed, "reading": 1}
    posts = [first, {"id": "b", "text": TEXTS[1], "label": 1}]
    released = from_table(pa.Table.from_pylist(posts, schema=features(names).arrow_schema))
    write_parquet(tmp_path / "train.parquet", released)
    for source in (tmp_path / "train.parquet", released):
        found = read_table(source, split="train", labeled=True)
        assert found["reading"][:] == ["loud", None]
        assert found["checks"][:] == [failed, None]
        assert found["votes"][:] == [[{**votes[0], "label": "loud"}, votes[1]], None]
    strange = Dataset.from_dict({"text": TEXTS[:2], "votes": [12, 7], "checks": [["a"], []], "reading": ["x", "y"]})
    (tmp_path / "votes.jsonl").write_bytes(as_jsonl(strange))
    (tmp_path / "votes.parquet").write_bytes(as_parquet(strange))
    for source in (tmp_path / "votes.jsonl", tmp_path / "votes.parquet", strange):
        kept = read_table(source, split="train", labeled=False).column_names
        assert not {"votes", "checks", "reading"} & set(kept)
