"""
Ways of writing that hide a text from a classifier and not from people, each with its own draws.

Nothing here is taken from `rarecase.guard`: look-alikes are those of the library `confusable-homoglyphs`.
"""

import functools
import re
import string
from collections.abc import Callable, Sequence

import numpy as np
from confusable_homoglyphs import confusables

Draw = np.random.Generator
WIDTHLESS = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
MARKS = "\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0323"
LEET = dict(zip("aeiost", "43105+", strict=True))


def by_letter(change: Callable[[str, Draw], str], share: float) -> Callable[[str, Draw], str]:
    """Changes so many of the letters."""

    def perturb(text: str, rng: Draw) -> str:
        return "".join(change(c, rng) if c in string.ascii_letters and rng.random() < share else c for c in text)

    return perturb


def by_word(change: Callable[[str, Draw], str], least: int = 4) -> Callable[[str, Draw], str]:
    """Changes every word of so many letters."""
    return lambda text, rng: re.sub(rf"[A-Za-z]{{{least},}}", lambda found: change(found[0], rng), text)


def one_of(options: Sequence[str], rng: Draw) -> str:
    return options[int(rng.integers(len(options)))]


@functools.cache
def look_alikes(letter: str) -> list[str]:
    """Single characters outside of ASCII that look like it; the letter itself where there are none."""
    found = confusables.is_confusable(letter, preferred_aliases=[], greedy=True) or []
    every = {other["c"] for one in found if one["character"] == letter for other in one["homoglyphs"]}
    return sorted(c for c in every if len(c) == 1 and not c.isascii()) or [letter]


def spaced(text: str, gap: str) -> str:
    return gap.join(" ".join(word) for word in text.split())


def swapped(word: str, rng: Draw) -> str:
    place = int(rng.integers(1, len(word) - 2)) if len(word) > 3 else 0
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def mistyped(word: str, rng: Draw) -> str:
    place = int(rng.integers(1, len(word)))
    return word[:place] + one_of(string.ascii_lowercase, rng) + word[place + 1 :]


# What the normaliser undoes.
UNDONE: dict[str, Callable[[str, Draw], str]] = {
    "zero-width": by_letter(lambda c, rng: c + one_of(WIDTHLESS, rng), 0.4),
    "look-alike": by_letter(lambda c, rng: one_of(look_alikes(c), rng), 0.4),
    "spaced": lambda text, rng: spaced(text, " " * int(rng.integers(2, 5))),
    "case": by_letter(lambda c, rng: c.swapcase(), 0.5),
    "full-width": lambda text, rng: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "diacritics": by_letter(lambda c, rng: c + one_of(MARKS, rng), 0.6),
}
# Written once the normaliser was finished.
LATER: dict[str, Callable[[str, Draw], str]] = {
    "struck": by_letter(lambda c, rng: c + "\u0336", 1.0),
    "circled": lambda text, rng: "".join(chr(0x24D0 + ord(c) - 97) if "a" <= c <= "z" else c for c in text.lower()),
    "separated": by_word(lambda word, rng: one_of(".-_*", rng).join(word), 3),
}
# What it leaves to the model.
LEFT: dict[str, Callable[[str, Draw], str]] = {
    "spaced evenly": lambda text, rng: spaced(text, " "),
    "leet": lambda text, rng: "".join(LEET.get(c, c) if rng.random() < 0.7 else c for c in text),
    "repeated": by_word(lambda word, rng: word[:-1] + word[-1] * int(rng.integers(3, 6))),
    "punctuation": by_word(lambda word, rng: word[: len(word) // 2] + one_of(".-*'", rng) + word[len(word) // 2 :]),
    "typo": by_word(mistyped),
    "swapped": by_word(swapped),
    "joined": lambda text, rng: "".join(text.split()),
}
KINDS = UNDONE | LATER | LEFT


def perturbed(kind: str, texts: Sequence[str], seed: int = 0) -> list[str]:
    """The texts, each written in that way."""
    rng = np.random.default_rng([seed, *kind.encode()])
    return [KINDS[kind](text, rng) for text in texts]
