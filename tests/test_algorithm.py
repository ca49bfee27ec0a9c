"""Algorithm 1: the budget is kept, what people leave out goes back, and what failed a check is not learned from."""

import weakref
from typing import Any

import numpy as np
import pytest
import small
from choosing import NAMES as SHIPPED
from datasets import Dataset
from looping import Doubtful, all_chosen, chosen, rounds
from small import NAMES

import rarecase
from rarecase.acquire.find import find_strategy
from rarecase.acquire.strategy import needs
from rarecase.core.errors import ConfigError, WaitingForLabels
from rarecase.data import arrow
from rarecase.data.arrow import rows
from rarecase.data.parquet import read_parquet
from rarecase.labeling.gold import Gold
from rarecase.learn.frozen import Frozen
from rarecase.verify.policy import accepted


class EveryOther:
    """People who leave every other row empty; tells what they were asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def annotate(self, dataset: Dataset) -> Dataset:
        self.asked.append(dataset["id"][:])
        return small.gold().annotate(rows(dataset, range(0, len(dataset), 2)))


class Nobody(EveryOther):
    """People who label nothing."""

    def annotate(self, dataset: Dataset) -> Dataset:
        return rows(super().annotate(dataset), [])


@pytest.mark.parametrize("strategy", ["random", "entropy", "coreset", "cluster"])
def test_the_budget_is_spent_to_the_last_label_also_where_the_last_batch_is_smaller(tmp_path, strategy):
    found = rounds(tmp_path, strategy=getattr(rarecase, strategy), budget=10, batch=4, clusters=2)
    assert [len(ids) for ids in chosen(found)] == [0, 4, 4, 2]
    assert [round_.record.labels for round_ in found] == [0, 4, 8, 10]
    everything = all_chosen(found)
    assert len(set(everything)) == 10
    assert set(everything) <= set(small.table("pool")["id"][:])
    assert len(found[-1].train) == small.ROWS["bootstrap"] + 10


def test_a_pool_smaller_than_the_budget_is_labelled_whole(tmp_path):
    pool = rows(small.tables()["pool"], range(7))
    found = rounds(tmp_path, pool=pool, budget=100, batch=4)
    assert [len(ids) for ids in chosen(found)] == [0, 4, 3]
    assert set(all_chosen(found)) == set(pool["id"][:])


def test_what_people_leave_empty_goes_back_to_the_pool_and_costs_no_budget(tmp_path):
    people = EveryOther()
    found = rounds(tmp_path, annotator=people, budget=8, batch=6)
    assert [len(ids) for ids in people.asked] == [6, 5, 2, 1]
    assert [len(ids) for ids in chosen(found)] == [0, 3, 3, 1, 1]
    assert len(set(all_chosen(found))) == 8
    skipped = set(people.asked[0]) - set(chosen(found)[1])
    assert skipped & set(people.asked[1])  # still among the most uncertain
    for number, asked in enumerate(people.asked):
        assert not set(asked) & set(all_chosen(found[: number + 1]))  # what is labelled is never asked for again


def test_a_round_in_which_nobody_labels_anything_waits_instead_of_asking_for_ever(tmp_path):
    with pytest.raises(WaitingForLabels, match="none of the 4 chosen texts has a label yet"):
        rounds(tmp_path, annotator=Nobody())
    assert len(rounds(tmp_path)) == 3  # the same folder goes on once somebody does


def twice(pool: Dataset, n: int, *, labeled: Dataset, seed: int) -> Dataset:
    return rows(pool, [0] * n)


def too_few(pool: Dataset, n: int, *, labeled: Dataset, seed: int) -> Dataset:
    return rows(pool, range(n - 1))


def foreign(pool: Dataset, n: int, *, labeled: Dataset, seed: int) -> Dataset:
    return rows(labeled, range(n))


@pytest.mark.parametrize(
    ("strategy", "what"),
    [(twice, r"4 rows \(1 different\)"), (too_few, r"3 rows \(3 different\)"), (foreign, r"4 rows \(4 different\)")],
)
def test_a_strategy_that_returns_other_rows_than_asked_for_is_named(tmp_path, strategy, what):
    with pytest.raises(ConfigError, match=rf"'{strategy.__name__}' returned {what}, expected 4 different rows of the"):
        rounds(tmp_path, strategy=strategy)
    assert not list(tmp_path.rglob("chosen.parquet"))


def test_a_strategy_sees_the_text_and_what_was_computed_and_nothing_else(tmp_path):
    seen = {}

    @needs("probs")
    def curious(pool: Dataset, n: int, *, labeled: Dataset, seed: int) -> Dataset:
        seen.update(pool=set(pool.column_names), labeled=set(labeled.column_names))
        return rows(pool, range(n))

    rounds(tmp_path, pool=small.table("pool"), strategy=curious)  # the gold labels stand in this pool
    assert seen["pool"] == {"id", "text", "embedding", "features", "probs"}
    assert seen["labeled"] == {"id", "text", "label", "embedding", "features"}


def test_what_a_learner_left_in_the_tables_is_not_believed(tmp_path):
    def stale(table: Dataset) -> Dataset:
        for column in ("features", "probs"):
            table = arrow.with_column(table, column, np.ones((len(table), len(NAMES)), np.float32))
        return arrow.with_column(table, "mc_probs", np.ones((len(table), 10, len(NAMES)), np.float32))

    def shown(folder: str, change: Any) -> tuple[set[str], dict[str, bytes]]:
        @needs("features")
        def curious(pool: Dataset, n: int, *, labeled: Dataset, seed: int) -> Dataset:
            seen.update(pool.column_names, labeled.column_names)
            return rarecase.random(pool, n, labeled=labeled, seed=seed)

        seen: set[str] = set()
        rounds(tmp_path / folder, **{name: change(table) for name, table in small.tables().items()}, strategy=curious)
        return seen, small.files(tmp_path / folder)

    assert shown("stale", stale) == shown("fresh", lambda table: table)


class Remembering(Frozen):
    """Remembers every fitted model."""

    def fit(self, train: Dataset, dev: Dataset) -> Frozen:
        self.fitted = [*getattr(self, "fitted", []), super().fit(train, dev)]
        return self.fitted[-1]


def test_a_strategy_that_reads_more_of_the_learner_gets_it_for_pool_and_labelled_rows_of_this_round(tmp_path):
    learner, seen = Remembering("packaged", NAMES, seed=0, encoder=small.encoder(), shared=True), []

    @needs("mc_probs", labeled=["probs", "features"])
    def curious(pool: Dataset, n: int, *, labeled: Dataset, seed: int) -> Dataset:
        draws, probs = learner.fitted[-1].sample(pool), learner.fitted[-1].score(labeled)  # G, as it was fitted last
        assert arrow.matrix(pool, "mc_probs").shape == (len(pool), 10, len(NAMES))
        assert np.array_equal(arrow.matrix(pool, "mc_probs"), arrow.matrix(draws, "mc_probs"))
        assert np.array_equal(arrow.matrix(labeled, "probs"), arrow.matrix(probs, "probs"))
        assert set(labeled.column_names) == {"id", "text", "label", "embedding", "features", "probs"}
        seen.append(len(labeled))
        return rows(pool, range(n))

    *_, last = rounds(tmp_path, strategy=curious, learner=learner)
    assert seen == [60, 64]
    assert set(read_parquet(tmp_path / "rounds/01/scores.parquet").column_names) == {"id", "mc_probs"}
    assert set(read_parquet(tmp_path / "rounds/01/chosen.parquet").column_names).isdisjoint({"mc_probs", "probs"})
    assert "probs" not in last.train.column_names


def test_a_strategy_is_shown_the_start_set_and_what_people_labelled_and_none_of_the_variations(tmp_path):
    start, seen = set(small.table("bootstrap")["text"][:]), []

    @needs("probs", labeled=["embedding", "probs"])
    def curious(pool: Dataset, n: int, *, labeled: Dataset, seed: int) -> Dataset:
        assert {"embedding", "probs"} <= set(labeled.column_names)
        seen.append(labeled["text"][:])
        return rows(pool, range(n))

    found = rounds(tmp_path, strategy=curious, generator=Doubtful())
    text = dict(zip(small.table("pool")["id"][:], small.table("pool")["text"][:], strict=True))
    for number, shown in enumerate(seen):
        assert len(shown) == len(set(shown))
        assert set(shown) == start | {text[id_] for id_ in all_chosen(found[: number + 1])}
    assert len(seen) == 2
    assert len(found[-1].train) == len(start) + 2 * 8  # learned from all the same


@pytest.mark.parametrize("in_pool", [False, True])
def test_what_only_one_of_pool_and_labelled_rows_is_read_for_is_embedded_too(tmp_path, in_pool):
    seen = []

    @needs(*["embedding"] * in_pool, labeled=["embedding"] * (not in_pool))
    def curious(pool: Dataset, n: int, *, labeled: Dataset, seed: int) -> Dataset:
        seen.append(arrow.matrix(pool if in_pool else labeled, "embedding"))
        return rows(pool, range(n))

    bare = {name: table.remove_columns("embedding") for name, table in small.tables().items()}
    rounds(tmp_path, **bare, strategy=curious, budget=4)
    expected = arrow.matrix(small.table("pool" if in_pool else "bootstrap"), "embedding")
    assert np.array_equal(seen[0], expected)


class Counting(Frozen):
    """Counts how often it is fitted, and what it scores."""

    def __init__(self) -> None:
        super().__init__("packaged", NAMES, seed=0, encoder=small.encoder(), shared=True)
        self.fits, self.scored = 0, []

    def fit(self, train: Dataset, dev: Dataset) -> Frozen:
        self.fits += 1
        return super().fit(train, dev)

    def score(self, dataset: Dataset) -> Dataset:
        self.scored.append(len(dataset))
        return super().score(dataset)


def test_the_labelled_rows_are_scored_only_where_a_batch_has_to_be_chosen_and_the_choice_is_the_same(tmp_path):
    settings: dict[str, Any] = {"strategy": find_strategy("contrastive")}
    first = Counting()
    whole = rounds(tmp_path, learner=first, **settings)
    assert first.scored == [30, 60, 90, 60, 30, 60, 86, 64, 30, 60]  # dev, test, then pool, L, dev, test each round
    stored = (tmp_path / "rounds/02/chosen.parquet").read_bytes()
    resumed = Counting()
    again = rounds(tmp_path, learner=resumed, **settings)
    assert (resumed.fits, resumed.scored) == (0, [])
    assert [round_.record for round_ in again] == [round_.record for round_ in whole]
    (tmp_path / "rounds/02/chosen.parquet").unlink()  # as if killed before it: everything later is read again
    resumed = Counting()
    rounds(tmp_path, learner=resumed, **settings)
    assert (resumed.fits, resumed.scored) == (1, [64])
    assert (tmp_path / "rounds/02/chosen.parquet").read_bytes() == stored


@pytest.mark.parametrize("strategy", SHIPPED)
def test_every_strategy_runs_and_the_same_run_writes_the_same_bytes(tmp_path, strategy):
    for name in ("one", "two"):
        found = rounds(tmp_path / name, strategy=find_strategy(strategy), clusters=2)
        assert [len(ids) for ids in chosen(found)] == [0, 4, 4]
        assert len(set(all_chosen(found))) == 8
    assert small.files(tmp_path / "one") == small.files(tmp_path / "two")


def test_a_strategy_that_does_not_say_what_it_reads_gets_all_but_the_draws(tmp_path):
    seen = set()

    def curious(pool: Dataset, n: int, *, labeled: Dataset, seed: int) -> Dataset:
        seen.update(pool.column_names)
        return rows(pool, range(n))

    rounds(tmp_path, strategy=curious)
    assert seen == {"id", "text", *arrow.HELPERS} - {"mc_probs"}


def test_a_class_without_an_example_is_counted_and_found_later(tmp_path):
    label, start = NAMES.index("self-harm"), small.table("bootstrap")
    without = rows(start, np.flatnonzero(arrow.matrix(start, "label") != label))
    found = rounds(tmp_path, bootstrap=without, strategy=rarecase.random, budget=90, batch=90)
    assert found[0].record.test["f1"]["self-harm"] == 0
    assert found[0].record.class_counts["self-harm"] == 0
    assert found[-1].record.found["self-harm"] > 0
    assert found[-1].record.test["f1"]["self-harm"] > 0


def test_variations_that_failed_a_check_are_kept_in_the_file_and_not_learned_from(tmp_path):
    found = rounds(tmp_path, generator=Doubtful())
    stored = read_parquet(tmp_path / "rounds/01/variations.parquet")
    assert [text.split(":")[0] for text in stored["text"][:]] == ["Please", "Doubtful"] * 4
    assert len(accepted(stored, "strict")) == 4
    learned = found[-1].train["text"][:]
    assert sum(text.startswith("Please: ") for text in learned) == 8
    assert not any(text.startswith("Doubtful: ") for text in learned)


def test_counts_are_of_acquired_texts_and_their_variations_without_the_start_set(tmp_path):
    found = rounds(tmp_path, generator=Doubtful())
    label = dict(zip(small.table("pool")["id"][:], small.table("pool")["label"][:], strict=True))
    for number, round_ in enumerate(found):
        ids = all_chosen(found[: number + 1])
        human = np.bincount([label[id_] for id_ in ids] or [0], minlength=len(NAMES)) * bool(ids)
        assert list(round_.record.found) == list(NAMES)
        assert list(round_.record.found.values()) == human.tolist()
        assert list(round_.record.class_counts.values()) == (2 * human).tolist()  # one good variation each
        assert round_.record.class_count_std == pytest.approx(np.std(2 * human, ddof=1))


def test_a_variation_keeps_the_human_label_and_names_its_parent_and_round(tmp_path):
    *_, last = rounds(tmp_path, generator=Doubtful())
    of = {row["id"]: row for row in last.train.select_columns(["id", "text", "label", "round", "strategy"])}
    children = [row for row in last.train.remove_columns(["embedding", "features"]) if row["origin"] == "generated"]
    assert len(children) == 8
    for row in children:
        parent = of[row["parent_id"]]
        assert row["text"] == f"Please: {' '.join(reversed(parent['text'].split()))}"
        assert [row[c] for c in ("label", "round", "strategy")] == [parent[c] for c in ("label", "round", "strategy")]
        assert row["strategy"] == "entropy"


def test_the_same_seed_writes_the_same_bytes_and_another_seed_draws_others(tmp_path):
    for name, seed in {"one": 0, "two": 0, "other": 1}.items():
        rounds(tmp_path / name, strategy=rarecase.random, generator=Doubtful(), seed=seed)
    one, two, other = (small.files(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert len(one) == 12  # predictions and metrics of three rounds, chosen, labels and variations of two; no scores
    assert one["rounds/01/chosen.parquet"] != other["rounds/01/chosen.parquet"]
    assert one["rounds/00/predictions.parquet"] == other["rounds/00/predictions.parquet"]


def test_a_stored_stage_is_read_and_never_made_again(tmp_path):
    whole = rounds(tmp_path, generator=Doubtful())

    class Never:
        """Neither labels nor writes."""

        def annotate(self, dataset: Dataset) -> Dataset:
            raise AssertionError("asked again")

        def generate(self, seeds: Dataset, k: int) -> Dataset:
            raise AssertionError("asked again")

    again = rounds(tmp_path, annotator=Never(), generator=Never())
    assert [round_.record for round_ in again] == [round_.record for round_ in whole]
    assert again[-1].train.to_dict() == whole[-1].train.to_dict()


def test_no_variation_has_the_id_of_a_post(tmp_path):
    pool = rows(small.tables()["pool"], range(8))
    ids = ["23", "23-1", "23-1-1", "23-2", "a", "b", "c", "d"]
    labels = Gold(dict(zip(ids, small.table("pool")["label"][:8], strict=True)), NAMES)
    pool = arrow.with_column(pool, "id", ids)
    *_, last = rounds(tmp_path, pool=pool, annotator=labels, generator=Doubtful(), budget=8, batch=8)
    table = last.train.select_columns(["id", "text", "parent_id"])
    assert len(set(table["id"][:])) == len(table)
    text = dict(zip(table["id"][:], table["text"][:], strict=True))
    children = [row for row in table if row["parent_id"]]
    assert len(children) == 8
    assert all(sorted(row["text"].split()) == sorted(f"Please: {text[row['parent_id']]}".split()) for row in children)


def test_tables_of_id_text_and_label_are_enough(tmp_path):
    plain = {name: table.select_columns(["id", "text", "label"]) for name, table in small.tables().items()}
    plain["pool"] = arrow.with_column(plain["pool"], "label", ["whatever"] * len(plain["pool"]))  # is not looked at
    settings = {"strategy": rarecase.cluster, "generator": Doubtful(), "budget": 4}
    whole, bare = rounds(tmp_path / "whole", **settings), rounds(tmp_path / "bare", **plain, **settings)
    assert [round_.record for round_ in bare] == [round_.record for round_ in whole]
    assert small.files(tmp_path / "bare") == small.files(tmp_path / "whole")


class Weighed(Frozen):
    """Keeps weak references to what it fitted."""

    def __init__(self) -> None:
        super().__init__("packaged", NAMES, seed=0, encoder=small.encoder(), shared=True)
        self.models: list[weakref.ref] = []

    def fit(self, train: Dataset, dev: Dataset) -> Frozen:
        model = super().fit(train, dev)
        self.models.append(weakref.ref(model))
        return model


def test_the_learner_of_an_early_round_is_that_of_the_round_and_kept_rounds_hold_no_model_but_the_last(tmp_path):
    learner = Weighed()
    found = rounds(tmp_path, learner=learner, budget=12)
    assert [model() is not None for model in learner.models] == [False, False, False, True]
    assert found[-1].learner() is found[-1].learner()
    for round_ in found:
        stored = read_parquet(tmp_path / f"rounds/{round_.number:02d}/predictions.parquet")
        again = round_.learner().score(small.table("dev"))
        assert np.array_equal(arrow.matrix(again, "probs"), arrow.matrix(stored, "probs")[: len(again)])
