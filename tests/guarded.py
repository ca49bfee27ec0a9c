"""What a guard finds of labelled texts, and what it finds once these are written in another way."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from perturbations import KINDS, perturbed

from rarecase.guard.guard import Guard


@dataclass(frozen=True)
class Found:
    """In percent: the recall of each harmful class, and the share of harmless texts that any class flags."""

    recall: dict[str, float]
    alarm: float

    @property
    def macro_recall(self) -> float:
        return float(np.mean([*self.recall.values()]))


def found(guard: Guard, probs: np.ndarray, labels: np.ndarray) -> Found:
    over = probs >= guard.thresholds
    classes = np.flatnonzero(guard.harmful)
    recall = {guard.names[c]: float(100 * over[labels == c, c].mean()) for c in classes if (labels == c).any()}
    harmless = ~guard.harmful[labels]
    return Found(recall, float(100 * over[harmless].any(axis=1).mean()) if harmless.any() else 0.0)


def by_kind(
    guard: Guard, texts: Sequence[str], labels: np.ndarray, kinds: Sequence[str] = (*KINDS,)
) -> dict[str, Found]:
    """As they are (`plain`) and by kind; all scored at once, for what is undone is scored once."""
    ways = {"plain": list(texts)} | {kind: perturbed(kind, texts) for kind in kinds}
    probs = guard.scores([text for way in ways.values() for text in way]).probs
    return {way: found(guard, probs[i * len(texts) :][: len(texts)], labels) for i, way in enumerate(ways)}


@dataclass(frozen=True)
class Needles:
    """
    Of needles that are found alone: in percent of the places in a long text where they are found, and of long texts
    without one those that are flagged; both with the thresholds of long texts, and with those of short ones.
    """

    alone: int
    windows: int
    found: float
    alarm: float
    found_as_short: float
    alarm_as_short: float


def long_text(sentences: Sequence[str], tokens: int, guard: Guard, rng: np.random.Generator) -> list[str]:
    """Sentences in some order, so many that together they have about so many tokens."""
    tokenizer = guard.learner.reader().tokenizer
    chosen, count = [], 0
    while count < tokens:
        chosen.append(sentences[int(rng.integers(len(sentences)))])
        count += len(tokenizer(chosen[-1], add_special_tokens=False)["input_ids"])
    return chosen


def needles(
    guard: Guard, harmless: Sequence[str], harmful: Sequence[str], *, tokens: int, texts: int, places: int = 10
) -> Needles:
    """Sentences of `harmful` that are found alone are put into a long text of `harmless` ones at so many places."""
    rng = np.random.default_rng(0)
    alone = guard.scores(harmful).probs >= guard.thresholds
    sought = [text for text, over in zip(harmful, alone, strict=True) if over.any()]
    hidden = []
    for text in sought:
        around = long_text(harmless, tokens, guard, rng)
        for place in np.linspace(0, len(around), places).astype(int):
            hidden.append(" ".join([*around[:place], text, *around[place:]]))
    scored = guard.scores(hidden)
    without = guard.scores([" ".join(long_text(harmless, tokens, guard, rng)) for _ in range(texts)])
    shares = [
        float(100 * (probs >= thresholds).any(axis=1).mean())
        for thresholds in (guard.long_thresholds, guard.thresholds)
        for probs in (scored.probs, without.probs)
    ]
    return Needles(len(sought), int(np.median(scored.windows)), *shares)
