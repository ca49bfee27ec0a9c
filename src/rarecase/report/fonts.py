"""Names in pictures: in fonts that this machine has, and never as boxes."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties


@contextmanager
def fonts_for(names: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Lets pictures that are made within show the names of these classes, and gives what stands for each; no math."""
    import matplotlib

    families, shown = _fonts(tuple(names))
    with matplotlib.rc_context({"font.family": list(families), "text.parse_math": False}):
        yield shown


def sentence_of_numbers(names: Sequence[str]) -> str:
    """Which classes stand in a picture by their number; empty where none does."""
    _, shown = _fonts(tuple(names))
    numbered = {name: _number(place) for place, name in enumerate(names, 1)}
    told = [f"{number} stands for {name}" for name, number in numbered.items() if shown[name] == number != name]
    return f"In the picture, {', '.join(told)}: no font of this machine can draw it." if told else ""


def _number(place: int) -> str:
    return f"class {place}"


@lru_cache(maxsize=8)
def _fonts(names: tuple[str, ...]) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """
    The families to draw the names with, and what is drawn for each: the name; without the signs that no font has,
    such as emoji; or, where a letter is missing or two would be alike, its number.
    """
    families, missing = _families({letter for name in names for letter in name})
    kept = {name: " ".join("".join(c for c in name if c not in missing).split()) for name in names}
    alike = Counter(kept.values())
    shown = {}
    for place, name in enumerate(names, 1):
        if missing.isdisjoint(name):
            shown[name] = name
        else:
            has_lost = any(map(_is_letter, missing.intersection(name)))
            is_clear = any(map(_is_letter, kept[name])) and alike[kept[name]] == 1
            shown[name] = kept[name] if is_clear and not has_lost else _number(place)
    return families, shown


def _is_letter(character: str) -> bool:
    """Whether a name means something else without it: a letter, a part of one, or a digit."""
    is_variant = "\ufe00" <= character <= "\ufe0f"  # how the emoji before it looks
    return unicodedata.category(character)[0] in "LMN" and not is_variant


def _families(wanted: set[str]) -> tuple[tuple[str, ...], set[str]]:
    """The usual fonts, then those that have the most of the characters the others lack; and what none has."""
    import matplotlib
    from matplotlib.font_manager import FontProperties, fontManager

    families = list(matplotlib.rcParams["font.family"])
    missing = wanted - _covered(FontProperties(), wanted)
    if missing:
        # Not the one that draws boxes for all there is, and not those in colours, which matplotlib leaves blank.
        fonts = [font for font in fontManager.ttflist if (font.style, font.weight) == ("normal", 400)]
        others = {font.name for font in fonts if not font.name.startswith("Last Resort") and "Color" not in font.name}
        has = {name: _covered(FontProperties([name]), missing) for name in others}
        for _ in others:
            best = max(sorted(has), key=lambda name: (len(has[name] & missing), "Sans" in name))
            if not has[best] & missing:
                break
            families.append(best)
            missing = missing - has[best]
    return tuple(families), missing


def _covered(font: "FontProperties", wanted: set[str]) -> set[str]:
    """Those of the characters that a font has."""
    from matplotlib.font_manager import findfont, get_font

    try:
        charmap = get_font(findfont(font, fallback_to_default=False)).get_charmap()
    except (ValueError, OSError, RuntimeError):  # it was removed since, or cannot be read
        return set()
    return {character for character in wanted if ord(character) in charmap}
