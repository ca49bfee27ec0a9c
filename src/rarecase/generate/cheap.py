"""Variations without a language model: words swapped and left out. What a real generator has to beat."""

from typing import Any

import numpy as np
from datasets import Dataset

from rarecase.core import randomness
from rarecase.generate import parents, variation_row, variations_table

ALPHA = 0.1  # the share of its words that a variation changes, the default of the authors' code
NAME = "cheap"


class Cheap:
    """
    The generator `cheap`: random swaps and deletions of words, the two operations of EDA (Wei and Zou, 2019) that need
    no thesaurus, in turn. Cegin et al. (2024, arXiv 2408.16502) found that LLM variations often do no better.

    Args:
        seed (`int`): decides every draw; a post's draws are its own, whatever other posts there are.

    Example:
        >>> Cheap(seed=0).generate(labels, 5)
    """

    def __init__(self, *, seed: int):
        self.seed = seed

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        """See `rarecase.generate.Generator.generate`; a post of one word varies into itself."""
        rows: list[dict[str, Any]] = []
        for parent in parents(seeds):
            for i in range(1, k + 1):
                draw = randomness.generator(self.seed, "cheap", parent["text"], i)
                words = _swapped(parent["text"].split(), draw) if i % 2 else _shortened(parent["text"].split(), draw)
                rows.append(variation_row(parent, i, " ".join(words), generator=NAME))
        return variations_table(seeds, rows)


def _swapped(words: list[str], draw: np.random.Generator) -> list[str]:
    """With n = max(1, α · words) pairs of words in each other's place."""
    for _ in range(max(1, int(ALPHA * len(words)))):
        if len(words) > 1:
            one, other = draw.choice(len(words), size=2, replace=False)
            words[one], words[other] = words[other], words[one]
    return words


def _shortened(words: list[str], draw: np.random.Generator) -> list[str]:
    """Without each word with probability α; of several, one at least goes and one stays."""
    gone = draw.random(len(words)) < ALPHA
    if len(words) > 1 and gone.all() == gone.any():
        gone[draw.integers(len(words))] ^= True
    return [word for word, leave in zip(words, gone, strict=True) if not leave] or words
