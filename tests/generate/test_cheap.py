"""Cheap variations: the words of the post, its label, and draws that nothing else has a part in."""

from collections import Counter

import pytest
import small
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecase.cli.main import command
from rarecase.data import schema
from rarecase.data.parquet import read_parquet
from rarecase.generate.cheap import Cheap
from rarecase.verify.policy import accepted

NAMES = ["harmful", "not-harmful"]
POSTS = st.lists(st.tuples(st.text(min_size=1).filter(str.strip), st.integers(0, 1)), min_size=1, max_size=6)


def table(posts):
    texts, labels = ([post[place] for post in posts] for place in (0, 1))
    columns = {"id": [f"p{i}" for i in range(len(posts))], "text": texts, "label": labels}
    return schema.conform(Dataset.from_dict(columns), NAMES)


def varied(posts, k=5, seed=0):
    """The variations of each post, in order."""
    texts = Cheap(seed=seed).generate(table(posts), k)["text"][:]
    return [texts[place : place + k] for place in range(0, len(texts), k)]


@given(POSTS, st.integers(1, 5), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_variation_has_the_words_of_its_post_or_some_of_them(posts, k, seed):
    for (text, _), variations in zip(posts, varied(posts, k, seed), strict=True):
        words = Counter(text.split())
        assert [Counter(v.split()) for v in variations[::2]] == [words] * len(variations[::2])
        for shortened in variations[1::2]:
            assert shortened
            left = Counter(shortened.split())
            assert left < words if words.total() > 1 else left == words


@given(POSTS, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_a_posts_draws_are_its_own_and_the_seeds(posts, rng):
    alone = [varied([post])[0] for post in posts]
    assert varied(posts) == alone == varied(posts)
    order = rng.sample(range(len(posts)), len(posts))
    assert varied([posts[place] for place in order]) == [alone[place] for place in order]


def test_another_seed_gives_others_and_a_longer_post_changes():
    post = [("one two three four five six seven eight nine ten", 0)]
    assert varied(post, seed=0) != varied(post, seed=1)
    assert post[0][0] not in varied(post)[0][::2]


@given(POSTS)
@settings(max_examples=20, deadline=None)
def test_label_parent_and_origin_are_told_and_all_pass(posts):
    found = Cheap(seed=0).generate(table(posts), 3)
    assert found["label"][:] == [label for _, label in posts for _ in range(3)]
    assert found["parent_id"][:] == [f"p{place}" for place in range(len(posts)) for _ in range(3)]
    assert set(found["origin"][:]) == {schema.GENERATED}
    assert set(found["generator"][:]) == {"cheap"}
    assert len(accepted(found, "strict")) == len(found)
    assert found.features == schema.features(NAMES)


@pytest.mark.parametrize("kind", ["run", "simulate"])
def test_it_is_a_generator_of_both_commands(kind, tmp_path):
    more = ["--annotator", "gold"] if kind == "run" else ["--strategies", "random"]
    more += ["--generator", "cheap", "--variations", "3", "--budget", "4", "--batch", "4"]
    assert command([kind, *small.write(tmp_path), *more, "--out", str(tmp_path / "o")]) == 0
    path = next((tmp_path / "o").rglob("rounds/01/variations.parquet"))
    assert read_parquet(path)["generator"][:] == ["cheap"] * 12
