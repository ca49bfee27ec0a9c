"""
R, the checks of variations: what is found out about each beside what its generator saw in the reply.

- `language`: of the script and language of its original (`rarecase.verify.language`);
- `copy`: no near-duplicate of an original or of an earlier variation of the same label, by letters or by the encoder;
- `template`: holds nothing of the prompt that its original has not (`rarecase.verify.leaks`);
- `held-out`: no near-duplicate of a text of dev or test;
- `judge`: a language model that is not shown the label gives the same one;
- `learner`: so does the learner that chose the original. It is asked where it gives the original its label: where it
  does not know the post, its answer says nothing about what was made of the post. Of the published originals it knows
  78 % of not-harmful and 17 % of emergency-situation, the rarest, and asked of all it would refuse most of these.

`value` is the likeness to the original in percent (`copy`) or the probability of the label (`judge`, `learner`). What
they decide is the policy's, see `rarecase.verify.policy`. They see texts and labels alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from datasets import Dataset
from rapidfuzz import fuzz

from rarecase.core.errors import DataError
from rarecase.core.processes import on_main
from rarecase.data import arrow, schema
from rarecase.data.acquired import Policy
from rarecase.data.read.duplicates import exact_duplicates, folded, near_duplicates, stands_in
from rarecase.generate import Check
from rarecase.models.encoder import Encoder
from rarecase.verify import policy
from rarecase.verify.language import is_same_language
from rarecase.verify.leaks import Leaks

CHECKS = ("language", "copy", "template", "held-out", "judge", "learner")
# A variation this near to a text, where the distance between two posts of the round is 1 on average, says it in the
# same words. The published variations have a distance of 0.03 at least.
NEAREST = 0.02

Probabilities = Callable[[Sequence[str]], np.ndarray]  # of each class for each text; NaN where nothing was said


class Judge(Protocol):
    """
    Says how likely each class is for a text, and is not shown which one is meant.

    Example:
        >>> class Undecided:
        ...     def probabilities(self, texts):
        ...         return np.full((len(texts), len(names)), 1 / len(names))
        >>> verifier = Verifier(judge=Undecided())
    """

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """
        How likely each class is.

        Args:
            texts (`Sequence[str]`): the texts.

        Returns:
            `np.ndarray`: shape `(texts, classes)`; a row is NaN where there is no answer.
        """
        ...


@dataclass(frozen=True)
class Verifier:
    """
    Checks variations, and says which of them are learned from.

    Args:
        policy (`str`): `strict`, `majority` or `none`, see `rarecase.verify.policy`.
        judge (`Judge`, *optional*): asked about each variation that failed no other check.
        wording (`Sequence[str]`): what the prompt says apart from the post; a variation that repeats it is a leak.
        near_copies (`bool`): whether nearly the same words are a copy, as they are of a language model.

    Example:
        >>> from rarecase.generate.cheap import Cheap
        >>> def probabilities(texts):
        ...     return matrix(learner.score(texts), "probs")
        >>> variations = Cheap(seed=0).generate(start, 2)
        >>> checked = Verifier().check(variations, start, test["text"][:], probabilities, encoder)
        >>> [found["check"] for found in checked["checks"][0]]
        ['not-empty', 'language', 'copy', 'template', 'held-out', 'learner']
    """

    policy: Policy = policy.DEFAULT
    judge: Judge | None = None
    wording: Sequence[str] = ()
    near_copies: bool = True

    def accepted(self, variations: Dataset) -> Dataset:
        """The variations that are learned from."""
        return policy.accepted(variations, self.policy)

    def check(
        self,
        variations: Dataset,
        originals: Dataset,
        held_out: Sequence[str],
        learner: Probabilities,
        encoder: Encoder,
    ) -> Dataset:
        """
        The variations with what the checks found beside what their generator has found.

        Args:
            variations (`Dataset`): as a generator gives them; one without a text is not looked at.
            originals (`Dataset`): the posts that they are of: `id`, `text` and `label`.
            held_out (`Sequence[str]`): the texts of dev and test.
            learner (`Callable`): the probabilities of the learner that chose the originals.
            encoder (`Encoder`): makes the vectors for `copy`.

        Returns:
            `Dataset`: the same rows. Findings of these checks that they had are replaced.

        Raises:
            `DataError`: where a variation is of none of the originals, or a column is missing.
        """
        arrow.require(variations, "text", "label", "parent_id", "checks")
        told: list[Sequence[Check] | None] = variations["checks"][:]
        findings = [[found for found in checks or () if found["check"] not in CHECKS] for checks in told]
        texts = schema.texts(variations)
        rows = [row for row, text in enumerate(texts) if text]
        if not rows:
            return variations
        pairs = _Pairs.of(arrow.rows(variations, rows), originals)
        leaks = Leaks(schema.label_names(variations), self.wording)
        both = list(zip(pairs.texts, pairs.originals, strict=True))
        made: list[list[Check]] = [[] for _ in rows]

        def add(name: str, passed: Sequence[bool | None], values: Sequence[float | None] | None = None) -> None:
            for one, is_good, value in zip(made, passed, values or [None] * len(rows), strict=True):
                one.append({"check": name, "passed": is_good, "value": value})

        # py3langid unpacks its model into a temporary file, which is the main process's to write.
        add("language", on_main(lambda: [is_same_language(*pair) for pair in both]))
        copies = _copies(pairs, originals, encoder if self.near_copies else None)
        add("copy", [not copy for copy in copies], [fuzz.ratio(*map(str.casefold, pair)) for pair in both])
        add("template", [not leaks.found(*pair) for pair in both])
        add("held-out", [not near for near in stands_in(pairs.texts, held_out).tolist()])
        if self.judge:
            clean = [
                place
                for place, row in enumerate(rows)
                if policy.is_accepted([*findings[row], *made[place]], "strict")  # so that no request is for nothing
            ]
            add("judge", *_opinion(partial(on_main, self.judge.probabilities), pairs, clean))
        known = learner(schema.texts(originals)).argmax(axis=1) == arrow.matrix(originals, "label")
        add("learner", *_opinion(learner, pairs, np.flatnonzero(known[pairs.parents])))
        for row, found in zip(rows, made, strict=True):
            findings[row] += found
        return arrow.with_column(variations, "checks", findings, variations.features["checks"])


@dataclass(frozen=True)
class _Pairs:
    """The texts and labels of variations, and the rows and texts of their originals."""

    texts: list[str]
    labels: np.ndarray
    parents: list[int]
    originals: list[str]

    @classmethod
    def of(cls, variations: Dataset, originals: Dataset) -> "_Pairs":
        place, ids = {id_: row for row, id_ in enumerate(originals["id"][:])}, variations["parent_id"][:]
        if not place.keys() >= set(ids):
            raise DataError("a variation has a parent_id that is no post which its generator was given; correct that")
        parents, texts = [place[id_] for id_ in ids], schema.texts(originals)
        labels = arrow.matrix(variations, "label")
        return cls(schema.texts(variations), labels, parents, [texts[parent] for parent in parents])


def _opinion(
    ask: Probabilities, pairs: _Pairs, asked: Sequence[int] | np.ndarray
) -> tuple[list[bool | None], list[float | None]]:
    """Whether the likeliest class is the label, and how likely the label is; None for those that are not asked."""
    passed: list[bool | None] = [None] * len(pairs.texts)
    values: list[float | None] = [None] * len(pairs.texts)
    if len(asked):
        found = ask([pairs.texts[place] for place in asked])
        for place, probs in zip(asked, found, strict=True):
            label = pairs.labels[place]
            if np.isfinite(probs).all():
                passed[place], values[place] = bool(probs.argmax() == label), float(probs[label])
    return passed, values


def _copies(pairs: _Pairs, originals: Dataset, encoder: Encoder | None) -> np.ndarray:
    """
    Which variations are copies of an original or an earlier variation: word for word, and with an encoder nearly so.

    A text that a few words make another class is no copy of the first, so near ones count within a label.
    """
    whole = exact_duplicates([*map(folded, pairs.texts)], [*map(folded, schema.texts(originals))])
    if encoder is None:
        return whole
    texts, labels = schema.texts(originals), arrow.matrix(originals, "label")
    vectors = _unit(encoder.encode([*texts, *pairs.texts]))
    others, own = vectors[: len(texts)], vectors[len(texts) :]
    between = 1 - others @ others.T
    # An encoder may put all texts close together: what is near is told by how far apart these posts are.
    scale = between.sum() / max(1, len(texts) * (len(texts) - 1))
    for label in np.unique(pairs.labels):
        rows, same = np.flatnonzero(pairs.labels == label), np.flatnonzero(labels == label)
        whole[rows] |= near_duplicates([pairs.texts[row] for row in rows], [texts[row] for row in same])
        near = 1 - own[rows] @ np.concatenate([others[same], own[rows]]).T < NEAREST * scale
        earlier = np.tri(len(rows), len(rows), -1, dtype=bool)
        whole[rows] |= (near & np.hstack([np.ones((len(rows), len(same)), dtype=bool), earlier])).any(axis=1)
    return whole


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
