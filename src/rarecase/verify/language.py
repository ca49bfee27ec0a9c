"""
Whether two texts are in one script and one language.

Scripts are told apart by what Unicode calls the letters. Languages are told apart where py3langid is sure of both: it
takes every tenth English title for another language (those of up to four words every third), but is hardly ever sure
of it. Of the 2,000 published variations, none is called another language than its original, and of 5,000 pairs of
published titles one; of titles beside sentences in ten other languages a half. So what fails is almost certainly in
another language, and a short text may be all the same.
"""

import unicodedata
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SURE = 0.8  # the probability from which a language counts
FEWEST = 3  # letters of a text that has a script
_EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO"}  # Japanese mixes them


def is_same_language(text: str, other: str) -> bool | None:
    """Whether both texts are in one script and language; None where one is too short to say."""
    one, two = _script(text), _script(other)
    if one is None or two is None:
        return None
    if one != two:
        return False
    (language, sure), (other_language, other_sure) = _language(text), _language(other)
    return language == other_language or min(sure, other_sure) < SURE


def _script(text: str) -> str | None:
    """The script that most letters are of."""
    found = Counter(_script_of(letter) for letter in text if letter.isalpha())
    return found.most_common(1)[0][0] if found.total() >= FEWEST else None


@cache
def _script_of(letter: str) -> str:
    first = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
    return "CJK" if first in _EAST_ASIAN else first


def _language(text: str) -> tuple[str, float]:
    # It is sure of more texts where it sees no capitals.
    return _identifier().classify(text.casefold())


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
