"""Strings of anybody in Markdown: shown as they are written, never as markup, a link, HTML or a part of a table."""

import re
from collections.abc import Iterable

# GitHub's Markdown makes links of addresses by themselves, and some readers do so before they look for a backslash.
_LINK = re.compile(r"://|www\.|(mailto|xmpp):|[\w.+-]@[\w-]+\.|(?<!\w)@\w", re.IGNORECASE)


def plain(text: str) -> str:
    """A name or a sentence on one line; a word that would become a link is in the letters of code."""
    return " ".join(map(_plain, text.split()))


def table_row(cells: Iterable[str]) -> str:
    """The row of a table, whose cells are Markdown already."""
    return f"| {' | '.join(map(in_table, cells))} |"


def in_table(cell: str) -> str:
    """Markdown as it stands in a table, where a vertical line ends a cell, in the letters of code too."""
    return cell.replace("|", r"\|")


def _plain(word: str) -> str:
    if not _LINK.search(word):
        return re.sub(r"([\\<>&*_~$\[\]`])", r"\\\1", word)
    fence = "`" * (1 + max(map(len, re.findall("`+", word)), default=0))
    return f"{fence} {word} {fence}" if "`" in word else f"`{word}`"
