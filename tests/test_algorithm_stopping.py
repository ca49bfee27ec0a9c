"""Algorithm 1 with stopping criteria: the loop ends early, and goes on from where it was as without them."""

import itertools
from typing import Any

import numpy as np
import pytest
import small
from looping import all_chosen, chosen, rounds

import rarecase
from rarecase.acquire.stopping import Stopping
from rarecase.data import arrow
from rarecase.data.arrow import rows
from rarecase.data.parquet import read_parquet
from rarecase.evaluate.record import StoppingMeasures


@pytest.mark.parametrize("strategy", [rarecase.random, rarecase.entropy])
def test_a_criterion_that_holds_ends_the_loop_before_the_budget_is_spent(tmp_path, strategy):
    whole = rounds(tmp_path / "whole", strategy=strategy, budget=20)
    found = rounds(tmp_path / "out", strategy=strategy, budget=20, stop=Stopping({"gain": 100.0}))
    assert len(whole) == 6
    assert chosen(found) == chosen(whole)[:4]  # three rounds are compared, and then it holds
    assert [round_.record.stopping.stopped for round_ in found] == [None, None, None, "gain"]
    assert not any(round_.record.stopping for round_ in whole)
    seen = read_parquet(tmp_path / "out/rounds/04/scores.parquet")  # by the last learner
    left = set(small.table("pool")["id"][:]) - set(all_chosen(found))
    assert set(seen["id"][:]) == left
    assert not (tmp_path / "out/rounds/04/chosen.parquet").exists()
    again = found[-1].learner().score(rows(small.table("pool"), [3, 5]))
    place = {id_: row for row, id_ in enumerate(seen["id"][:])}
    assert [list(p) for p in again["probs"][:]] == [seen["probs"][place[id_]] for id_ in again["id"][:]]


def test_what_a_round_measures_of_stopping_follows_from_its_scores(tmp_path):
    found = rounds(tmp_path, strategy=rarecase.random, budget=16, stop=Stopping({"stability": 1.0, "gain": 0.0}))
    scores = [read_parquet(tmp_path / f"rounds/{number:02d}/scores.parquet") for number in range(1, 6)]
    guesses = [dict(zip(t["id"][:], arrow.matrix(t, "probs").argmax(axis=1), strict=True)) for t in scores]
    changed = [np.mean([now[id_] != before[id_] for id_ in now]) for before, now in itertools.pairwise(guesses)]
    assert [round_.record.stopping.gain for round_ in found] == [
        None,
        None,
        None,
        pytest.approx(100 * 10 * sum(changed[:3]) / 12),
        pytest.approx(100 * 10 * sum(changed[1:]) / 12),
    ]
    assert sum(changed) > 0


def test_a_stopped_loop_stays_stopped_and_writes_nothing_again(tmp_path):
    settings: dict[str, Any] = {"strategy": rarecase.random, "budget": 20, "stop": Stopping({"stability": 0.0})}
    one = rounds(tmp_path / "one", **settings)
    before = small.files(tmp_path / "one")
    again = rounds(tmp_path / "one", **{**settings, "budget": 40})  # of which the stop does not depend
    assert [round_.record for round_ in again] == [round_.record for round_ in one]
    assert small.files(tmp_path / "one") == before
    rounds(tmp_path / "two", **settings)
    for killed in ("rounds/03/metrics.json", "rounds/04/scores.parquet", "rounds/02/predictions.parquet"):
        (tmp_path / "two" / killed).unlink()
    rounds(tmp_path / "two", **settings)
    assert small.files(tmp_path / "two") == before


def test_a_pool_that_is_used_up_has_nothing_to_measure(tmp_path):
    pool = rows(small.tables()["pool"], range(4))
    *_, last = rounds(tmp_path, pool=pool, stop=Stopping({"uncertainty": 0.0}))
    assert last.record.stopping == StoppingMeasures(uncertainty=None, stability=None, gain=None, stopped=None)
