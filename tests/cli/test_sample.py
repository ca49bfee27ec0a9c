"""The sample that ships with rarecase: written, not filled in; skewed as the real thing; neither easy nor hopeless."""

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from places import PUBLISHED
from rapidfuzz import fuzz
from rapidfuzz.process import cdist

import rarecase
from rarecase.data.taxonomy import Taxonomy

SAMPLE = Path(rarecase.__file__).parent / "sample"
SETS = ("bootstrap", "dev", "test", "pool")
SHARES = {  # of the published test split, in percent
    "self-harm": 16,
    "medical-advice": 18,
    "legal-advice": 19,
    "financial-advice": 18,
    "emergency-situation": 3,
    "not-harmful": 26,
}


def read(name: str) -> list[dict[str, str]]:
    with (SAMPLE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def sets() -> dict[str, list[dict[str, str]]]:
    return {name: read(name) for name in SETS}


@pytest.fixture(scope="module")
def posts(sets) -> list[dict[str, str]]:
    return [post for name in SETS for post in sets[name]]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("'", "").replace("’", ""))


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}


def test_there_are_at_least_600_posts_each_with_an_id_a_text_and_a_class(sets, posts):
    assert len(posts) >= 600
    assert {tuple(post) for post in posts} == {("id", "text", "label")}
    assert len({post["id"] for post in posts}) == len(posts)
    assert all(post["text"].strip() and len(post["text"]) <= 300 for post in posts)
    assert {post["label"] for post in posts} == set(Taxonomy.default().names)
    assert all({post["label"] for post in sets[name]} == set(SHARES) for name in SETS)


def test_no_text_stands_twice_in_a_set_or_across_sets(posts):
    assert len({" ".join(words(post["text"])) for post in posts}) == len(posts)


def test_near_duplicates_are_under_2_percent(posts):
    texts = [post["text"].casefold().strip() for post in posts]
    near = np.triu(cdist(texts, texts, scorer=fuzz.ratio, score_cutoff=90), k=1) >= 90
    assert near.any(axis=0).sum() < 0.02 * len(posts)


def test_no_four_word_opening_stands_in_more_than_1_percent(posts):
    openings = Counter(tuple(words(post["text"])[:4]) for post in posts if len(words(post["text"])) >= 4)
    assert max(openings.values()) <= 0.01 * len(posts)


def test_the_classes_are_as_skewed_as_in_the_published_test_split(sets, posts):
    for rows in (posts, sets["test"]):
        counted = Counter(post["label"] for post in rows)
        for label, share in SHARES.items():
            assert abs(100 * counted[label] / len(rows) - share) <= 1.5, label


@pytest.mark.published
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"the published set is not at {PUBLISHED} (RARECASE_PUBLISHED)")
def test_no_six_words_in_a_row_stand_in_the_published_set(posts):
    files = sorted(PUBLISHED.glob("*.tsv"))
    assert len(files) == 7
    published = set()
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            published |= {run for field in line.split("\t") for run in runs(field, 6)}
    shared = [post["id"] for post in posts if runs(post["text"], 6) & published]
    assert shared == []


def test_frozen_on_a_start_set_alone_is_between_50_and_80(sets, posts):
    from rarecase.data.arrow import matrix, rows, with_column
    from rarecase.data.schema import conform
    from rarecase.evaluate.metrics import metrics
    from rarecase.learn.frozen import Frozen

    names = Taxonomy.default().names

    def table(found: list[dict[str, str]]) -> Dataset:
        columns = {key: [post[key] for post in found] for key in ("id", "text")}
        labels = [names.index(post["label"]) for post in found]
        return conform(with_column(Dataset.from_dict(columns), "label", labels), names)

    learner = Frozen("packaged", names, seed=0)
    test, rest = learner.prepare(table(sets["test"])), [post for post in posts if post not in sets["test"]]
    rest = learner.prepare(table(rest))
    found = []
    for seed in range(5):
        drawn = np.random.default_rng(seed).choice(len(rest), len(sets["bootstrap"]), replace=False)
        start = rows(rest, drawn)
        scored = learner.fit(start, start).score(test)
        guesses = matrix(scored, "probs").argmax(axis=1)
        found.append(metrics(matrix(test, "label"), guesses, names)["macro_f1"])
    print(f"macro-F1 from {len(sets['bootstrap'])} posts: {np.round(found, 1)}, mean {np.mean(found):.1f}")
    assert 50 < np.mean(found) < 80


def test_the_readme_says_how_it_was_written_and_counts_what_is_there(sets):
    readme = (SAMPLE / "README.md").read_text(encoding="utf-8")
    assert "## How it was made" in readme
    for label in SHARES:
        counted = [sum(post["label"] == label for post in sets[name]) for name in SETS]
        assert f"| {label} | {' | '.join(map(str, counted))} | {sum(counted)} |" in readme
