"""One pool out of many sources: what is dropped, in which order, and that the counts add up."""

import json
from dataclasses import asdict

import pytest
from datasets import Dataset

from rarecase.cli.main import command
from rarecase.core.errors import ConfigError, DataError
from rarecase.data.pool import make_pool
from rarecase.data.read import Columns

TITLES = [
    "Can a landlord enter without notice?",
    "My sourdough never rises in winter",
    "Best way to learn the banjo at forty",
    "Lost my passport two days before the flight",
    "The cat refuses every kind of food",
    "How long do seeds keep in the fridge?",
]


def csv(path, rows, header="id,text"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def test_every_row_is_counted_once_and_the_rest_is_the_pool_in_its_order(tmp_path):
    first = tmp_path / "first.jsonl"
    records = [
        {"id": "a", "text": TITLES[0]},
        {"id": "b", "text": TITLES[1], "origin": "generated"},
        {"id": "c", "text": "  "},
        {"id": "d", "text": TITLES[2], "label": "calm"},
        {"id": "e", "text": TITLES[2]},
        {"id": "f", "text": TITLES[0].upper() + "?"},
        {"id": "g", "text": TITLES[3], "origin": "human"},
    ]
    first.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    memory = Dataset.from_dict({"id": ["h", "i"], "text": [TITLES[4], TITLES[0]], "source": ["pets", None]})
    dev = Dataset.from_dict({"text": [TITLES[3] + "!"]})
    pool, counts = make_pool([str(first), memory], against=[dev])
    assert pool["id"][:] == ["a", "d", "h"]
    assert pool["label"][:] == [None, "calm", None]
    assert pool["source"][:] == ["first.jsonl", "first.jsonl", "pets"]
    assert asdict(counts) == {
        "read": 9,
        "generated": 1,
        "empty": 1,
        "taken_back": 0,
        "other_sources": 0,
        "beyond_sample": 0,
        "duplicates": 2,
        "near_duplicates": 1,
        "elsewhere": 1,
        "kept": 3,
    }
    assert counts.read == sum(asdict(counts).values()) - counts.read
    assert counts.as_lines()[0].split() == ["9", "read"]


def test_sources_may_overlap_with_and_without_ids(tmp_path):
    given = csv(tmp_path / "a.csv", [f"1,{TITLES[0]}", f"2,{TITLES[1]}"])
    again = csv(tmp_path / "b.csv", [f"2,{TITLES[1]}", f"3,{TITLES[2]}"])
    hashed = csv(tmp_path / "c.csv", [TITLES[2], TITLES[3], TITLES[3]], header="text")
    pool, counts = make_pool([given, again, hashed])
    assert pool["text"][:] == TITLES[:4]
    assert len(set(pool["id"][:])) == 4
    assert counts.duplicates == 3


def test_one_id_for_two_texts_of_two_files_is_an_error_that_names_both(tmp_path):
    one = csv(tmp_path / "a.csv", [f"1,{TITLES[0]}"])
    two = csv(tmp_path / "b.csv", [f"1,{TITLES[1]}"])
    with pytest.raises(DataError, match=r"b\.csv row 2: the same id as .*a\.csv row 2; .*--id-column.*hash"):
        make_pool([one, two])


def test_the_sample_comes_before_the_duplicates_and_holds_for_files_too(tmp_path):
    rows = [f"tea,{title}" for title in TITLES] + [f"soup,{title} soup" for title in TITLES[:2]]
    path = csv(tmp_path / "a.csv", rows, header="source,text")
    pool, counts = make_pool([path], per_source=3, wanted=["Tea"], seed=1)
    assert pool["source"][:] == ["tea"] * 3
    assert (counts.other_sources, counts.beyond_sample) == (2, 3)
    assert make_pool([path], per_source=3, wanted=["tea"], seed=1)[0]["text"][:] == pool["text"][:]
    seeds = {tuple(make_pool([path], per_source=3, wanted=["tea"], seed=seed)[0]["text"][:]) for seed in range(10)}
    assert len(seeds) > 1


def test_a_folder_of_tables_and_columns_of_other_names(tmp_path):
    csv(tmp_path / "b.csv", [TITLES[1]], header="title")
    csv(tmp_path / "a.csv", [TITLES[0]], header="title")
    pool, _ = make_pool([tmp_path], columns=Columns(text="title"))
    assert pool["text"][:] == TITLES[:2]


def test_some_of_the_sources_may_be_without_the_column_of_labels_that_is_named(tmp_path):
    labelled = csv(tmp_path / "a.csv", [f"{TITLES[0]},calm", f"{TITLES[1]},"], header="text,kind")
    bare, other = (csv(tmp_path / f"{head}.csv", [f"{TITLES[2]},4"], header=f"text,{head}") for head in ("n", "label"))
    pool, _ = make_pool([bare, labelled], columns=Columns(label="kind"))
    assert pool["label"][:] == [None, "calm", None]
    assert make_pool([other, labelled], columns=Columns(label="kind"))[0]["label"][:] == [None, "calm", None]
    with pytest.raises(DataError, match=r"n\.csv: no column 'kind' \(there are: text, n\); .*--label-column"):
        make_pool([bare], columns=Columns(label="kind"))
    with pytest.raises(DataError, match=r"no column 'kinds' \(there are: text, kind\); did you mean 'kind'\?"):
        make_pool([labelled, bare], columns=Columns(label="kinds"))


def test_the_command_prints_what_happened_to_some_row_and_writes_a_new_file_only(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    csv(tmp_path / "a.csv", [f"1,{TITLES[0]}", "2,", f"3,{TITLES[1]}"])
    assert command(["pool", "a.csv", "--out", "pool.parquet"]) == 0
    assert capsys.readouterr().out.split() == ["3", "read", "1", "empty", "2", "kept"]
    assert command(["pool", "a.csv", "--out", "again.parquet", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["near_duplicates"] == 0
    before = (tmp_path / "pool.parquet").read_bytes()
    for source in ("pool.parquet", "missing.csv"):
        assert command(["pool", source, "--out", "pool.parquet"]) == 2
        assert "--out pool.parquet: exists already; name another, or remove it" in capsys.readouterr().err
    assert (tmp_path / "pool.parquet").read_bytes() == before


def test_a_pool_of_nothing_is_an_error(tmp_path):
    path = csv(tmp_path / "a.csv", [f"1,{TITLES[0]}"])
    with pytest.raises(DataError, match="no post is left of the 1 that were read; is --sources"):
        make_pool([path], wanted=["soup"])
    with pytest.raises(DataError, match="all are in the other sets"):
        make_pool([path], against=[Dataset.from_dict({"text": TITLES[:1]})])
    with pytest.raises(ConfigError, match="--per-source 0: expected at least 1"):
        make_pool([path], per_source=0)
