"""What somebody can be called, and which names look alike."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

BLANK = re.compile("[\u115f\u1160]")  # letters of Hangul that nobody sees; NFKD turns two others into these


def is_name(name: str) -> bool:
    """Whether somebody can be called this: 1 to 64 letters, digits and `-`, `_`, `.`."""
    return bool(re.fullmatch(r"[\w.-]{1,64}", name))


def alike(new: Iterable[str], known: Iterable[str] = ()) -> tuple[str, str] | None:
    """
    The first of the new names that people could take for another new one or a known one, with that one: capital
    letters, Cyrillic а and Latin a, 1 and l, rn and m.
    """
    seen = {look: name for name in known for look in _looks(name)}
    for name in new:
        for look in _looks(name):
            if seen.setdefault(look, name) != name:
                return name, seen[look]
    return None


@lru_cache(100_000)
def _looks(name: str) -> frozenset[str]:
    """What a name looks like as it stands, and in small letters: in either it may be taken for another."""
    seen = BLANK.sub("", unicodedata.normalize("NFKD", name))
    return frozenset({_skeleton(seen).casefold(), _skeleton(seen.casefold())})


def _skeleton(text: str) -> str:
    """Each letter as the first that looks like it, or the several, as rn for m (Unicode Technical Standard 39)."""
    return "".join(map(_first, "".join(map(_several, text))))


@lru_cache(10_000)
def _several(letter: str) -> str:
    return min((c for c in _like(letter) if len(c) > 1 and c.isalnum()), default=letter)


@lru_cache(10_000)
def _first(letter: str) -> str:
    return min(set().union(*map(_like, _like(letter))))


@lru_cache(10_000)
def _like(letter: str) -> frozenset[str]:
    from confusable_homoglyphs.confusables import is_confusable

    found = is_confusable(letter, greedy=True) or [{"homoglyphs": []}]
    return frozenset({letter, *(glyph["c"].strip("\u200e") for glyph in found[0]["homoglyphs"])})
