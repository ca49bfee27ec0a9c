"""Agreement, against the libraries' own figures and the published examples of the measures."""

import time
from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from rarecase.labeling.store.agreement import agreement

NAMES = ["a", "b", "c"]
TWO = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)
@given(pairs=TWO)
def test_two_people_have_the_kappa_and_alpha_of_the_libraries(pairs):
    found = agreement([{"ann": one, "bob": other} for one, other in pairs], NAMES)
    ann, bob = zip(*pairs, strict=True)
    assert found.items == len(pairs)
    if len({*ann, *bob}) < 2:
        assert (found.kappa, found.alpha) == (None, None)
        return
    assert found.kappa == pytest.approx(cohen_kappa_score(ann, bob))
    table = [[NAMES.index(label) for label in said] for said in (ann, bob)]
    assert found.alpha == pytest.approx(krippendorff.alpha(table, level_of_measurement="nominal"))
    for name in NAMES:
        either = sum(name in pair for pair in pairs)
        both = sum(pair == (name, name) for pair in pairs)
        assert found.per_class[name] == (pytest.approx(2 * both / (either + both)) if either else None)
        for other in NAMES:
            assert found.confusion[name][other] == sum(sorted(pair) == sorted((name, other)) for pair in pairs)


def test_of_more_than_two_people_kappa_is_the_mean_over_pairs():
    votes = [{"ann": "a", "bob": "a"}, {"ann": "b", "bob": "b"}, {"bob": "a", "eve": "b"}, {"bob": "b", "eve": "a"}]
    votes += [{"bob": "a", "eve": "a"}, {"bob": "b", "eve": "b"}, {"fay": "c"}]
    found = agreement(votes, NAMES)
    assert found.kappa == pytest.approx(np.average([1.0, 0.0], weights=[2, 4]))
    assert found.items == 6


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["ann", "bob", "eve", "fay"]), st.sampled_from(NAMES), max_size=4), max_size=30
    )
)
def test_any_votes_have_the_figures_of_the_libraries(votes):
    shared = [said for said in votes if len(said) > 1]
    kappas, weights = [], []
    for pair in combinations(["ann", "bob", "eve", "fay"], 2):
        both = [[said[name] for name in pair] for said in votes if {*pair} <= said.keys()]
        if len({label for labels in both for label in labels}) > 1:
            kappas.append(cohen_kappa_score(*zip(*both, strict=True), labels=NAMES))
            weights.append(len(both))
    found = agreement(votes, NAMES)
    assert found.kappa == (pytest.approx(np.average(kappas, weights=weights)) if kappas else None)
    table = [
        [NAMES.index(said[name]) if name in said else np.nan for said in shared]
        for name in ("ann", "bob", "eve", "fay")
    ]
    alpha = None
    if len({label for said in shared for label in said.values()}) > 1:
        alpha = krippendorff.alpha(table, level_of_measurement="nominal", value_domain=range(len(NAMES)))
    assert found.alpha == (alpha and pytest.approx(alpha))


def test_many_people_take_no_second():
    """The pages compute it every two seconds, beside all else."""
    rng, people = np.random.default_rng(0), [f"person {i}" for i in range(54)]
    votes = [dict(zip(rng.choice(people, 2, replace=False), rng.choice(NAMES, 2), strict=True)) for _ in range(2_000)]
    begun = time.process_time()
    agreement(votes, NAMES)
    assert time.process_time() - begun < 0.3


def test_krippendorffs_own_example():
    """Krippendorff (2011), Computing Krippendorff's alpha-reliability, section C: nominal, four observers, 0.743."""
    said = {
        "A": "1 2 3 3 2 1 4 1 2 - - -",
        "B": "1 2 3 3 2 2 4 1 2 5 - 3",
        "C": "- 3 3 3 2 3 4 2 2 5 1 -",
        "D": "1 2 3 3 2 4 4 1 2 5 1 -",
    }
    units = zip(*(row.split() for row in said.values()), strict=True)
    votes = [{name: value for name, value in zip(said, unit, strict=True) if value != "-"} for unit in units]
    assert agreement(votes, list("12345")).alpha == pytest.approx(0.743, abs=5e-4)


def test_nothing_in_common_is_no_agreement_and_no_error():
    for votes in ([], [{}], [{"ann": "a"}], [{"ann": "a"}, {"bob": "b"}]):
        found = agreement(votes, NAMES)
        assert (found.items, found.kappa, found.alpha, set(found.per_class.values())) == (0, None, None, {None})
