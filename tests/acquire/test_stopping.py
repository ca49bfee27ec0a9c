"""The stopping criteria against their formulas, on histories whose answer is known."""

import math

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from rarecase.acquire.stopping import (
    WINDOW,
    Stopping,
    gain,
    overall_uncertainty,
    predictions_of_both,
    sentence_of,
    stability,
)
from rarecase.core.errors import ConfigError
from rarecase.evaluate.record import StoppingMeasures

TEXTS = 1000


def table(classes: np.ndarray, ids: list[str] | None = None, sure: float = 0.9) -> Dataset:
    """A pool as a learner sees it that predicts these of three classes."""
    probs = np.full((len(classes), 3), (1 - sure) / 2, np.float32)
    probs[np.arange(len(classes)), classes] = sure
    return Dataset.from_dict({"id": ids or [f"p{row}" for row in range(len(classes))], "probs": probs.tolist()})


def history(*shares: float, labels: int = 20) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[int]]:
    """Rounds of 20 labels, in each of which this share of 1,000 predictions changed."""
    pairs, now = [], np.arange(TEXTS) % 3
    for share in shares:
        before, now = now, now.copy()
        now[: round(share * TEXTS)] = (now[: round(share * TEXTS)] + 1) % 3
        pairs.append((before, now))
    return pairs, [labels] * len(shares)


def test_overall_uncertainty_is_the_mean_entropy_in_nats_whatever_the_order():
    assert overall_uncertainty(np.full((5, 4), 0.25)) == pytest.approx(math.log(4))
    assert overall_uncertainty(np.eye(3)) == 0
    assert overall_uncertainty(np.array([[0.5, 0.5], [1.0, 0.0]])) == pytest.approx(math.log(2) / 2)
    assert overall_uncertainty(np.zeros((0, 3))) is None
    probs = np.random.default_rng(0).dirichlet(np.ones(6), 999).astype(np.float32)
    assert len({overall_uncertainty(np.random.default_rng(seed).permutation(probs)) for seed in range(20)}) == 1


def test_stability_is_the_mean_kappa_of_the_last_three_rounds():
    pairs, _ = history(0.5, 0.2, 0.1, 0.04)
    kappas = [cohen_kappa_score(*pair) for pair in pairs[1:]]
    assert stability(pairs) == pytest.approx(np.mean(kappas))
    assert kappas[0] < kappas[1] < kappas[2] < 1
    assert stability(pairs[:2]) is None
    assert stability(history(0, 0, 0)[0]) == 1
    one_class = np.zeros(50, np.int64)
    assert stability([(one_class, one_class)] * WINDOW) == 1  # where kappa itself is not defined


def test_gain_is_what_ten_more_labels_would_change_at_the_rate_of_the_last_three_rounds():
    assert gain(*history(0.02, 0.02, 0.02)) == pytest.approx(1.0)  # 2 % for 20 labels
    assert gain(*history(0.5, 0.02, 0.02, 0.02)) == pytest.approx(1.0)  # older rounds are forgotten
    assert gain(*history(0.02, 0.02, 0.02, labels=5)) == pytest.approx(4.0)
    assert gain(*history(0, 0, 0)) == 0
    assert gain(*history(1, 1, 1, labels=1)) == 100  # more than all cannot change
    assert gain(*history(0.1, 0.1)) is None
    pairs, _ = history(0.03, 0.03, 0.0)
    assert gain(pairs, [10, 10, 40]) == pytest.approx(1.0)  # each round weighs as many labels as it took
    assert gain(pairs, [0, 0, 0]) is None


@pytest.mark.parametrize("decay", [0.5, 0.8, 1.0])
def test_gain_foretells_no_less_than_comes_where_the_changes_become_fewer(decay):
    shares = [0.3 * decay**number for number in range(9)]
    pairs, labels = history(*shares)
    for number in range(WINDOW, len(shares)):
        comes = 100 * shares[number] * 10 / labels[number]
        assert gain(pairs[:number], labels[:number]) >= comes - 0.05  # shares are rounded to whole texts
    assert gain(pairs, labels) == pytest.approx(100 * 10 * sum(shares[-3:]) / 60, abs=0.05)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(st.integers(0, 2), min_size=12, max_size=12), min_size=2, max_size=6), st.integers(0, 99))
def test_the_order_of_rows_and_their_ids_change_nothing(predicted, seed):
    rng = np.random.default_rng(seed)
    sizes = [12 - 2 * number for number in range(len(predicted))]
    labels = [2] * (len(predicted) - 1)
    one, two = [], []
    for classes, size in zip(predicted, sizes, strict=True):
        order = rng.permutation(size)
        one.append(table(np.array(classes[:size], np.int64), [f"p{row}" for row in range(size)]))
        two.append(table(np.array(classes[:size], np.int64)[order], [f"x{row}" for row in order]))
    stop = Stopping({"stability": 0.9, "gain": 5.0})
    assert stop.measure(one, labels) == stop.measure(two, labels)


def test_only_texts_that_both_learners_saw_are_compared():
    before, after = predictions_of_both(table(np.array([0, 1, 2]), list("abc")), table(np.array([1, 2]), list("cb")))
    assert before.tolist() == [2, 1]
    assert after.tolist() == [1, 2]


def rounds_of(*shares: float) -> list[Dataset]:
    pairs, _ = history(*shares)
    return [table(pairs[0][0]), *(table(now) for _, now in pairs)]


def test_a_round_says_all_three_and_which_holds_first():
    calm, labels = rounds_of(0.004, 0.004, 0.004), [20, 20, 20]
    found = Stopping.parse("uncertainty=0.1,gain=0.3,stability=0.99").measure(calm, labels)
    assert found.uncertainty == pytest.approx(-(0.9 * math.log(0.9) + 0.1 * math.log(0.05)), abs=1e-6)
    assert found.gain == pytest.approx(0.2)
    assert found.stability > 0.99
    assert found.stopped == "gain"
    assert Stopping.parse("stability=0.99,gain=0.3").measure(calm, labels).stopped == "stability"
    assert Stopping.parse("gain=0.1").measure(calm, labels).stopped is None
    assert Stopping.parse("uncertainty=0.4").measure(calm[:1], []).stopped == "uncertainty"


def test_change_needs_three_rounds_and_an_empty_pool_stops_nothing():
    stop = Stopping.parse("stability=0,gain=100,uncertainty=9")
    early = stop.measure(rounds_of(0.1, 0.1), [20, 20])
    assert (early.stability, early.gain) == (None, None)
    assert stop.measure([], []) == StoppingMeasures(None, None, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gains=0.3", r"unknown criterion 'gains'; did you mean 'gain'\?; expected NAME=NUMBER"),
        ("", r"unknown criterion; expected NAME=NUMBER of uncertainty, stability or gain, such as gain=0\.3"),
        ("gain", r"gain: expected a number from 0 to 100, such as gain=0\.3"),
        ("gain=much", r"gain: expected a number from 0 to 100"),
        ("gain=-1", r"gain: expected a number from 0 to 100"),
        ("gain=nan", r"gain: expected a number from 0 to 100"),
        ("stability=99", r"stability: expected a number from 0 to 1, such as stability=0\.99"),
        ("uncertainty=inf", r"uncertainty: expected a number of at least 0, such as uncertainty=0\.2"),
        ("gain=0.3,gain=0.4", r"gain is given twice; leave one of them out"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_named(text, message):
    with pytest.raises(ConfigError, match=rf"^--stop-when:? ?{message}"):
        Stopping.parse(text)


def test_limits_are_read_in_the_order_given():
    assert list(Stopping.parse(" stability = 0.99 , gain=0.3").limits.items()) == [("stability", 0.99), ("gain", 0.3)]


def test_what_stopped_is_said_in_a_sentence():
    stopping = {"uncertainty": 0.1234, "stability": 0.9951, "gain": 0.25}
    said = {name: sentence_of(60, StoppingMeasures(**stopping, stopped=name)) for name in stopping}
    assert said == {
        "uncertainty": "Stopped after 60 labels: the mean entropy of what is unlabelled is 0.123 nats (uncertainty).",
        "stability": "Stopped after 60 labels: the last learners agree with a kappa of 0.995 (stability).",
        "gain": "Stopped after 60 labels: ten more would change 0.25 % of predictions (gain).",
    }
    all_change = StoppingMeasures(**{**stopping, "gain": 100.0}, stopped="gain")
    assert sentence_of(60, all_change) == "Stopped after 60 labels: ten more would change 100 % of predictions (gain)."
    assert sentence_of(60, StoppingMeasures(**stopping, stopped=None)) is None
    assert sentence_of(60, None) is None
