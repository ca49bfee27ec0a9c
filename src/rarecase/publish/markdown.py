"""Cards in Markdown: templates filled in, and the tables and filters that they use."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import CardData
from jinja2 import Environment, StrictUndefined

from rarecase.core.markdown import plain, table_row

NOT_STATED = "not stated"
TAGS = ["rarecase", "active-learning", "content-moderation"]  # of whatever is published


def render(template: Path, front_matter: CardData, **values: Any) -> str:
    """A jinja2 template filled in; it has the filters `plain`, `code`, `stated`, `number` and `listed`."""
    environment = Environment(  # noqa: S701 - Markdown, not HTML: the filters are what escapes it
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    environment.filters |= {f.__name__: f for f in (plain, code, stated, number, listed)}
    card = environment.from_string(template.read_text(encoding="utf-8"))
    return card.render(front_matter=front_matter.to_yaml(line_break="\n"), **values)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table whose strings are Markdown; numbers to the right, unpadded: a changed number moves no other cell."""
    words = [any(isinstance(row[column], str) for row in rows) for column in range(len(header))]
    shown = [[cell if isinstance(cell, str) else number(cell) for cell in row] for row in (header, *rows)]
    shown.insert(1, ["---" if word else "---:" for word in words])
    return "\n".join(map(table_row, shown))


def code(name: str) -> str:
    """A name in the letters of code, unless it has a backtick or a line break itself."""
    return plain(name) if "`" in name or not name.isprintable() else f"`{name}`"


def stated(text: str | None) -> str:
    """A sentence, or "not stated"."""
    return plain(text) if text else NOT_STATED


def number(value: float | None) -> str:
    """A count in full, a measure to one digit, a dash for none."""
    if value is None:
        return "–"
    return f"{value:.1f}" if isinstance(value, float) else f"{value:,}"


def listed(words: Iterable[str]) -> str:
    """Words with commas, and `and` before the last."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
