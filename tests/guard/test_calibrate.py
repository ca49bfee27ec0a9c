"""The certificate tells the truth and has power: from scores and labels to thresholds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from rarecase.core.errors import ConfigError
from rarecase.guard.bounds import lower_bound, most_misses
from rarecase.guard.calibrate import Asked, ScoredRows, calibrate, calibrate_class
from rarecase.guard.certificate import ClassCertificate, Rate, Windows

DRAWS = 2000
MOST_BROKEN = 123  # of 2,000: 5 %, and three standard errors
NAMES = ("a", "b", "c", "d", "e", "harmless")
HARMLESS = ("harmless",)


def scored(positives: np.ndarray, others: np.ndarray, unlabelled: int = 0) -> ScoredRows:
    """Rows of one class and of another."""
    scores = np.concatenate([positives, others])
    labels = np.repeat([0, 1], [len(positives), len(others)])
    both = np.stack([scores, 1 - scores], axis=1)
    return ScoredRows(("a", "harmless"), both, labels, np.ones(len(scores), int), unlabelled)


def one(rows: ScoredRows, target: float = 0.9, **asked: float) -> ClassCertificate:
    return calibrate_class(rows, "a", Asked({"a": target}, **asked), HARMLESS)


def normal_scores(generator: np.random.Generator, size: int, shift: float) -> np.ndarray:
    """Scores between 0 and 1, higher the larger the shift."""
    return norm.cdf(generator.normal(shift, 1.0, size))


def recall_at(threshold: float, shift: float) -> float:
    """What share of the scores of such a class is at the threshold or above, in truth."""
    return float(norm.sf(norm.ppf(threshold) - shift))


def holds(found: ClassCertificate, shift: float) -> bool:
    return found.threshold is None or recall_at(found.threshold, shift) >= found.bound >= found.target


@pytest.mark.parametrize("max_alarm", [0.2, 0.999])  # many draws are refused for their alarm rate, and none
def test_the_bound_of_one_class_holds_in_all_but_few_draws(max_alarm):
    generator = np.random.default_rng(0)
    issued, broken = 0, 0
    for _ in range(DRAWS):
        positives = normal_scores(generator, generator.binomial(1500, 0.03), 2.5)
        found = one(scored(positives, normal_scores(generator, 500, 0.0)), max_alarm=max_alarm)
        issued += found.threshold is not None
        broken += not holds(found, 2.5)
    assert issued > 200
    assert broken <= MOST_BROKEN


def test_the_bounds_of_five_classes_hold_together_in_all_but_few_draws():
    """Some draws have too few of a class. None is refused for its alarm rate: each of these would be one less."""
    generator = np.random.default_rng(1)
    shifts = (2.0, 2.5, 3.0, 3.5, 2.2)
    asked = Asked(dict.fromkeys(NAMES[:5], 0.9), max_alarm=0.999)
    issued, broken = 0, 0
    for _ in range(DRAWS):
        labels = generator.choice(6, size=1000, p=[0.12, 0.09, 0.07, 0.06, 0.05, 0.61])
        scores = generator.normal(0.0, 1.0, (1000, 6))
        for place, shift in enumerate(shifts):
            scores[labels == place, place] += shift
        rows = ScoredRows(NAMES, norm.cdf(scores), labels, np.ones(1000, int))
        found = calibrate(rows, asked, harmless=HARMLESS).classes
        issued += sum(of_class.threshold is not None for of_class in found.values())
        broken += not all(holds(found[name], shift) for name, shift in zip(NAMES, shifts, strict=False))
    assert issued > 500
    assert broken <= MOST_BROKEN


def test_rows_without_a_label_do_not_break_it_whichever_they_are():
    """Those left out here are the ones with the lowest scores, which somebody unsure leaves out."""
    generator = np.random.default_rng(2)
    broken, issued = 0, 0
    for _ in range(DRAWS):
        positives = np.sort(normal_scores(generator, 120, 2.2))
        left_out = generator.integers(0, 6)
        rows = scored(positives[left_out:], normal_scores(generator, 200, 0.0), unlabelled=left_out)
        found = one(rows, max_alarm=0.999)
        issued += found.threshold is not None
        broken += not holds(found, 2.2)
    assert issued > DRAWS / 2
    assert broken <= MOST_BROKEN


def test_a_good_guard_is_certified_nearly_always():
    """200 positives, and a true recall of 0.97 where 15 % of the other texts are flagged."""
    generator = np.random.default_rng(3)
    shift = norm.isf(0.15) - norm.isf(0.97)
    found = [
        one(scored(normal_scores(generator, 200, shift), normal_scores(generator, 2000, 0.0))) for _ in range(500)
    ]
    assert sum(of_draw.threshold is not None for of_draw in found) >= 450


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_six_positives_are_always_refused(scores):
    found = one(scored(np.array(scores), np.zeros(194)))
    assert found.refused == (
        "only 6 positives: even if none were missed, they would show a recall of 0.60 at most; at least 23 more are "
        "needed if none is missed, some 770 random texts at 3 %, and in practice several times that: `rarecase guard "
        "plan` estimates it"
    )
    assert (found.threshold, found.misses, found.positives, found.alarm_rate) == (None, 0, 6, None)


def test_noise_is_refused():
    generator = np.random.default_rng(4)
    for _ in range(500):
        rows = ScoredRows(NAMES, generator.random((1500, 6)), generator.choice(6, 1500), np.ones(1500, int))
        found = calibrate(rows, Asked(dict.fromkeys(NAMES[:5], 0.9)), harmless=HARMLESS).classes
        assert all(of_class.refused and of_class.threshold is None for of_class in found.values())


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]) | st.floats(0, 1), min_size=1, max_size=150),
    st.floats(0.5, 0.99),
    st.integers(0, 5),
)
def test_what_is_certified_can_be_counted_ties_included(scores, target, unlabelled):
    """Equal scores are all found or all missed, so the misses at the threshold are at most those that are allowed."""
    positives = np.array(scores)
    found = one(scored(positives, np.zeros(50), unlabelled), target, max_alarm=0.999)
    assert found.positives == len(scores) + unlabelled
    if found.threshold is None:
        return
    missed = np.count_nonzero(positives < found.threshold) + unlabelled
    assert missed <= found.misses == most_misses(found.positives, target, 1 - 0.95)
    assert found.threshold in positives
    higher = positives[positives > found.threshold]  # no threshold above it misses so few
    assert not len(higher) or np.count_nonzero(positives < higher.min()) + unlabelled > found.misses
    assert found.bound == lower_bound(found.positives - found.misses, found.positives, 1 - 0.95) >= target


def test_thresholds_of_mapies_risk_control_are_never_above_ours():
    """
    An implementation by others of Learn then Test (Angelopoulos et al., 2021), whose p-values are slightly larger.

    Of all its valid thresholds the highest is looked at, on all scores; by itself it takes the one of best precision.
    """
    control = pytest.importorskip("mapie.risk_control")
    generator = np.random.default_rng(5)
    compared = 0
    for draw in range(20):
        positives = normal_scores(generator, 29 + 10 * draw, 2.2).round(3)
        rows = scored(positives, normal_scores(generator, 300, 0.0).round(3))
        found = one(rows, max_alarm=0.999)
        both = np.stack([1 - rows.scores[:, 0], rows.scores[:, 0]], axis=1)
        controller = control.BinaryClassificationController(
            lambda rows: rows,
            risk="recall",
            target_level=0.9,
            confidence_level=0.95,
            list_predict_params=np.unique(np.append(0.0, positives)),
            fwer_method="fixed_sequence",
        ).calibrate(both, 1 - rows.labels)
        if len(controller.valid_predict_params):
            assert found.threshold is not None
            assert max(controller.valid_predict_params) <= found.threshold
            compared += 1
    assert compared >= 15


def test_the_error_is_shared_by_all_classes_that_are_asked_for_refused_ones_included():
    positives = np.linspace(0.5, 1.0, 40)
    rows = scored(positives, np.zeros(400))
    rows = ScoredRows(("a", "harmless", "b"), np.pad(rows.scores, ((0, 0), (0, 1))), rows.labels, rows.windows)
    found = calibrate(rows, Asked({"a": 0.9}), harmless=HARMLESS).classes
    assert (found["a"].misses, found["a"].threshold) == (0, 0.5)
    found = calibrate(rows, Asked({"a": 0.9, "b": 0.9}), harmless=HARMLESS).classes  # 36 without a miss, where 29 were
    assert (found["a"].misses, found["a"].bound) == (0, pytest.approx(0.025 ** (1 / 40)))
    found = calibrate(rows, Asked({"a": 0.9, "b": 0.9}, confidence=0.98), harmless=HARMLESS).classes
    assert found["a"].refused == (
        "only 40 positives: even if none were missed, they would show a recall of 0.89 at most; at least 4 more are "
        "needed if none is missed, some 44 random texts at 9.1 %, and in practice several times that: `rarecase guard "
        "plan` estimates it"
    )
    assert found["b"].refused == (
        "none of the class among 440 texts: nothing can be said about recall; at least 44 positives are needed, and "
        "at most 1 % of the texts are of the class, so that takes 4,300 random texts or more"
    )
    found = calibrate(replace(rows, unlabelled=2), Asked({"a": 0.9}), harmless=HARMLESS).classes
    says = "only 40 positives, and 2 rows without a label, which count as missed: even if no other were missed, they "
    assert (found["a"].refused or "").startswith(says)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=150),
    st.lists(st.floats(0, 0.3), min_size=0, max_size=3),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_in_no_setting_are_more_positives_missed_than_allowed(scores, noise, unlabelled, random):
    """A threshold of a rare class stays above 0, however large a difference is: it is a score of some setting."""
    rows = scored(np.array(scores), np.zeros(50), unlabelled)
    settings = {}
    for place, most in enumerate(noise):
        probs = rows.scores + np.array([[random.uniform(-most, most), 0] for _ in rows.labels])
        settings[str(place)] = np.where(rows.labels[:, None] == 0, probs.clip(0, 1), np.nan)
    found, alone = one(replace(rows, settings=settings), max_alarm=0.999), one(rows, max_alarm=0.999)
    assert (found.bound, found.misses, found.positives) == (alone.bound, alone.misses, alone.positives)
    if found.threshold is None:
        return
    every = [rows.scores[: len(scores), 0], *(of[: len(scores), 0] for of in settings.values())]
    missed = [np.count_nonzero(of < found.threshold) + unlabelled for of in every]
    assert max(missed) <= found.misses
    assert any(found.threshold in of for of in every)


def test_what_is_flagged_too_often_is_refused_at_the_lowest_threshold_of_all_settings():
    others = np.linspace(0.0, 1.0, 1001)[:-1]
    rows = scored(np.full(50, 0.9), others)
    found = one(rows, max_alarm=0.5)
    assert (found.threshold, found.alarm_rate) == (0.9, found.alarm_harmless)
    assert found.alarm_rate is not None
    assert found.alarm_rate.rate == pytest.approx(0.1, abs=0.002)
    lower = replace(rows, settings={"bf16": rows.scores - 0.1})
    assert one(lower, max_alarm=0.5).threshold == pytest.approx(0.8)
    refused = one(lower)
    assert refused.threshold is None
    assert refused.refused == (
        "at the threshold that would certify 0.9 the guard flags 20 % of the texts that are not of it (18 % to 23 %), "
        "and the upper end has to be below 20 % (--max-alarm); a better model helps, or a new, larger set, since "
        "these rows are used"
    )
    assert (one(replace(rows, settings={"bf16": rows.scores / 2})).refused or "").endswith("; a better model helps")


def test_harmless_rows_are_flagged_by_any_class_certified_or_not():
    scores = np.array([[0.9, 0.0, 0.1]] * 50 + [[0.95, 0.0, 0.0], [0.0, 0.7, 0.0], [0.0, 0.3, 0.9], [0.0, 0.0, 1.0]])
    labels = np.array([0] * 50 + [2] * 4)
    rows = ScoredRows(("a", "b", "harmless"), scores, labels, np.array([1] * 47 + [2, 3, 4] + [1] * 4))
    asked = Asked({"a": 0.9}, max_alarm=0.999)
    found = calibrate(rows, asked, harmless=HARMLESS)
    assert found.alarm_any == found.alarm_certified == found.classes["a"].alarm_harmless
    assert found.alarm_any.rate == 0.25
    assert found.classes["a"].windows == Windows(one=47, several=3)
    found = calibrate(rows, asked, harmless=HARMLESS, otherwise=np.full(scores.shape, 0.5))
    assert found.alarm_any == Rate(0.5, pytest.approx(0.0676, abs=1e-4), pytest.approx(0.9324, abs=1e-4))
    assert found.alarm_certified.rate == 0.25
    otherwise = np.where(np.arange(54)[:, None] == 51, 0.8, 0.5)  # as of a long text
    assert calibrate(rows, asked, harmless=HARMLESS, otherwise=otherwise).alarm_any.rate == 0.25
    rows = replace(rows, unscaled=scores / 2)  # at the temperature of a class that is not certified
    found = calibrate(rows, asked, harmless=HARMLESS, otherwise=np.full(scores.shape, 0.5))
    assert found.alarm_any.rate == found.alarm_certified.rate == 0.25


def test_only_too_few_positives_of_all_classes_leave_the_scores_unseen():
    asked = Asked({"a": 0.9})
    assert not scored(np.ones(28), np.zeros(9)).decides(asked)
    assert scored(np.ones(29), np.zeros(9)).decides(asked)
    assert not scored(np.ones(29), np.zeros(9), unlabelled=1).decides(asked)
    assert scored(np.ones(45), np.zeros(9), unlabelled=1).decides(asked)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Asked({"A": 0.9}), r"--recall: class 'A' is no class of the model; did you mean 'a'\? \(classes: a, b, c"),
        (Asked({"harmless": 0.9}), "--recall: class 'harmless' is harmless, so no recall is asked of it"),
        (Asked({"a": 1.0}), "--recall of a 1: expected a number between 0 and 1"),
        (Asked({"a": 0.9}, confidence=95), "--confidence 95: expected"),
        (Asked({"a": 0.9}, max_alarm=0), "--max-alarm 0: expected"),
    ],
)
def test_what_cannot_be_asked_is_one_line(asked, says):
    with pytest.raises(ConfigError, match=says):
        asked.check(NAMES, HARMLESS)
