"""
From the reply of a language model to the variations in it: JSON of several shapes, fenced or cut short, lists with
numbers or bullets, one plain paragraph. One bad item costs none of the others.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rarecase.generate.refusals import is_refusal

_TEXT_KEYS = ("text", "post", "variation", "content", "rewrite", "message")
_DEEPEST = 3  # levels of JSON above the list of variations
_THOUGHT = re.compile(r"(?<!\s)\s*+<think>.*?(?:</think>|\Z)\s*", re.DOTALL)
_FENCE = re.compile(r"```\w*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_JSON = re.compile(r'^[ \t]*[\[{](?=\s*(?:["\[{\]}]|\Z))', re.MULTILINE)
# A string ends at the quote that something of JSON follows: one in the middle may be unescaped.
_END = r'\s*(?:[\]}:]|,\s*(?:["\[{\]}]|-?\d+\s*[,\]}]|null|true|false|\Z)|\Z)|[ \t]*\n\s*"'
_STRING = re.compile(rf'"((?:[^"\\]|\\.|"(?!{_END}))*+)("?)(\s*:)?', re.DOTALL)
_ITEM = re.compile(
    r"^[ \t]*(?:[-*•–][ \t]+"
    r"|(?:\*\*|#+[ \t]*)?(?:(?:variation|version|post)[ \t]*)?\d{1,3}[ \t]*[.):](?:\*\*)?(?:[ \t]+|$))",
    re.MULTILINE | re.IGNORECASE,
)
# "Sure! Here is the post in different words:" and the like; it must speak of the task: posts begin with "Here is" too.
_PREAMBLE = re.compile(
    r"(?:(?:sure|certainly|of course|okay)\b[,.!]?\s*)?"
    r"(?:here(?:'s|’s| is| are)\b[^:\n]{0,60}\b(?:posts?|variations?|versions?|rewording|paraphrase|words)\b"
    r"[^:\n]{0,40}|say this post in different words):\s*",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_QUOTED = re.compile(r"^[ \t]*(?:>[ \t]+)+", re.MULTILINE)
_QUOTES = {'"': '"', "“": "”", "„": "“", "'": "'", "‘": "’", "«": "»", "`": "`"}


@dataclass(frozen=True)
class Item:
    """One variation in a reply."""

    text: str  # on one line; empty where there was none to read
    whole: bool | None = True  # False where the reply ended in the middle of it, None where it does not say
    refused: bool = False  # whether the model declined to write it


def read(reply: str, k: int) -> list[Item]:
    """The first `k` variations in the body of a reply, or as many as there are; of a refusal, `k` refused ones."""
    content, finish, declined = _said(reply)
    text = _clean(_without_thought(content)).strip()
    if declined or is_refusal(text):
        return [Item("", refused=True)] * k
    if not text:
        return [Item("", whole=False)] if finish == "length" else []
    whole = None if finish is None else finish != "length"
    found = _from_json(text)
    items = _from_lines(text, k, whole) if found is None else found
    return [Item("", refused=True) if is_refusal(item.text) else item for item in items[:k]]


def _said(reply: str) -> tuple[str, str | None, bool]:
    """What the model wrote, why it ended, and whether it, or a filter, declined."""
    try:
        choice = json.loads(reply)["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return "", None, False
    finish = finish if isinstance(finish, str) else None
    return content if isinstance(content, str) else "", finish, bool(refusal) or finish == "content_filter"


def _without_thought(content: str) -> str:
    """What a model wrote once it had thought; some chat templates open the thought themselves, in the prompt."""
    before, end, after = content.partition("</think>")
    return after if end and "<think>" not in before else _THOUGHT.sub("", content, count=1)


def _clean(text: str) -> str:
    """Without what no table can hold (half a surrogate pair is valid in JSON) and no post has (control characters)."""
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode())


def _from_json(text: str) -> list[Item] | None:
    """The variations in a JSON document, or None where there is none."""
    fenced = _FENCE.search(text)
    for body in [fenced[1], text] if fenced else [text]:
        opening = _JSON.search(body)
        value, end = _value(body.strip())
        if end < len(body.strip()) and opening:
            body = body[opening.end() - 1 :]
            value, end = _value(body)
            if not end:
                return list(_scanned(body))
        elif end < len(body.strip()):  # such as "[Serious] my knee"
            continue
        if isinstance(value, list | dict):
            return [Item(_unnumbered(text, place)) for place, text in enumerate(_texts(value), 1)]
    return None


def _value(text: str) -> tuple[Any, int]:
    """The JSON value that a text begins with, and where it ends: at 0 where it begins with none."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return None, 0


def _texts(value: Any, depth: int = 0) -> list[str]:
    """The text of each item of a list, or of what holds one; empty for an item that is no text."""
    if isinstance(value, list):
        return [_text(item) for item in value]
    if not isinstance(value, dict):
        return []
    inner = {kind: next((one for one in value.values() if isinstance(one, kind)), None) for kind in (list, dict)}
    named = [value[key] for key in _TEXT_KEYS if isinstance(value.get(key), str)]
    if depth < _DEEPEST and inner[list] is not None:
        return _texts(inner[list], depth + 1)
    if depth < _DEEPEST and inner[dict] is not None and not named:
        return _texts(inner[dict], depth + 1)
    return named[:1] or [one for one in value.values() if isinstance(one, str)]


def _text(item: Any) -> str:
    if isinstance(item, dict):
        texts = [one for one in item.values() if isinstance(one, str)]
        named = (item[key] for key in _TEXT_KEYS if isinstance(item.get(key), str))
        item = next(named, max(texts, key=len, default=""))
    return item if isinstance(item, str) else ""


def _scanned(body: str) -> Iterator[Item]:
    """The strings of a JSON document that is cut short, or wrong somewhere."""
    found: list[tuple[str, Item]] = []
    key, end = "", len(body.rstrip())
    for string in _STRING.finditer(body):
        raw, closed, is_key = string.groups()
        # The document may be cut before the colon that would have made it one.
        if is_key or (string.end() == end and _is_key(body[: string.start()])):
            key = _unescaped(raw)
        else:
            found.append((key, Item(_unescaped(raw if closed else _before_cut(raw)), whole=bool(closed))))
    named = [(key, item) for key, item in found if key in _TEXT_KEYS]
    for place, (_, item) in enumerate(named or found, 1):
        yield Item(_unnumbered(item.text, place), item.whole)


def _is_key(before: str) -> bool:
    """Whether what follows this part of a document is the key of an object."""
    before = _STRING.sub(lambda other: other[3] or "", before).rstrip()
    opened = [""]
    for mark in re.findall(r"[][{}]", before):
        if mark in "[{":
            opened.append(mark)
        elif opened[-1]:
            opened.pop()
    return opened[-1] == "{" and before[-1] in "{,"


def _before_cut(raw: str) -> str:
    """What stands before an escape that is cut."""
    found = re.match(r"(?:[^\\]|\\u[0-9a-fA-F]{4}|\\[^u])*+", raw, re.DOTALL)
    return found[0] if found else raw


def _unescaped(raw: str) -> str:
    escaped = re.sub(r'\\.|"', lambda found: found[0] if len(found[0]) == 2 else '\\"', raw, flags=re.DOTALL)
    try:
        return json.loads(f'"{escaped}"', strict=False)
    except ValueError:
        return re.sub(r"\\(.)", r"\1", raw, flags=re.DOTALL)


def _unnumbered(text: str, place: int) -> str:
    """The text on one line, without the number of its place in the list."""
    return _line(re.sub(rf"\A\s*{place}[.)]\s+", "", _clean(text)))


def _from_lines(text: str, k: int, whole: bool | None) -> list[Item]:
    """The variations in a text that is no JSON; only the last one may be cut."""
    opening = _PREAMBLE.match(text)
    body = text[opening.end() :] if opening else text
    fenced = _FENCE.match(body)
    parts = _parts((fenced[1] if fenced else body).strip(), k)
    lines = [_line(part) for part in parts]
    ends: Sequence[bool | None] = [*([True] * (len(lines) - 1)), whole]
    return [Item(line, end) for line, end in zip(lines, ends, strict=True) if line]


def _parts(text: str, k: int) -> list[str]:
    paragraphs = re.split(r"\n\s*\n", text)
    if k == 1:
        return paragraphs
    items = list(_ITEM.finditer(text))
    if len(items) > 1:
        ends = [*(item.start() for item in items[1:]), len(text)]
        texts = (text[item.end() : end].strip() for item, end in zip(items, ends, strict=True))
        return [re.split(r"\n\s*\n", one, maxsplit=1)[0] for one in texts]  # what follows the list is none of it
    lines = text.split("\n")
    return next((parts for parts in (paragraphs, lines) if len(parts) == k), paragraphs[:1])


def _line(text: str) -> str:
    """A text on one line, without the quotes around all of it and the marks of a quotation (`> `) before its lines."""
    line = " ".join(_QUOTED.sub("", text).split())
    inner = line[1:-1]
    if len(line) > 1 and _QUOTES.get(line[0]) == line[-1] and (line[0] == "'" or line[0] not in inner):
        return inner.strip()
    return line
