"""JSON and YAML from anybody: what is read, and that everything else is a `ValueError` of one line, soon."""

import contextlib
import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rarecase.core.documents import DEEPEST, LONGEST_JSON, LONGEST_YAML, parse_json, parse_yaml, read_document

LAUGHS = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" if i else "a0: &a0 [ha]\n" for i in range(9))

HOSTILE_JSON = {
    "[" * 100_000: "nested too deeply",
    "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1): "nested too deeply",
    '{"a": ' + "9" * 5_000 + "}": "a number of too many digits",
    '{"a": "\\uD800"}': "half a character (a lone surrogate)",
    '{"a": 1': "invalid JSON at character 8",
    "": "invalid JSON at character 1",
    " " * (LONGEST_JSON + 1): "longer than 8 MiB",
}
HOSTILE_YAML = {
    "a: [": "invalid YAML",
    "a: !!int abc": "invalid YAML",
    "a: !!bool abc": "invalid YAML",
    "a: !!timestamp abc": "invalid YAML",
    "a: !!binary aGVsbG8=": "invalid YAML",
    "a: !!set {b}": "invalid YAML",
    "a: !!python/object/apply:os.system [ls]": "invalid YAML",
    "? [a]\n: b": "invalid YAML",
    "a: \0": "invalid YAML",
    "[" * 10_000: "nested too deeply",
    "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1): "nested too deeply",
    f"a: {'9' * 5_000}": "a number of too many digits",
    f"a: 0x{'f' * 5_000}": "a number of too many digits",
    "a: &a [*a]": "an alias that contains itself",
    "a: &a\n  b: *a": "an alias that contains itself",
    LAUGHS: "too many aliases, or too long",
    "x" * (LONGEST_YAML + 1): "longer than 1 MiB",
}


@pytest.mark.parametrize("content", HOSTILE_JSON, ids=range(len(HOSTILE_JSON)))
def test_hostile_json_is_one_reason(content):
    with pytest.raises(ValueError, match="^" + HOSTILE_JSON[content].replace("(", r"\(").replace(")", r"\)") + "$"):
        parse_json(content)


@pytest.mark.parametrize("content", HOSTILE_YAML, ids=range(len(HOSTILE_YAML)))
def test_hostile_yaml_is_one_reason_soon(content):
    begun = time.perf_counter()
    with pytest.raises(ValueError, match=f"^{HOSTILE_YAML[content]}$"):
        parse_yaml(content)
    assert time.perf_counter() - begun < 30  # on a busy machine too


def test_bytes_that_are_not_utf_8_are_refused_and_a_byte_order_mark_is_not():
    for parse in (parse_json, parse_yaml):
        with pytest.raises(ValueError, match="not valid UTF-8"):
            parse(b"\xff\xfe{\0}\0")
        assert parse(b"\xef\xbb\xbf{}") == {}


def test_a_file_is_never_read_beyond_the_limit(tmp_path):
    path = tmp_path / "long.json"
    with path.open("wb") as file:
        file.truncate(1 << 34)  # takes no space
    with pytest.raises(ValueError, match="longer than 8 MiB"):
        read_document(path)


def test_dates_are_texts_and_a_few_aliases_are_fine():
    assert parse_yaml("day: 2026-11-27\nold: &old {epochs: 3}\nnew: {<<: *old, seed: 1}") == {
        "day": "2026-11-27",
        "old": {"epochs": 3},
        "new": {"epochs": 3, "seed": 1},
    }
    assert parse_yaml("") is None


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**50), 10**50)
    | st.floats(allow_nan=False)
    | st.text("aé日\n'\"#:", max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:#", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_what_the_libraries_write_is_read_as_they_read_it(value):
    assert parse_json(json.dumps(value)) == value
    assert parse_yaml(yaml.safe_dump(value, allow_unicode=True)) == value


@given(st.text("{}[]:,&*!<>|-? \n\t'\"0123456789abcxy.#%@\\", max_size=60))
def test_any_text_gives_a_value_or_a_value_error(text):
    for parse in (parse_json, parse_yaml):
        with contextlib.suppress(ValueError):  # and nothing else
            parse(text)
