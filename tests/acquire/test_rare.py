"""`rare` looks for the class with the fewest labels, by example and definition; `rare_first` until it has enough."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset
from sklearn.linear_model import LogisticRegression

from rarecase.acquire.rare import C, rare, rare_first
from rarecase.acquire.uncertainty import closeness_of, entropy
from rarecase.core.errors import ConfigError, MissingColumnError
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.models.encoder import compare

NAMES = ["common", "usual", "seldom"]


class Bags:
    """An encoder whose vectors are the shares of three letters, of length 1."""

    def encode(self, texts: list[str]) -> np.ndarray:
        counts = np.array([[text.count(letter) + 0.1 for letter in "abc"] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def table(texts: list[str], labels: list[int] | None = None) -> Dataset:
    dataset = Dataset.from_dict({"id": [f"t{i}" for i in range(len(texts))], "text": texts})
    dataset = with_column(dataset, "embedding", Bags().encode(texts))
    return dataset if labels is None else with_column(dataset, "label", labels, ClassLabel(names=NAMES))


def some_pool(size: int = 60, seldom: int = 6) -> Dataset:
    """Texts of letters; the seldom ones hold `c`s. The learner is unsure of the first, and of none of the seldom."""
    rng = np.random.default_rng(0)
    letters = [rng.choice(list("ab"), size=8, p=[0.9, 0.1] if i % 2 else [0.1, 0.9]) for i in range(size - seldom)]
    letters += [rng.choice(list("abc"), size=8, p=[0.2, 0.1, 0.7]) for _ in range(seldom)]
    pool = table([f"{''.join(word)} {i}" for i, word in enumerate(letters)])
    sure = np.linspace(0.4, 0.9, size)
    pool = with_column(pool, "probs", np.stack([sure, 1 - sure, 0 * sure], axis=1).astype(np.float32))
    return compare(pool, ["aaaa", "bbbb", "cccc"], Bags())


START = table(["aaaa", "aaab", "aaba", "bbbb", "bbba", "bbab"], [0, 0, 0, 1, 1, 1])


def seldom(batch: Dataset) -> int:
    return sum(text.count("c") >= 3 for text in batch["text"][:])


def test_a_class_without_an_example_is_found_by_its_definition():
    batch = rare(some_pool(), 5, labeled=START)
    assert batch["sought"][:] == [2, 2, 2, None, None]
    assert seldom(batch) == 3


def test_what_was_just_picked_counts_so_that_no_class_takes_more_than_it_lacks():
    batch = rare(some_pool(), 20, labeled=START)
    sought = [c for c in batch["sought"][:] if c is not None]
    assert len(sought) == 12
    assert sought[:3] == [2, 2, 2]  # 0 labels against 3 and 3; then all three in turn
    assert sought[3:] == [0, 1, 2] * 3


def test_the_rest_are_the_closest_of_what_is_left():
    pool = some_pool()
    batch = rare(pool, 10, labeled=START)
    rest = [text for text, sought in zip(batch["text"][:], batch["sought"][:], strict=True) if sought is None]
    looked_for = set(batch["text"][:]) - set(rest)
    closeness = closeness_of(matrix(pool, "probs"))
    left = [(-closeness[i], text) for i, text in enumerate(pool["text"][:]) if text not in looked_for]
    assert rest == [text for _, text in sorted(left)[:4]]


def test_the_score_is_the_sum_of_two_standardised_scores():
    pool, labeled = some_pool(), table([*START["text"][:], "cccc"], [*START["label"][:], 2])
    vectors, labels = matrix(labeled, "embedding").astype(float), matrix(labeled, "label")
    head = LogisticRegression(C=C, class_weight="balanced", tol=1e-6).fit(vectors, labels == 2)
    logits, alike = head.decision_function(matrix(pool, "embedding")), matrix(pool, "similarity")[:, 2]
    expected = sum((s - s.mean()) / s.std() for s in (logits, alike))
    batch = rare(pool, 2, labeled=labeled)
    assert batch["sought"][0] == 2
    assert batch["score"][0] == pytest.approx(expected.max(), rel=1e-3)
    assert batch["text"][0] == pool["text"][int(expected.argmax())]


def test_without_any_label_only_the_definitions_say_what_a_class_is():
    batch = rare(some_pool(), 5)
    assert batch["sought"][:] == [0, 1, 2, None, None]
    assert batch["text"][2].count("c") >= 3


def test_a_class_is_looked_for_first_and_only_while_it_lacks_labels():
    batch = rare_first(some_pool(), 10, labeled=START)  # one label is always looked for
    assert batch["sought"][:] == [2, *[None] * 9]
    assert seldom(rows(batch, [0])) == 1
    rest = some_pool().filter(lambda row: row["id"] != batch["id"][0])
    assert batch["text"][1:] == entropy(rest, 9)["text"][:]


def test_where_no_class_lacks_labels_it_chooses_as_entropy():
    known = table([*START["text"][:], "cccc", "ccca"], [*START["label"][:], 2, 2])
    assert rare_first(some_pool(), 10, labeled=known)["text"][:] == entropy(some_pool(), 10)["text"][:]


def test_without_any_label_each_class_is_looked_for_once():
    assert rare_first(some_pool(), 10)["sought"][:] == [0, 1, 2, *[None] * 7]


def test_the_order_of_rows_of_pool_and_labels_changes_nothing():
    pool, order = some_pool(), np.random.default_rng(1)
    expected = rare(pool, 12, labeled=START)
    other = rare(
        rows(pool, order.permutation(len(pool))), 12, labeled=rows(START, order.permutation(len(START))), seed=9
    )
    for column in ("text", "score", "sought"):
        assert other[column][:] == expected[column][:]


def test_one_class_in_all_labels_leaves_the_definitions():
    batch = rare(some_pool(), 10, labeled=rows(START, [0, 1, 2]))
    assert set(batch["sought"][:6]) == {1, 2}


def test_a_similarity_is_the_cosine_with_the_definition():
    pool = compare(table(["aaaa", "cc"]), ["bbbb", "c"], Bags())
    one, other = Bags().encode(["aaaa", "cc"]), Bags().encode(["bbbb", "c"])
    assert np.allclose(matrix(pool, "similarity"), one @ other.T)


def test_errors_say_what_was_expected():
    with pytest.raises(ConfigError, match="n = 99"):
        rare(some_pool(), 99, labeled=START)
    with pytest.raises(MissingColumnError, match=r"rarecase\.compare\(dataset, definitions, encoder\)"):
        rare(some_pool().remove_columns("similarity"), 3, labeled=START)
