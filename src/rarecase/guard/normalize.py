"""
What a guard does to a text before its model reads it, so that writing it in another way does not hide it.

Each step undoes one way of writing, and only where it is evasion: accents stay in French, invisible joiners in
Persian, Cyrillic letters in Russian, and a list `1 2 3` as it is. Digits that stand for letters, repeated letters and
spelling mistakes are left to the model: `401k` is no word in disguise.
"""

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from rarecase.guard.lookalikes import LOOKALIKES

VERSION = 2  # of what `normalize` does: a threshold belongs to one version

_SURROGATES = re.compile("[\ud800-\udfff]")
_LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
# Without a width, or blank: joiners, marks of direction, fillers, tags, selectors of a variant.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# From the first of several on, and without going back: a long row of them takes no longer than a long text.
_BESIDE_LATIN = re.compile(f"(?<=[{_LATIN}0-9])[{_INVISIBLE}]++|(?<![{_INVISIBLE}])[{_INVISIBLE}]++(?=[{_LATIN}0-9])")
_IDEOGRAPHIC = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff]")
_WIDE_SIGNS = {0x3000: " "} | {
    code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if not chr(code - 0xFEE0).isalnum()
}
_SMALL_CAPITALS = dict(zip("ᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱ", "acdejkmoptuvwzs", strict=True))
_RAISED = ((0x2B0, 0x2C0), (0x2E0, 0x2E5), (0x1D2C, 0x1D6B))
# Double-struck and script, in circles, full-width, bold and so on, in squares.
_STYLES = (*_RAISED, (0x20A0, 0x2150), (0x24B6, 0x24EA), (0xFF10, 0xFF5B), (0x1D400, 0x1D800), (0x1F130, 0x1F14A))
_FILLED = (0x1F150, 0x1F170)  # where the alphabets of white letters in black circles and squares begin
_WORD = re.compile(f"[\\w{re.escape(''.join(c for c in LOOKALIKES if not c.isalnum()))}]+")
_ASCII_LETTER = re.compile("[A-Za-z]")

# Among these are all marks that combine. The standard forms of Unicode begin with sorting each row of them, and that
# takes time that grows with its square.
_SIGNS = re.compile(r"[^\w\s]{31,}")
_MOST_MARKS = 30  # in a row, as in Unicode's stream-safe text format; no language comes near
_MARKS = re.compile(f"(?<=[{_LATIN}])[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+")
_STROKES = str.maketrans("øØłŁđĐħĦŧŦɨƗɇɆƀɍɌɏɎƶƵ", "oOlLdDhHtTiIeEbrRyYzZ")
_ACCENTED = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]")
# Hardly any language writes two of these in a line.
_RARE = re.compile("[\u01cd-\u0217\u021c-\u0258\u1e00-\u1e7f\u1e86-\u1e9f]")
# Accented letters that stand together in one language: French with its neighbours and names, German and the north,
# Spanish and Portuguese, Czech and Slovak, Polish, the south of the Slavic languages, Hungarian, Romanian, Turkish,
# Lithuanian, Latvian, Estonian, Maltese and Esperanto, Welsh; Vietnamese has a block of its own.
_ALPHABETS = [
    *map(set, ("àâæçèéêëîïñôœùûüÿíóöáú", "äöüåæøéèàáíóúýðþ", "áàâãçéêíïñóôõúü", "áäčďéěíĺľňóôŕřšťúůýž")),
    *map(set, ("ąćęłńóśźż", "čćđšžáéíóúăâîșşțţ", "áéíóöőúüűä", "âçğıöşüîûə", "ąčęėįšųūž", "āčēģīķļņōŗšūž", "äõöüšž")),
    *map(set, ("ċġħżàèìòù", "ĉĝĥĵŝŭ", "âêîôûŵŷáéíóúẃýàèìòùẁỳäëïöü")),
    {*"àáâãèéêìíòóôõùúýăđĩũơư", *map(chr, range(0x1EA0, 0x1EFA))},
]
_LETTER = re.compile(f"[{_LATIN}]")
_FEW_ACCENTS = 0.2  # of the letters of a text: names of several languages may be in one

_ENDING = "?!.,;:"  # signs at the end of a word
# Single characters with spaces between; signs may stand at the last one of a word, before a wider gap or the end.
_SPACED = re.compile(rf"(?<!\S)\S(?:(?:\s|[{_ENDING}]++\s\s)\s*+\S){{2,}}[{_ENDING}]*+(?!\S)")
_SEPARATED = re.compile(r"(?<!\w)[A-Za-z]([.*_~|·•\-])[A-Za-z](?:\1[A-Za-z])+(?!\w)")  # k-i-l-l
_LEAST = 3  # letters that are put together
_LOWER_UPPER = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CASED = re.compile(r"[A-Za-z]+")
_NAME = re.compile(r"[A-Z][a-z]+[A-Z][a-z]*|[a-z]{1,2}[A-Z][a-z]+")  # YouTube, PhD, iPhone


class Normalized(NamedTuple):
    """A text as a model reads it, and how many lone surrogates in it became U+FFFD."""

    text: str
    replaced: int = 0


def normalize(text: str) -> Normalized:
    """
    A text without what hides it from a classifier; what is written as people write stays as it is.

    Example:
        >>> normalize("w h y  m e ? ѕаd 401k").text
        'why me? sad 401k'
    """
    replaced = 0
    if not text.isascii():
        text, replaced = _SURROGATES.subn("\ufffd", text)
        text = text.translate(_styles())
        if not _IDEOGRAPHIC.search(text):
            text = text.translate(_WIDE_SIGNS)
        text = _BESIDE_LATIN.sub("", text)
        text = _without_accents(_SIGNS.sub(_fewer_marks, text))
        text = _latin(text)
    text = _SPACED.sub(_together, text)
    text = _SEPARATED.sub(lambda found: found[0].replace(found[1], ""), text)
    return Normalized(_evenly_cased(text), replaced)


@cache
def _styles() -> dict[int, str]:
    """Letters and digits in a style of their own, such as full-width, bold, circled or raised, each as in ASCII."""
    found = {ord(small): letter for small, letter in _SMALL_CAPITALS.items()}
    found |= {start + i: chr(ord("A") + i) for start in _FILLED for i in range(26)}
    for first, end in _STYLES:
        for code in range(first, end):
            plain = unicodedata.normalize("NFKC", chr(code))
            if len(plain) == 1 and plain.isalnum() and plain != chr(code):
                found[code] = plain
    return found


def _fewer_marks(found: re.Match[str]) -> str:
    """Without the marks of a row beyond those that are kept."""
    kept, row = [], 0
    for character in found[0]:
        row = row + 1 if unicodedata.combining(character) else 0
        if row <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _without_accents(text: str) -> str:
    """Without accents on Latin letters, where these are rare, or more than a few and of no one language."""
    whole = unicodedata.normalize("NFC", text)
    accented = _ACCENTED.findall(whole)
    rare = len(_RARE.findall(whole)) + len(_MARKS.findall(whole))
    used = {c.lower() for c in accented}
    many = len(accented) > max(2, _FEW_ACCENTS * len(_LETTER.findall(whole)))
    if rare < 2 and not (many and not any(alphabet.issuperset(used) for alphabet in _ALPHABETS)):
        return text
    apart = unicodedata.normalize("NFD", whole)
    return unicodedata.normalize("NFC", _MARKS.sub("", apart)).translate(_STROKES)


def _latin(text: str) -> str:
    """With Latin letters for their look-alikes in words that mix the two; where there is one, in other words, too."""
    words = [found for found in _WORD.finditer(text) if _is_readable_as_latin(found[0])]
    if not any(_ASCII_LETTER.search(found[0]) for found in words):
        return text
    parts, end = [], 0
    for found in words:
        parts += [text[end : found.start()], "".join(LOOKALIKES.get(c, c) for c in found[0])]
        end = found.end()
    return "".join([*parts, text[end:]])


def _is_readable_as_latin(word: str) -> bool:
    """Whether a word has a look-alike, and no letter that is neither Latin nor a look-alike."""
    if word.isascii():
        return False
    has_one = any(c in LOOKALIKES for c in word)
    return has_one and all(c.isascii() or c in LOOKALIKES or not c.isalpha() for c in word)


def _together(found: re.Match[str]) -> str:
    """Single characters as words, where they are mostly Latin letters, three or more; wider spaces part words."""
    text = found[0]
    letters = [c for c in text if c.isalpha()]
    signs = sum(not c.isalnum() for c in "".join(text.split()).rstrip(_ENDING))
    if len(letters) < max(_LEAST, 3 * signs) or not all(map(_LETTER.match, letters)):
        return text
    gaps = re.findall(r"\s+", text)
    narrow = min(map(len, gaps))
    if text[0] == "I" and text[1:].islower() and max(map(len, gaps)) == narrow:
        return f"I {''.join(text[1:].split())}"
    return "".join(part if not part.isspace() else " " * (len(part) > narrow) for part in re.split(r"(\s+)", text))


def _evenly_cased(text: str) -> str:
    """In lower case where capitals stand within words: a word that has several, or all where many words have one."""
    if not _LOWER_UPPER.search(text):
        return text
    words = _CASED.findall(text)
    odd = sum(bool(_LOWER_UPPER.search(word)) and not _NAME.fullmatch(word) for word in words)
    if odd >= 2 and 4 * odd >= len(words):
        return text.lower()
    return _CASED.sub(lambda found: found[0].lower() if len(_LOWER_UPPER.findall(found[0])) > 1 else found[0], text)
