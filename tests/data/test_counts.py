"""Class counts and their standard deviation, as in the paper's Table 3."""

import pytest
from datasets import ClassLabel, Dataset, Features

from rarecase.core.errors import DataError
from rarecase.data.counts import (
    class_count_std,
    class_counts,
    cost_per,
    rarest,
    rarest_classes,
    shown_classes,
    sum_groups,
)

NAMES = ["harmful", "odd", "not-harmful"]


def labelled(*labels: int | None) -> Dataset:
    return Dataset.from_dict({"label": list(labels)}, Features({"label": ClassLabel(names=NAMES)}))


@pytest.mark.parametrize(
    ("counts", "std"),
    [
        ((96, 180, 84, 84, 12, 144), 57.6),  # random
        ((115, 121, 87, 94, 30, 153), 41.4),  # cluster
    ],
)
def test_the_standard_deviation_is_that_of_table_3(counts, std):
    assert round(class_count_std(dict(zip("abcdef", counts, strict=True))), 1) == std


def test_one_class_has_no_deviation():
    assert class_count_std({"a": 7}) == 0
    assert class_count_std({}) == 0


def test_every_class_is_counted_in_order_and_as_a_plain_number():
    counts = class_counts(labelled(2, 0, 2), NAMES)
    assert list(counts.items()) == [("harmful", 1), ("odd", 0), ("not-harmful", 2)]
    assert {type(value) for value in counts.values()} == {int}
    assert class_counts(labelled(2, 0, 2).select([0]), NAMES)["not-harmful"] == 1


def test_no_row_counts_as_none_of_each():
    assert class_counts(labelled(), NAMES) == dict.fromkeys(NAMES, 0)


def test_a_row_without_label_is_named():
    with pytest.raises(DataError, match="'label' row 1 is empty"):
        class_counts(labelled(0, None), NAMES)


def test_the_rarest_class_is_one_of_which_something_can_be_measured():
    assert rarest({"none": 0, "few": 2, "many": 9}) == "few"
    assert rarest({"none": 0, "nothing": 0}) == "none"


def test_the_rarest_classes_have_less_than_half_of_an_even_share_and_are_never_none():
    paper = dict(zip("abcdef", (438, 474, 500, 497, 82, 709), strict=True))
    assert rarest_classes(paper) == ["e"]
    assert rarest_classes({"a": 5, "b": 2, "c": 100, "none": 0}) == ["b", "a"]
    assert rarest_classes({"a": 40, "b": 39}) == ["b"]
    assert rarest_classes({"a": 0, "b": 0}) == ["a"]


def test_an_example_costs_what_was_spent_over_what_was_found():
    assert cost_per(100, 8) == 12.5
    assert cost_per(100, 0) is None


@pytest.mark.parametrize("classes", [1, 3, 8, 9, 50])
def test_beyond_eight_classes_the_seven_rarest_of_test_are_shown_and_every_class_once(classes):
    test = {f"class {i}": (i * 7) % classes for i in range(classes)}  # one of them without any row
    shown = shown_classes(test)
    assert sorted(name for of in shown.values() for name in of) == sorted(test)
    if classes <= 8:
        assert shown == {name: [name] for name in test}
    else:
        *rarest, (others, rest) = shown.items()
        assert [test[name] for name, _ in rarest] == list(range(1, 8))
        assert others == f"{len(rest)} others"
    assert sum(sum_groups(test, shown).values()) == sum(test.values())


@pytest.mark.parametrize("labels", [["a"], [-1], [2], [0, 10**8]])
def test_labels_that_are_no_classes_are_one_line(labels):
    with pytest.raises(DataError, match=r"column 'label': expected the numbers of 2 classes; it was changed"):
        class_counts(Dataset.from_dict({"label": labels}), ["x", "y"])
