import numpy as np
import pytest

from rarecase.core.errors import DataError
from rarecase.learn.batches import LengthGrouped, labelled_rows, token_batches, training_rows

from .conftest import NAMES, scrambled

LENGTHS = np.random.default_rng(0).integers(3, 50, 500)


def padding(batches):
    return sum(int((LENGTHS[batch].max() - LENGTHS[batch]).sum()) for batch in batches)


def test_an_epoch_holds_every_row_once_and_the_next_one_is_another():
    batches = LengthGrouped(LENGTHS, 16, seed=0)
    first = list(batches)
    assert len(first) == len(batches) == 32
    assert sorted(row for batch in first for row in batch) == list(range(500))
    assert list(batches) == first
    batches.epoch = 1
    assert list(batches) != first


def test_rows_of_like_length_share_a_batch():
    rows = np.random.default_rng(1).permutation(500)
    plain = [rows[i : i + 16] for i in range(0, 500, 16)]
    assert padding(LengthGrouped(LENGTHS, 16, seed=0)) < padding(plain) / 3


def test_fewer_rows_than_a_batch_are_one_batch():
    assert [sorted(batch) for batch in LengthGrouped(np.array([4, 2, 9]), 16, seed=0)] == [[0, 1, 2]]


def test_scoring_batches_keep_the_budget_and_hold_every_row():
    batches = token_batches(LENGTHS, 256)
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    assert all(len(batch) * LENGTHS[batch].max() <= 256 for batch in batches)
    assert padding(batches) < 0.02 * LENGTHS.sum()
    assert token_batches(np.array([], np.int64), 256) == []
    assert [batch.tolist() for batch in token_batches(np.array([300]), 256)] == [[0]]


def test_training_rows_come_in_one_order_also_where_a_text_has_two_labels(train):
    from datasets import concatenate_datasets

    twice = train.select([0, 1]).map(lambda row: {"label": 2}, load_from_cache_file=False)
    both = concatenate_datasets([train, twice])
    (one, one_labels), (other, other_labels) = (training_rows(set_, NAMES) for set_ in (both, scrambled(both)[0]))
    assert one["text"][:] == other["text"][:] == sorted(both["text"][:])
    assert one_labels.tolist() == other_labels.tolist()


def test_other_classes_and_missing_labels_are_refused(train):
    with pytest.raises(DataError, match="3 classes that are not the learner's 2"):
        training_rows(train, ["garden", "bicycle"])
    unlabelled = train.map(
        lambda row, i: {"label": None if i == 4 else 0}, with_indices=True, load_from_cache_file=False
    )
    with pytest.raises(DataError, match="dev row 4 has no label"):
        labelled_rows(unlabelled, NAMES, "dev")
