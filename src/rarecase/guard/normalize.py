"""What a guard does to a text before its model reads it, so that writing it in another way does not hide it."""

import re
from typing import NamedTuple

VERSION = 1  # of what `normalize` does: a threshold belongs to one version

_SURROGATES = re.compile("[\ud800-\udfff]")


class Normalized(NamedTuple):
    """A text as a model reads it, and how many lone surrogates in it became U+FFFD."""

    text: str
    replaced: int = 0


def normalize(text: str) -> Normalized:
    """A text without what hides it from a classifier; what is written as people write stays as it is."""
    text, replaced = _SURROGATES.subn("�", text)
    return Normalized(text, replaced)
