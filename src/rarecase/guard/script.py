"""Whether a text is in the script that the packaged encoders read."""

import re

_LATIN = re.compile(r"[A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1e00-\u1eff]")
_LETTER = re.compile(r"[^\W\d_]")


def is_other_script(text: str) -> bool:
    """Whether more than half of the letters of a text are not Latin."""
    if text.isascii():
        return False
    return 2 * len(_LATIN.findall(text)) < len(_LETTER.findall(text))
