"""What a config says of itself, against figures counted by hand."""

import hashlib
import json
from dataclasses import asdict

import pytest
from datasets import Dataset, DatasetInfo, Features, load_dataset

from rarecase.core.errors import DataError, MissingColumnError
from rarecase.core.typed import from_json
from rarecase.data import schema
from rarecase.data.parquet import parquet_bytes, write_parquet
from rarecase.data.release import Annotators, Config, GeneratedRows, Split
from rarecase.publish.dataset_card import dataset_info
from rarecase.publish.summary import DataFile, summarize

NAMES = ("harmful", "odd", "not-harmful")
HUMAN = {"origin": "human"}
VARIED = {"origin": "generated", "generator": "words", "prompt_hash": "ab12"}


def table(*rows: dict) -> Dataset:
    """A split with the released columns, a row for each dictionary; by default the class is `harmful`."""
    columns = schema.features(NAMES)
    filled = [{"id": f"p{i}", "text": f"walk {i}", "label": 0, **row} for i, row in enumerate(rows)]
    return Dataset.from_list([{c: row.get(c) for c in columns} for row in filled], features=columns)


def summary(**splits: Dataset) -> Config:
    """What is counted of a config with these splits."""
    files = {name: DataFile.of(f"{name}.parquet", parquet_bytes(split)) for name, split in splits.items()}
    return summarize(Config(), splits, NAMES, files)


def counted(*rows: dict) -> Split:
    """What is counted of a split with these rows."""
    return summary(train=table(*rows)).splits["train"]


def votes(**said: int) -> dict:
    return {"votes": [{"annotator": who, "label": label, "seconds": None} for who, label in said.items()], **HUMAN}


def test_a_split_is_counted():
    failed = {**VARIED, "checks": [{"check": "not-empty", "passed": False, "value": None}]}
    kept = {**VARIED, "checks": [{"check": "not-empty", "passed": True, "value": None}]}
    split = table(HUMAN, {**HUMAN, "label": 2}, {**HUMAN, "label": 2}, kept, failed, VARIED, {"label": 2})
    found = asdict(summary(train=split).splits["train"])
    assert found.pop("num_bytes") > 0
    content = parquet_bytes(split)
    assert (found.pop("path"), found.pop("file_bytes")) == ("train.parquet", len(content))
    assert found.pop("sha256") == hashlib.sha256(content).hexdigest()
    assert found == {
        "rows": 7,
        "class_counts": {"harmful": 4, "odd": 0, "not-harmful": 3},
        "class_count_std": pytest.approx(2.0817, abs=1e-4),
        "human": 3,
        "generated": 3,  # who wrote the last row is not known
        "not_used": 1,
        "annotators": asdict(Annotators()),
        "generators": ({"generator": "words", "rows": 3, "prompt_hashes": ("ab12",)},),
    }


def test_num_bytes_is_what_datasets_counts_whatever_became_of_the_table_before(tmp_path):
    rows = [{**votes(A1=i % 3), "label": i % 3, "source": "walks" if i % 2 else None} for i in range(1_000)]
    split = table(*rows)
    write_parquet(tmp_path / "train.parquet", split)
    loaded = load_dataset("parquet", data_files=str(tmp_path / "*.parquet"), cache_dir=str(tmp_path / "cache"))
    turned = split.select(range(len(split) - 1, -1, -1))
    for same in (split, loaded["train"], turned.select(range(len(split) - 1, -1, -1))):
        counted = summary(train=same).splits["train"].num_bytes
        assert counted == loaded["train"].info.splits["train"].num_bytes


def test_annotators_are_those_of_the_column_and_of_the_votes_split_by_split():
    train = table(votes(A2=0, A10=0), {**HUMAN, "annotator": "gold"}, VARIED, HUMAN)
    found = summary(train=train, test=table({**votes(A1=1), "annotator": "A1"})).splits
    assert found["train"].annotators == Annotators(("A2", "A10", "gold"), items=2, votes=2, kappa=None, pairs=1)
    assert found["test"].annotators == Annotators(("A1",), items=1, votes=1, kappa=None, pairs=0)


def test_a_language_model_is_counted_apart_and_has_no_part_in_agreement():
    model = {"annotator": "llm:words", "votes": [{"annotator": "llm:words", "label": 1, "seconds": None}], **HUMAN}
    both = votes(A1=0, A2=1, **{"llm:words": 2}) | {"annotator": "A1"}
    alone, mixed = counted(model, model, HUMAN).annotators, counted(model, both, both).annotators
    assert alone == Annotators(by_model={"llm:words": 2})
    assert mixed == Annotators(("A1", "A2"), items=2, votes=4, kappa=0.0, pairs=2, by_model={"llm:words": 1})


def test_nobody_labelled_anything():
    found = counted(HUMAN, VARIED).annotators
    assert found == Annotators((), items=0, votes=0, kappa=None, pairs=0)


def cohen(pairs: list[tuple[int, int]]) -> float:
    """By the definition: agreement beyond chance, over what chance leaves."""
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    chance = sum(
        sum(a == c for a, _ in pairs) / n * sum(b == c for _, b in pairs) / n
        for c in {c for pair in pairs for c in pair}
    )
    return 100 * (observed - chance) / (1 - chance)


AGREED = [(0, 0)] * 20 + [(2, 2)] * 15 + [(0, 2)] * 5 + [(2, 0)] * 10


def test_kappa_of_two_people():
    single = [votes(A1=1), votes(A2=2), HUMAN]
    found = counted(*(votes(A1=a, A2=b) for a, b in AGREED), *single).annotators
    assert (found.items, found.votes, found.pairs) == (52, 102, 50)
    assert found.kappa == pytest.approx(40.0)  # Cohen's own example: 70 % agree, 50 % would by chance
    assert found.kappa == pytest.approx(cohen(AGREED))


def test_the_order_of_votes_says_nothing_and_a_second_vote_takes_the_place_of_the_first():
    plain = [votes(A1=a, A2=b) for a, b in AGREED]
    turned = [{**row, "votes": row["votes"][::-1]} for row in plain]
    again = [{**row, "votes": [{"annotator": "A1", "label": 1, "seconds": 2.0}, *row["votes"]]} for row in plain]
    kappas = [counted(*rows).annotators.kappa for rows in (plain, turned, again)]
    assert kappas == [pytest.approx(40.0)] * 3


def test_kappa_of_several_people_is_the_mean_over_pairs_weighted_by_what_they_share():
    other = [(0, 0), (1, 1), (2, 1), (0, 0), (1, 1), (2, 2)]
    rows = [votes(A1=a, A2=b) for a, b in AGREED] + [votes(A2=a, A3=b) for a, b in other]
    found = counted(*rows).annotators
    assert found.pairs == 56
    assert found.kappa == pytest.approx((50 * cohen(AGREED) + 6 * cohen(other)) / 56)


def test_two_people_who_gave_one_label_only_have_no_kappa():
    always = [votes(A1=1, A2=1)] * 3
    assert counted(*always).annotators.kappa is None
    mixed = [*always, *(votes(A2=a, A3=b) for a, b in AGREED)]
    assert counted(*mixed).annotators.kappa == pytest.approx(40.0)


def test_votes_without_a_label_or_a_name_are_no_votes_to_compare():
    nameless = {"annotator": None, "label": 0, "seconds": None}
    undecided = {"annotator": "A2", "label": None, "seconds": 1.0}
    row = {"votes": [*votes(A1=0)["votes"], nameless, undecided]}
    found = counted(row).annotators
    assert found == Annotators(("A1",), items=1, votes=1, kappa=None, pairs=0)


def test_generators_with_their_prompt_hashes():
    other = {"origin": "generated", "generator": "verbs"}
    rows = (VARIED, {**VARIED, "prompt_hash": "0fff"}, VARIED, other, {"origin": "generated"}, HUMAN)
    assert counted(*rows).generators == (
        GeneratedRows("verbs", 1, ()),
        GeneratedRows("words", 3, ("0fff", "ab12")),
        GeneratedRows(None, 1, ()),
    )


def test_a_summary_is_json_and_holds_no_text():
    split = table(*(votes(A1=a, A2=b) for a, b in AGREED), VARIED)
    found = summary(train=split)
    written = json.dumps(asdict(found), allow_nan=False)
    assert from_json(Config, json.loads(written), "release.json") == found
    assert "walk" not in written


def test_a_row_without_a_label_and_a_missing_column_are_errors():
    with pytest.raises(DataError, match="column 'label' row 1 is empty"):
        summary(train=table(HUMAN, {"label": None}))
    with pytest.raises(MissingColumnError, match="column 'votes' is missing"):
        summary(train=table(HUMAN).remove_columns("votes"))


def test_the_info_is_read_back_by_datasets():
    splits = {"train": table(HUMAN, VARIED), "test": table(HUMAN)}
    said = dataset_info(NAMES, {name: [split] for name, split in summary(**splits).splits.items()})
    assert Features._from_yaml_list(said["features"]) == schema.features(NAMES)
    read = DatasetInfo._from_yaml_dict(json.loads(json.dumps(said)))
    assert {name: split.num_examples for name, split in read.splits.items()} == {"train": 2, "test": 1}
    assert read.dataset_size == sum(split.num_bytes for split in read.splits.values())
    assert read.download_size == sum(len(parquet_bytes(split)) for split in splits.values())


def test_a_prompt_hash_that_is_none_is_in_no_card():
    evil = {**VARIED, "prompt_hash": "z\n\n<img src=//evil/x.png>"}
    assert counted(evil, VARIED).generators == (GeneratedRows("words", 2, ("ab12",)),)
