"""JSON and YAML that anybody may have written: bounded, and every failure a `ValueError` that shows nothing of it."""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import yaml

MEBIBYTE = 1 << 20
LONGEST_JSON = 8 * MEBIBYTE  # what is read whole has kilobytes; this much takes at most 200 MB as objects
LONGEST_YAML = MEBIBYTE  # which takes some ten seconds to read
DEEPEST = 50  # of what is nested: no walk through it gets near the limit of recursion
MOST_NODES = 100_000  # of YAML, every alias written out
LONGEST_NUMBER = 100  # characters
SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no file in UTF-8 can hold

_CONTAINERS = (dict, list)
_NO_BLANK = re.compile(r"[^ \t\r\n]")
_DECODER = json.JSONDecoder()
_STRING = "tag:yaml.org,2002:str"
_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map", "merge", "value")
}


class _Loader(yaml.SafeLoader):
    """Reads a date as the text that it is: no setting, class or name is a date."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def require_file(path: Path | str) -> None:
    """Raises `OSError` where something is there that is no file: a pipe or a device may never end."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "not a file", str(path))


def read_document(path: Path) -> str:
    """A file that is read whole, as UTF-8; raises `OSError` or `ValueError`."""
    require_file(path)
    with path.open("rb") as file:
        return _text(file.read(LONGEST_JSON + 1), LONGEST_JSON)


def reason(error: OSError | ValueError) -> str:
    """Why a document could not be read, for the line that the caller makes."""
    return str(error.strerror if isinstance(error, OSError) else error)


def parse_json(content: str | bytes, *, surrogates: bool = False) -> Any:
    """The value of a JSON document; with `surrogates` its texts may have half a character, as a cut title has."""
    text = _text(content, LONGEST_JSON)
    value, end = parse_json_at(text, 0)
    if (after := after_blanks(text, end)) < len(text):
        raise ValueError(f"invalid JSON at character {after + 1}")
    if not surrogates and "\\ud" in text.lower() and SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise ValueError("half a character (a lone surrogate)")
    return value


def parse_json_at(text: str, begin: int) -> tuple[Any, int]:
    """The JSON value that begins at a place of a text, and the place behind it; the caller bounds its length."""
    try:
        value, end = _DECODER.raw_decode(text, after_blanks(text, begin))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"invalid JSON at character {error.pos - begin + 1}") from None
    except ValueError:  # of `int`, which reads at most 4,300 digits
        raise ValueError("a number of too many digits") from None
    if text.count("[", begin, end) + text.count("{", begin, end) > DEEPEST and _is_deep(value):
        raise ValueError("nested too deeply")
    return value, end


def after_blanks(text: str, begin: int) -> int:
    """The place of the first character from `begin` on that is no blank of JSON; the length where all are."""
    found = _NO_BLANK.search(text, begin)
    return found.start() if found else len(text)


def parse_yaml(content: str | bytes) -> Any:
    """The value of a YAML document, its dates as texts."""
    text = _text(content, LONGEST_YAML)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except yaml.YAMLError:
        raise ValueError("invalid YAML") from None
    if node is None:
        return None
    _count(node, {}, ())
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # Beside its own errors those of Python: `!!bool abc` is a KeyError, `!!timestamp abc` an AttributeError.
        raise ValueError("invalid YAML") from None


def _text(content: str | bytes, longest: int) -> str:
    if len(content) > longest:
        raise ValueError(f"longer than {longest // MEBIBYTE} MiB")
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("not valid UTF-8") from None


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        containers = [one for one in level if isinstance(one, _CONTAINERS)]
        level = [inner for one in containers for inner in (one.values() if isinstance(one, dict) else one)]
    return any(isinstance(one, _CONTAINERS) for one in level)


def _count(node: yaml.Node, counted: dict[yaml.Node, int], above: tuple[yaml.Node, ...]) -> int:
    """How many nodes there are with every alias written out; a `ValueError` where that is endless, or too many."""
    if node.tag not in _TAGS:  # such as `!!binary` and `!!set`: no setting is bytes
        raise ValueError("invalid YAML")
    if node in above:
        raise ValueError("an alias that contains itself")
    if len(above) >= DEEPEST and not isinstance(node, yaml.ScalarNode):
        raise ValueError("nested too deeply")
    if isinstance(node, yaml.ScalarNode) and node.tag != _STRING and len(node.value) > LONGEST_NUMBER:
        raise ValueError("a number of too many digits")
    if node not in counted:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        inner = node.value if isinstance(node, yaml.SequenceNode) else [one for pair in pairs for one in pair]
        counted[node] = 1 + sum(_count(one, counted, (*above, node)) for one in inner)
    if counted[node] > MOST_NODES:
        raise ValueError("too many aliases, or too long")
    return counted[node]
