"""The near-duplicates are those that a comparison of all pairs gives, whatever the texts."""

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import example, given, settings
from hypothesis import strategies as st
from places import PUBLISHED
from rapidfuzz import fuzz, process

from rarecase.core.randomness import generator
from rarecase.data.read import Columns, drop_duplicates, exact_duplicates, near_duplicates, read_table


def all_pairs(texts: list[str], against: list[str] | tuple[()] = ()) -> np.ndarray:
    """The definition."""
    texts, against = ([text.casefold().strip() for text in some] for some in (texts, against))
    near = np.tril(process.cdist(texts, texts, scorer=fuzz.ratio, dtype=np.float64) >= 90, -1).any(axis=1)
    return near | (process.cdist(texts, against, scorer=fuzz.ratio, dtype=np.float64) >= 90).any(axis=1)


def edited(text: str, edits: int, rng: np.random.Generator, letters: str) -> str:
    for _ in range(edits):
        place = int(rng.integers(len(text) + 1))
        put = letters[rng.integers(len(letters))] if rng.integers(2) else ""
        text = text[:place] + put + text[place + int(rng.integers(2)) :]
    return text


short = st.text(st.sampled_from("ab ß日İA\ud83d"), max_size=12)
any_text = st.text(max_size=30)


@settings(max_examples=150, deadline=None)
@given(st.lists(short | any_text, max_size=25), st.lists(short, max_size=5))
@example(["", " ", "a", "A", "ß", "ss", "ẞ"], [""])
@example([], [])
def test_short_and_strange_texts_as_all_pairs_give(texts, against):
    assert np.array_equal(near_duplicates(texts, against), all_pairs(texts, against))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from([8, 20, 31, 64, 65, 128, 200, 600]), st.sampled_from(["ab", "abcdefgh 🐢é"])
)
def test_texts_at_the_edge_of_the_limit_as_all_pairs_give(seed, length, letters):
    rng = generator(seed, "edges")
    base = "".join(letters[place] for place in rng.integers(len(letters), size=length))
    texts = [edited(base, int(rng.integers(length // 4 + 2)), rng, letters) for _ in range(30)]
    assert np.array_equal(near_duplicates(texts, texts[:2]), all_pairs(texts, texts[:2]))


def test_a_ratio_of_exactly_90_is_a_near_duplicate_at_every_length():
    for matched in range(9, 900, 9):
        one, two = "a" * matched + "x" * (matched // 9), "a" * matched + "y" * (matched // 9)
        assert fuzz.ratio(one, two) == 90
        assert near_duplicates([one, two]).tolist() == [False, True]
        assert near_duplicates([one + "z", two + "w"]).tolist() == [False, False]


def test_many_texts_of_every_length_as_all_pairs_give():
    rng = generator(0, "many")
    letters = "etaoin shrdlu"
    lengths = rng.integers(1, 300, size=150)
    bases = ["".join(letters[place] for place in rng.integers(len(letters), size=length)) for length in lengths]
    texts = [edited(base, int(rng.integers(len(base) // 4 + 1)), rng, letters) for base in bases for _ in range(10)]
    texts = [texts[place] for place in rng.permutation(len(texts))]
    expected = all_pairs(texts)
    assert 0.2 < expected.mean() < 0.8
    assert np.array_equal(near_duplicates(texts), expected)


def test_thousands_of_texts_that_are_all_alike_as_all_pairs_give():
    texts = [f"I bought {place * 37 % 1000} apples in the store" for place in range(3000)]
    assert np.array_equal(near_duplicates(texts), all_pairs(texts))


def test_long_texts_as_all_pairs_give():
    rng = generator(0, "long")
    words = ["".join(map(chr, 97 + rng.integers(26, size=rng.integers(2, 9)))) for _ in range(200)]
    texts = [
        " ".join(words[place] for place in rng.integers(200, size=size)) for size in rng.integers(300, 900, size=30)
    ]
    texts += [edited(text, len(text) // 12, rng, "abc ") for text in texts]
    expected = all_pairs(texts)
    assert expected.any()
    assert np.array_equal(near_duplicates(texts), expected)


def test_exact_duplicates_are_equal_texts_and_the_first_stays():
    assert exact_duplicates(["a", "A", "a ", "a"], against=["A"]).tolist() == [False, True, False, True]


def test_a_pool_loses_repeats_and_what_stands_in_other_sets_and_each_is_counted_once():
    pool = Dataset.from_dict(
        {
            "id": list("abcdefg"),
            "text": [
                "How do I file my taxes this year?",
                "How do I file my taxes this year?",
                "how do i file my taxes this year",
                "Which tea is the best one for a cold evening?",
                "Is my landlord allowed to keep the deposit?",
                "Is my landlord allowed to keep the deposit??",
                "Something else",
            ],
        }
    )
    dev = Dataset.from_dict({"text": ["Which tea is the best one for a cold evening", "Something else"]})
    kept, counts = drop_duplicates(pool, against=[dev])
    assert kept["id"][:] == ["a", "e"]
    assert (counts.exact, counts.near, counts.elsewhere) == (1, 2, 2)
    assert str(counts) == "dropped: 1 duplicates, 2 near-duplicates, 2 in the other sets"
    assert len(drop_duplicates(kept)[0]) == 2


@pytest.mark.published
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"the published set is not at {PUBLISHED}")
def test_the_published_test_titles_hold_72_near_duplicates():
    titles = read_table(
        PUBLISHED / "test_labeled.tsv",
        split="test",
        columns=Columns(text="title", label="category"),
        labeled=True,
    )["text"][:]
    found = near_duplicates(titles)
    assert len(titles) == 2700
    assert np.array_equal(found, all_pairs(titles))
    assert found.sum() == 72
    assert exact_duplicates(titles).sum() == 25
