"""The measures of doubt are their formulas."""

import numpy as np
import pytest

from rarecase.acquire.measures import closeness_of, entropy_of, mutual_information


def test_entropy_is_in_nats_and_a_certain_row_has_none():
    found = entropy_of(np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]], np.float32))
    assert found == pytest.approx([np.log(4), 0, np.log(2)])
    assert not np.signbit(found).any()


def test_closeness_is_one_less_the_gap_and_a_single_class_has_no_second():
    assert closeness_of(np.array([[0.5, 0.2, 0.3], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])) == pytest.approx([0.8, 1, 0])
    assert closeness_of(np.ones((3, 1))).tolist() == [0, 0, 0]


def test_mutual_information_is_where_sure_draws_differ_not_where_all_are_unsure():
    differ, unsure, agree = [[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]], [[1, 0], [1, 0]]
    found = mutual_information(np.array([differ, unsure, agree]))
    assert found == pytest.approx([np.log(2), 0, 0])
    assert (found >= 0).all()
