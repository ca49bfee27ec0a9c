import pytest
from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets

from rarecase.core.errors import GeneratorError, MissingColumnError
from rarecase.data import schema
from rarecase.data.parquet import write_parquet
from rarecase.data.read import read_argument
from rarecase.generate.replay import Replay
from rarecase.verify.policy import accepted

NAMES = ["harmful", "not-harmful"]


def table(*rows):
    return Dataset.from_list([{"origin": None, "generator": None, **row} for row in rows])


RELEASE = table(
    {"id": "cluster-000", "text": "My knee clicks", "parent_id": None, "origin": "human"},
    {"id": "cluster-001", "text": "Fired by a text message ", "parent_id": None, "origin": "human"},
    *(
        {"id": f"cluster-00{p}-{i}", "text": f"{p}{i}", "parent_id": f"cluster-00{p}", "origin": "generated"}
        for p in (0, 1)
        for i in (1, 2, 3)
    ),
    {"id": "x-1", "text": "orphan", "parent_id": "x", "origin": "generated", "generator": "gpt-3.5-turbo"},
)


def seeds(*rows):
    features = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=NAMES)})
    return Dataset.from_list([dict(zip(features, row, strict=True)) for row in rows], features=features)


def test_a_post_finds_its_variations_by_text_whatever_its_id_and_gives_them_its_own_label():
    variations = Replay(RELEASE).generate(seeds(("a", "Fired by a text message", 0), ("b", "My knee clicks", 1)), 2)
    assert variations.features == schema.features(NAMES)
    assert variations["id"][:] == ["a-1", "a-2", "b-1", "b-2"]
    assert variations["text"][:] == ["11", "12", "01", "02"]
    assert variations["label"][:] == [0, 0, 1, 1]
    assert variations["parent_id"][:] == ["a", "a", "b", "b"]
    assert set(variations["generator"][:]) == {"replay"}


def test_an_id_that_another_text_bears_in_the_data_is_no_match():
    variations = Replay(RELEASE).generate(seeds(("cluster-000", "Another text", 0), ("b", "My knee clicks", 1)), 5)
    assert variations["parent_id"][:] == ["b"] * 3


def test_variations_without_their_parent_are_found_by_its_id_and_keep_their_generator():
    variations = Replay(RELEASE).generate(seeds(("x", "Whatever it said", 1)), 5)
    assert variations["text"][:] == ["orphan"]
    assert variations["generator"][:] == ["gpt-3.5-turbo"]


def test_what_a_generator_made_can_be_replayed_and_what_failed_then_stays_failed():
    post = seeds(("a", "My knee clicks", 0))
    made = Replay(RELEASE).generate(post, 3)
    failed = [[{"check": "same-label", "passed": i != 1, "value": 0.5}] for i in range(3)]
    rows = [{**row, "checks": checks} for row, checks in zip(made.to_list(), failed, strict=True)]
    made = Dataset.from_list(rows, features=made.features)
    again = Replay(concatenate_datasets([schema.conform(post, NAMES), made])).generate(post, 3)
    assert again["text"][:] == ["01", "02", "03"]
    assert accepted(again, "strict")["text"][:] == ["01", "03"]


def test_a_contrast_has_the_label_of_the_table_and_any_other_variation_that_of_its_post(tmp_path):
    post = seeds(("a", "My knee clicks", 0))
    marks = [[{"check": name, "passed": None, "value": None}] for name in ("contrast", "whole")]
    made = [
        {**row, "label": 1, "checks": own} for row, own in zip(Replay(RELEASE).generate(post, 2), marks, strict=True)
    ]
    made = Dataset.from_list(made, features=schema.features(NAMES))
    assert Replay(made).generate(post, 2)["label"][:] == [1, 0]
    write_parquet(tmp_path / "made.parquet", made)
    replay = Replay(read_argument(str(tmp_path / "made.parquet"), "variations", labeled=False))
    assert replay.generate(post, 2)["label"][:] == [1, 0]
    assert replay.digest == Replay(made).digest
    other = Dataset.from_list(made.to_list(), features=schema.features(["harmful", "fine"]))
    assert Replay(other).digest != replay.digest
    with pytest.raises(GeneratorError, match=r"contrasts of 'fine', which is no class here.*--generator-data"):
        Replay(other).generate(post, 2)


def test_posts_without_variations_are_left_out_and_none_at_all_is_an_error_that_shows_no_text():
    replay = Replay(RELEASE)
    assert len(replay.generate(seeds(("a", "My knee clicks", 0), ("b", "Never seen", 0)), 2)) == 2
    with pytest.raises(GeneratorError, match=r"and of none of these 1.*--generator-data") as raised:
        replay.generate(seeds(("b", "Never seen", 0)), 2)
    assert "Never" not in str(raised.value)
    assert len(replay.generate(seeds(("b", "Never seen", 0)).select([]), 2)) == 0


def test_data_that_holds_no_variations_is_an_error_at_once():
    with pytest.raises(GeneratorError, match="has no variations"):
        Replay(RELEASE.select([0, 1]))
    with pytest.raises(MissingColumnError, match="parent_id"):
        Replay(RELEASE.remove_columns("parent_id"))


def test_a_check_that_failed_is_read_from_a_file_too(tmp_path):
    post = seeds(("a", "My knee clicks", 0))
    made = Replay(RELEASE).generate(post, 3)
    failed = [[{"check": "same-label", "passed": i != 1, "value": 0.5}] for i in range(3)]
    made = Dataset.from_list([{**r, "checks": c} for r, c in zip(made.to_list(), failed, strict=True)], made.features)
    write_parquet(tmp_path / "made.parquet", concatenate_datasets([schema.conform(post, NAMES), made]))
    again = Replay(read_argument(str(tmp_path / "made.parquet"), "variations", labeled=False)).generate(post, 3)
    assert accepted(again, "strict")["text"][:] == ["01", "03"]


def test_the_digest_follows_what_is_handed_out_and_not_the_order_of_the_posts():
    digest = Replay(RELEASE).digest
    assert Replay(RELEASE.select([1, 0, *range(5, 9), *range(2, 5)])).digest == digest
    assert Replay(RELEASE.select([*range(8)])).digest != digest
    assert Replay(RELEASE.select([0, 1, 3, 2, *range(4, 9)])).digest != digest  # the order of variations counts
