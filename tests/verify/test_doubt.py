"""Labelled rows ranked by doubt: wrong labels are found, from text and label alone, and not by the row itself."""

import re

import numpy as np
import pytest
import small
from datasets import ClassLabel
from doubted import HARMLESS, auroc, planted

from rarecase import doubt
from rarecase.core.errors import DataError
from rarecase.data import arrow
from rarecase.verify.doubt import true_classes


def ranked(rows, trusted=None):
    return doubt(rows, small.table("bootstrap") if trusted is None else trusted, encoder=small.encoder())


@pytest.fixture(scope="module")
def found():
    rows, wrong = planted()
    return rows, wrong, ranked(rows)


def triples(table):
    return list(zip(*(table[name][:] for name in ("id", "label", "doubt")), strict=True))


def test_wrong_labels_come_first(found):
    _, wrong, table = found
    assert table["doubt"][:] == sorted(table["doubt"][:], reverse=True)
    assert auroc(triples(table), wrong, of_one_label=False) > 0.9
    assert auroc(triples(table), wrong, of_one_label=True) > 0.9
    likelier = dict(zip(table["id"][:], table["likelier"][:], strict=True))
    assert np.mean([likelier[id_] == HARMLESS for id_ in wrong]) > 0.5


def test_a_reason_names_the_classes_and_no_word_of_the_text(found):
    *_, table = found
    assert table.features["likelier"].names == list(small.NAMES)
    for id_, label, likelier, why in zip(
        *(table[name][:] for name in ("id", "label", "likelier", "why")), strict=True
    ):
        like, own = small.NAMES[likelier], small.NAMES[label]
        assert why.startswith(f"the text looks like {like} (")
        assert (f", not like {own} (" in why) == (like != own), id_


def test_order_and_ids_change_nothing(found):
    rows, _, table = found
    order = np.random.default_rng(3).permutation(len(rows))
    other = arrow.rows(rows, order)
    other = arrow.with_column(other, "id", [f"x{n}" for n in range(len(rows))])
    other = arrow.with_column(other, "source", [small.NAMES[label] for label in other["label"][:]])
    trusted = small.table("bootstrap")
    again = ranked(other, arrow.rows(trusted, np.arange(len(trusted))[::-1]))
    for name in ("text", "doubt", "likelier", "why"):
        assert again[name][:] == table[name][:]


def test_neither_a_row_nor_its_family_speaks_for_itself():
    """What a text looks like is the same whatever the label of it, of its variation and of its repeat."""
    rows = small.table("pool")
    family = arrow.rows(rows, [0, 0, *range(len(rows))])
    ids = ["repeat", "variation", *rows["id"][:]]
    texts = [rows["text"][0], f"{rows['text'][0]} Please help.", *rows["text"][:]]
    family = arrow.with_column(arrow.with_column(family, "id", ids), "text", texts).remove_columns("embedding")
    family = arrow.with_column(family, "parent_id", [None, rows["id"][0], *[None] * len(rows)])
    looks = []
    for label in (0, 3):
        labels = [label, label, label, *rows["label"][1:]]
        table = ranked(arrow.with_column(family, "label", labels, rows.features["label"]))
        why = dict(zip(table["id"][:], table["why"][:], strict=True))
        looks.append([re.match(r"the text looks like \S+ \(\d+%\)", why[id_])[0] for id_ in ids[:3]])
    assert looks[0] == looks[1]


def test_a_trusted_row_with_the_same_text_and_another_label_is_the_reason():
    rows, trusted = small.table("pool"), small.table("bootstrap")
    texts, labels = trusted["text"][:2], trusted["label"][:2]
    both = arrow.with_column(rows, "text", [*texts, *rows["text"][2:]])
    both = arrow.with_column(
        both, "label", [(labels[0] + 1) % 5, labels[1], *rows["label"][2:]], rows.features["label"]
    )
    table = ranked(both)
    why = [table["why"][table["text"][:].index(text)] for text in texts]
    assert why[0] == f"the same text is {small.NAMES[labels[0]]} among the trusted rows"
    assert why[1].startswith("the text looks like ")


def test_a_class_without_a_trusted_row_is_judged_by_the_other_rows():
    rows, wrong = planted()
    trusted = small.table("bootstrap")
    kept = np.flatnonzero(np.array(trusted["label"][:]) != 0)
    table = ranked(rows, arrow.rows(trusted, kept))
    assert auroc(triples(table), wrong, of_one_label=False) > 0.8
    assert np.isfinite(table["doubt"][:]).all()


def test_a_class_of_which_there_is_nothing_else_is_neither_doubted_nor_believed():
    rows = small.table("pool")
    labels = np.array(rows["label"][:])
    kept = np.r_[np.flatnonzero(labels == 4)[:1], np.flatnonzero(labels != 4)]
    trusted = small.table("bootstrap")
    others = arrow.rows(trusted, np.flatnonzero(np.array(trusted["label"][:]) != 4))
    table = ranked(arrow.rows(rows, kept), others)
    place = table["label"][:].index(4)
    assert "(17%)" in table["why"][place]
    assert 0 < table["doubt"][place] < 1


def test_how_labels_go_wrong_is_read_off_the_rows():
    """Where most rows of one label look like another class, the rest of them are doubted more than elsewhere."""
    probs = np.full((300, 3), 0.05)
    labels = np.repeat([0, 1, 2], 100)
    looks = labels.copy()
    looks[:80] = 2
    probs[np.arange(300), looks] = 0.9
    found = true_classes(probs, labels)
    assert np.allclose(found.sum(axis=1), 1)
    wrong = 1 - found[np.arange(300), labels]
    assert wrong[:80].min() > 0.9 > 0.3 > wrong[80:].max()
    assert wrong[80:100].mean() > 3 * wrong[100:].mean()
    unsure = np.array(
        [[0.4, 0.2, 0.4], [0.4, 0.4, 0.2]]
    )  # looks like another class, too: the one of the mistakes, or not
    of_both = true_classes(np.concatenate([probs, unsure]), np.r_[labels, 0, 0])[-2:]
    assert of_both[0, 0] < of_both[1, 0]


@pytest.mark.parametrize(
    ("rows", "trusted", "line"),
    [
        (range(5), range(0), "trusted has no row; label some hundred rows carefully"),
        (range(0), range(5), "the data has no row; give labelled rows to rank"),
        ([0], [0], "all rows have the same label"),
    ],
)
def test_what_cannot_be_judged_is_refused(rows, trusted, line):
    table = small.table("pool")
    one = arrow.rows(table, rows)
    with pytest.raises(DataError, match=line):
        ranked(one, arrow.rows(table, trusted))


def test_other_classes_and_missing_labels_are_refused():
    table = small.table("pool")
    other = arrow.with_column(table, "label", [0] * len(table), ClassLabel(names=["one"]))
    with pytest.raises(DataError, match="trusted: column 'label' has 1 classes"):
        doubt(table, other)
    hidden = arrow.with_column(table, "label", [None, *table["label"][1:]], table.features["label"])
    with pytest.raises(DataError, match="the data row 0 has no label"):
        doubt(hidden, table)
