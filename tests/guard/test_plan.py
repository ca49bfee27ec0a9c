"""How many random texts more: for whom it is enough, and for whom no number is."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import small
from scipy.stats import norm

from rarecase.cli.main import command
from rarecase.data.parquet import write_parquet
from rarecase.guard.calibrate import Asked, ScoredRows, calibrate_class
from rarecase.guard.plan import plan

ASKED = Asked({"a": 0.9})
HARMLESS = ("harmless",)


def drawn(generator: np.random.Generator, texts: int, share: float, shift: float) -> ScoredRows:
    """Random texts, of which a share is of the class."""
    labels = (generator.random(texts) >= share).astype(int)
    scores = norm.cdf(generator.normal(0.0, 1.0, texts) + shift * (labels == 0))
    return ScoredRows(("a", "harmless"), np.stack([scores, 1 - scores], axis=1), labels, np.ones(texts, int))


@pytest.mark.parametrize("texts", [500, 2000])
def test_so_many_texts_are_enough_in_about_four_of_five_draws(texts):
    """Planned again and again on other rows; the number is an estimate, so the chance is only about what it says."""
    generator = np.random.default_rng(6)
    planned, certified = 0, 0
    for _ in range(16):
        number = plan(drawn(generator, texts, 0.03, 2.5), ASKED, harmless=HARMLESS).texts
        if not number:
            continue
        planned += 1
        for _ in range(8):
            after = calibrate_class(drawn(generator, number, 0.03, 2.5), "a", ASKED, HARMLESS)
            certified += after.threshold is not None
    assert planned >= 6
    assert 0.6 <= certified / (8 * planned) <= 0.97


def test_six_of_six_take_some_more_and_the_number_has_an_interval():
    scores = np.concatenate([np.linspace(0.7, 0.9, 6), np.linspace(0.0, 0.5, 194)])
    labels = np.repeat([0, 1], [6, 194])
    rows = ScoredRows(("a", "harmless"), np.stack([scores, 1 - scores], axis=1), labels, np.ones(200, int))
    found = plan(rows, ASKED, harmless=HARMLESS)
    of_class = found.classes["a"]
    assert of_class.texts is not None
    assert of_class.between is not None
    assert 970 < of_class.texts == found.texts  # 29 are needed, and the six of these rows are none of the new ones
    assert of_class.between[0] < of_class.texts < of_class.between[1]
    assert of_class.share.rate == 0.03
    assert of_class.reason.startswith("some ")
    assert f"some {of_class.texts:,} random texts certify it with a chance of 80 %" in of_class.reason
    assert "since 1.1 % to 6.4 % of the texts are of the class" in of_class.reason
    assert "100 % (54 % to 100 %) of the class are found where 20 % of the other texts are flagged" in of_class.reason


def test_no_number_helps_where_the_model_does_not_know_the_class():
    rows = drawn(np.random.default_rng(7), 2000, 0.05, 0.5)
    found = plan(rows, ASKED, harmless=HARMLESS)
    assert found.texts == 0
    assert found.classes["a"].texts is None
    assert found.classes["a"].recall is not None
    assert found.classes["a"].recall.high < 0.9
    assert found.classes["a"].reason.startswith("no number of texts helps: ")
    assert found.classes["a"].reason.endswith("a better model, a lower target or a higher --max-alarm, on new rows")


def test_that_none_helps_is_only_probable_where_the_interval_of_few_texts_allows_the_target():
    scores = np.concatenate([np.linspace(0.7, 0.9, 24), np.zeros(3), np.linspace(0.0, 0.5, 173)])
    labels = np.repeat([0, 1], [27, 173])
    rows = ScoredRows(("a", "harmless"), np.stack([scores, 1 - scores], axis=1), labels, np.ones(200, int))
    found = plan(rows, ASKED, harmless=HARMLESS).classes["a"]
    assert found.texts is None
    assert found.reason == (
        "probably none helps: 89 % (71 % to 98 %) of the class are found where 20 % of the other texts are flagged, "
        "and 0.9 is asked; the estimate rests on 27 texts; what helps is a better model, a lower target or a higher "
        "--max-alarm, on new rows"
    )


def test_with_three_of_the_class_nobody_can_tell_and_with_none_even_less():
    scores = np.array([0.9, 0.8, 0.7, *np.zeros(97)])
    labels = np.repeat([0, 1], [3, 97])
    rows = ScoredRows(
        ("a", "harmless", "b"), np.stack([scores, 1 - scores, scores], axis=1), labels, np.ones(100, int)
    )
    found = plan(rows, Asked({"a": 0.9, "b": 0.9}), harmless=HARMLESS)
    assert [one.texts for one in found.classes.values()] == [None, None]
    assert found.classes["a"].reason.startswith("too few of the class are there to tell how many texts it takes: ")
    assert found.classes["b"].reason.startswith("none of the class among 100 texts: nothing can be said about recall")


def test_what_can_be_certified_takes_nothing_more():
    found = plan(drawn(np.random.default_rng(8), 4000, 0.05, 4.0), ASKED, harmless=HARMLESS)
    assert found.texts == 0
    assert found.classes["a"].now.threshold is not None
    assert found.classes["a"].reason.startswith("can be certified on these rows: recall at least 0.9")


def test_a_new_set_is_large_enough_for_a_class_that_these_rows_certify_too():
    generator = np.random.default_rng(9)
    labels = generator.choice(3, 3000, p=[0.02, 0.2, 0.78])
    scores = generator.normal(0.0, 1.0, (3000, 3)) + 4.0 * (labels[:, None] == np.arange(3))
    rows = ScoredRows(("a", "b", "harmless"), norm.cdf(scores), labels, np.ones(3000, int), unlabelled=3)
    found = plan(rows, Asked({"a": 0.9, "b": 0.95}), harmless=HARMLESS)
    assert found.classes["b"].now.threshold is not None
    assert found.classes["a"].now.threshold is None
    assert found.texts == max(one.texts or 0 for one in found.classes.values())
    assert found.classes["b"].texts


@pytest.fixture
def next_command(capsys, monkeypatch) -> Callable[..., str]:
    """What `guard plan` says on stderr of a pool, where the rows need some more."""
    scores = np.concatenate([np.linspace(0.7, 0.9, 6), np.linspace(0.0, 0.5, 194)])
    rows = ScoredRows(
        ("a", "harmless"), np.stack([scores, 1 - scores], axis=1), np.repeat([0, 1], [6, 194]), np.ones(200, int)
    )
    held_out, guard = SimpleNamespace(start=None), SimpleNamespace(names=rows.names)
    prepared = SimpleNamespace(scored=rows, asked=ASKED, harmless=HARMLESS, held_out=held_out, guard=guard)
    monkeypatch.setattr("rarecase.guard.certify.prepare", lambda *_: prepared)

    def said(pool: Path, *flags: str, status: int = 0) -> str:
        arguments = ["guard", "plan", "guard", "--heldout", "rows", "--pool", str(pool), "--text-column", "body"]
        assert command([*arguments, "--label-column", "class", *flags]) == status
        return capsys.readouterr().err.strip()

    return said


def test_the_pool_is_read_as_the_rows_and_the_command_that_draws_from_it_says_how(tmp_path, next_command):
    """Columns that are called something else, in an encoding of their own."""
    pool, posts = tmp_path / "pool.jsonl", small.table("pool")["text"][:20]
    pool.write_text("\n".join(json.dumps({"body": post}, ensure_ascii=False) for post in posts), encoding="utf-16")
    said = next_command(pool, "--encoding", "utf-16")
    assert f"rarecase start --pool {pool} " in said
    assert said.endswith(" --encoding utf-16 --text-column body --out certify")


def test_a_pool_that_rarecase_wrote_is_read_though_the_columns_of_the_rows_are_called_something_else(
    tmp_path, next_command
):
    pool = tmp_path / "pool.parquet"
    posts = small.table("pool").select(range(20))
    write_parquet(pool, posts.select_columns(["id", "text"]))
    said = next_command(pool, "--encoding", "latin-1")
    assert f"rarecase start --pool {pool} " in said
    assert "-column" not in said
    assert "--encoding" not in said
    write_parquet(pool, posts.select_columns(["text"]).rename_columns({"text": "title"}))
    assert "no column 'body' (there are: title)" in next_command(pool, status=2)
