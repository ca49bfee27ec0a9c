"""
What a variation holds of its prompt instead of its post: words about the task, the name of a class as a prompt has it,
and runs of words of the prompt, such as a definition or an example.

What is in the original, too, is no leak. Nor is a class name that people write like that anyway: `self-harm` is in 24
of the 2,000 published variations and not in their originals. It is one beside the word class or label, or alone.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

RUN = 6  # words in a row of a prompt that no post has by chance
_TASK = re.compile(
    r"""
    ^\W*(?:variation|version|paraphrase|rewording|post)\s*\#?\d+\s*[:.)-]
    | ^\W*(?:variation|variations|paraphrase|rewording|rewritten|rephrased|reworded)\s*:
    | \bhere(?:['’]s|\ is|\ are)\b[^.?!:]{0,60}\b(?:variation|version|rewording|paraphrase|rewrite)s?\b
    | \b(?:original|rewritten|rephrased|reworded|paraphrased)\s+(?:post|text|title|message|sentence)\b
    | \bin\s+(?:your|my|different)\s+words\s*:
    | \b(?:say|rewrite|rephrase|paraphrase)\s+(?:this|the)\s+(?:post|text|title|message)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_HYPHENATED = ("self-", "non-", "anti-", "pre-", "post-", "ex-", "co-")  # as English writes such words


class Leaks:
    """Finds them, by the names of the classes and by the texts of the prompt apart from the post: its `wording`."""

    def __init__(self, names: Sequence[str], wording: Sequence[str]):
        self._names = {name.casefold() for name in names}
        self._runs = {run for text in wording for run in _runs(text)}

    def found(self, text: str, original: str) -> bool:
        """Whether a text holds what its original does not, and the prompt does."""
        text, original = text.casefold(), original.casefold()
        if text.strip(" \t\n\"'`*[]().:#") in self._names:
            return True  # an answer, and no post, even where the original asked for it
        patterns = (_TASK, self._named) if self._names else (_TASK,)
        phrases = (match[0].strip() for pattern in patterns for match in pattern.finditer(text))
        if any(phrase not in original for phrase in phrases):
            return True
        return not self._runs.isdisjoint(set(_runs(text)) - set(_runs(original)))

    @cached_property
    def _named(self) -> re.Pattern[str]:
        """A class name beside the word class or the like, and one that only a list of classes spells like that."""
        every = _any(self._names)
        spelt = [name for name in self._names if re.search(r"\w[-_]\w", name) and not name.startswith(_HYPHENATED)]
        return re.compile(
            rf"\b(?:class|category|label)\s*(?:is|of|:|=)?\s*[\"“'`*]*{every}\b|^\W*{every}\s*[:\]]"
            + (rf"|(?<![\w-]){_any(spelt)}(?![\w-])" if spelt else "")
        )


def _any(names: Iterable[str]) -> str:
    return "(?:" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + ")"


def _runs(text: str) -> Iterable[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return zip(*(words[place:] for place in range(RUN)), strict=False)
