"""The policy: which variations are learned from, after what their checks found."""

import pytest
from datasets import Dataset, concatenate_datasets
from hypothesis import given
from hypothesis import strategies as st

from rarecase.data import schema
from rarecase.data.acquired import VariationCounts
from rarecase.verify.policy import accepted, counted, in_words, is_accepted

NAMES = ["harmful", "not-harmful", "rare"]
MECHANICAL = ["whole", "refusal", "not-empty", "placeholders", "language", "copy", "template", "held-out", "of-old"]
POLICIES = ["strict", "majority", "none"]

findings = st.dictionaries(st.sampled_from([*MECHANICAL, "judge", "learner"]), st.sampled_from([True, False, None]))


def checks(found):
    return [{"check": name, "passed": passed, "value": None} for name, passed in found.items()]


def table(*found, label=0):
    rows = [{"id": str(i), "text": str(i), "label": label, "checks": one} for i, one in enumerate(found)]
    return schema.conform(Dataset.from_list(rows), NAMES)


@given(findings)
def test_each_policy_accepts_what_a_stricter_one_does_and_none_what_would_be_measured_on(found):
    strict, majority, none = (is_accepted(checks(found), policy) for policy in POLICIES)
    assert strict <= majority <= none
    assert strict == (False not in found.values())
    if found.get("held-out") is False or found.get("not-empty") is False or found.get("refusal") is False:
        assert not none


@given(findings)
def test_by_majority_one_opinion_cannot_outvote_the_persons_label_and_two_can(found):
    mechanical = all(found.get(name) is not False for name in MECHANICAL)
    against = [name for name in ("judge", "learner") if found.get(name) is False]
    assert is_accepted(checks(found), "majority") == (mechanical and len(against) < 2)


@given(findings, st.permutations([*MECHANICAL, "judge", "learner"]))
def test_the_order_of_the_findings_says_nothing(found, order):
    other = {name: found[name] for name in order if name in found}
    assert [is_accepted(checks(found), p) for p in POLICIES] == [is_accepted(checks(other), p) for p in POLICIES]


@pytest.mark.parametrize("policy", POLICIES)
def test_rows_without_findings_stay_and_all_keep_their_order(policy):
    good, bad = checks({"copy": True}), checks({"copy": True, "held-out": False})
    assert accepted(table(good, bad, [], None, bad, good), policy)["id"][:] == ["0", "2", "3", "5"]


def test_the_pass_rate_is_counted_by_class_over_all_rounds_and_says_what_failed():
    one = table(checks({"copy": False, "learner": False}), checks({"learner": False}), label=2)
    two = table(checks({"judge": None}), label=0)
    counts = counted([one, two, one], "majority")
    assert counts == {
        "harmful": VariationCounts(1, 1, {}),
        "rare": VariationCounts(4, 2, {"copy": 2, "learner": 4}),
    }
    assert list(counts) == ["harmful", "rare"]
    assert in_words(counts) == "3 of 5 variations kept"
    assert counted([concatenate_datasets([one, two, one])], "majority") == counts
    assert counted([], "strict") == counted([table(checks({})).select([])], "none") == {}
