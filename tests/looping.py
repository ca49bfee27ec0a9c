"""Algorithm 1 over the small sample, for tests of the loop: every part has a default that is fast."""

import itertools
from pathlib import Path
from typing import Any

import small
from datasets import Dataset
from small import NAMES

import rarecase
from rarecase.algorithm import Round, run
from rarecase.generate import NoVariations, Variation, variations_table
from rarecase.learn.frozen import Frozen
from rarecase.runs.folder import RoundFiles


class Doubtful:
    """A generator of two variations a post, its words in another order; the second fails its check."""

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        failed = [{"check": "same-label", "passed": False, "value": 0.2}]
        words = [text.split() for text in seeds["text"][:]]
        made = [
            [
                Variation(f"Please: {' '.join(reversed(own))}", "test"),
                Variation(f"Doubtful: {' '.join(sorted(own))}", "test", checks=failed),
            ]
            for own in words
        ]
        return variations_table(seeds, made)


def rounds(folder: Path, **settings: Any) -> list[Round]:
    parts: dict[str, Any] = {
        **small.tables(),
        "strategy": rarecase.entropy,
        "learner": Frozen("packaged", NAMES, seed=0, encoder=small.encoder(), shared=True),
        "annotator": small.gold(),
        "generator": NoVariations(),
        "encoder": small.encoder(),
        "budget": 8,
        "batch": 4,
    }
    return list(run(RoundFiles(folder), **{**parts, **settings}))


def chosen(found: list[Round]) -> list[list[str]]:
    return [round_.record.chosen for round_ in found]


def all_chosen(found: list[Round]) -> list[str]:
    return list(itertools.chain.from_iterable(chosen(found)))
