"""
The policy: which variations are learned from, after what the checks of each have found.

A variation has up to three opinions on its label: the template's, which asked for that label, the judge's and the
learner's. Every other check is mechanical: what it finds cannot be right, whatever the label.

- `strict` takes what failed no check.
- `majority`, the default, takes what failed no mechanical check and has not two opinions against its label. Where one
  of the two others is absent, or undecided, the one that is left cannot outvote the template, whose label is a
  person's: a learner that has hardly seen a class yet would keep it rare for ever.
- `none` takes all but what is no text, is no variation, or would be measured on.

Measured with `frozen`, fitted on the 150 bootstrap posts of the published set, over the 1,735 published variations
whose label is that of their original: without a judge, `majority` keeps all of them; whatever a judge says, it keeps
90 % of the rarest class (emergency-situation) at least, and 74 % of not-harmful, the class of which it keeps least.
`strict` without a judge keeps as many as that. Were the learner asked about all variations (`rarecase.verify.checks`
says about which it is), `strict` would keep 23 % of the rarest class.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from datasets import Dataset

from rarecase.data import arrow, schema
from rarecase.data.acquired import Policy, VariationCounts
from rarecase.generate import Check

DEFAULT: Policy = "majority"
OPINIONS = frozenset({"judge", "learner"})
NEVER = frozenset({"not-empty", "not-too-long", "refusal", "held-out"})  # learned from under no policy


def accepted(table: Dataset, policy: Policy) -> Dataset:
    """The rows that are learned from under a policy; posts that people wrote have no checks, and all stay."""
    arrow.require(table, "checks")
    return arrow.rows(table, np.flatnonzero([is_accepted(checks, policy) for checks in table["checks"][:]]))


def is_accepted(checks: Sequence[Check] | None, policy: Policy) -> bool:
    """Whether what has these findings is learned from."""
    failed = _failed(checks)
    if policy == "none":
        return not failed & NEVER
    if policy == "majority":
        return not failed - OPINIONS and not failed >= OPINIONS
    return not failed


def counted(tables: Iterable[Dataset], policy: Policy) -> dict[str, VariationCounts]:
    """Of each class that has variations: how many were made, how many are learned from, and what the others failed."""
    of_class: dict[str, list[Sequence[Check] | None]] = {}
    for table in tables:
        of_class = {name: [] for name in schema.label_names(table)} | of_class  # in the order of the classes
        names = list(of_class)
        for label, checks in zip(table["label"][:], table["checks"][:], strict=True):
            of_class[names[label]].append(checks)
    return {
        name: VariationCounts(
            made=len(own),
            kept=sum(is_accepted(checks, policy) for checks in own),
            failed=dict(sorted(Counter(check for checks in own for check in _failed(checks)).items())),
        )
        for name, own in of_class.items()
        if own
    }


def in_words(counts: Mapping[str, VariationCounts]) -> str:
    """How many variations are learned from, such as `87 of 100 variations kept`."""
    made, kept = (sum(getattr(one, name) for one in counts.values()) for name in ("made", "kept"))
    return f"{kept} of {made} variations kept"


def _failed(checks: Sequence[Check] | None) -> set[str]:
    return {check["check"] for check in checks or () if check["passed"] is False}
