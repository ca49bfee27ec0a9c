"""Variations without a language model: words swapped and left out. What a real generator has to beat."""

import numpy as np
from datasets import Dataset

from rarecase.core import randomness
from rarecase.data.schema import texts
from rarecase.generate import Variation, variations_table

ALPHA = 0.1  # the share of its words that a variation changes, the default of the authors' code
NAME = "cheap"


class Cheap:
    """
    The generator `cheap`: random swaps and deletions of words, the two operations of EDA (Wei and Zou, 2019) that need
    no thesaurus, in turn. Cegin et al. (2024, arXiv 2408.16502) found that LLM variations often do no better.

    The draws of a post depend on its text and `seed` alone, not on other posts.
    """

    def __init__(self, *, seed: int):
        self.seed = seed

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        """See `rarecase.generate.Generator.generate`; a post of one word varies into itself."""
        variations = [[Variation(self._vary(text, i), NAME) for i in range(1, k + 1)] for text in texts(seeds)]
        return variations_table(seeds, variations)

    def _vary(self, text: str, i: int) -> str:
        draw = randomness.generator(self.seed, "cheap", text, i)
        return " ".join(_swapped(text.split(), draw) if i % 2 else _shortened(text.split(), draw))


def _swapped(words: list[str], draw: np.random.Generator) -> list[str]:
    """With max(1, α · words) pairs of words swapped."""
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
