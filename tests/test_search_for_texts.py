"""The search for marked texts finds them in whatever form, and in the names of files; else it would prove nothing."""

import base64
import html
import json
import urllib.parse
from collections.abc import Callable

import marked
import pytest
from marked import left_in, traces
from planted import ASIDE

ENCODED: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "JSON": lambda text: json.dumps({"text": text}).encode(),
    "repr": lambda text: repr([text]).encode(),
    "HTML": lambda text: html.escape(text).encode(),
    "address": lambda text: urllib.parse.quote(text).encode(),
    "upper": lambda text: text.upper().encode(),
    "title": lambda text: text.title().encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, a byte in": lambda text: base64.urlsafe_b64encode(b"-" + text.encode()),
    "base64, two bytes in": lambda text: base64.b64encode(b"--" + text.encode()),
}


@pytest.mark.parametrize("form", ENCODED)
def test_a_text_in_a_log_is_found_in_whatever_form(tmp_path, form):
    log = tmp_path / "home" / ".cache" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"DEBUG: read 50 rows\n")
    assert left_in(tmp_path, ASIDE) == []
    log.write_bytes(b"DEBUG: read \x00" + ENCODED[form](marked.marked(17)) + b"\n")
    assert left_in(tmp_path, ASIDE)


def test_a_part_of_a_text_is_found_and_so_is_a_file_that_is_called_like_one(tmp_path):
    text = marked.marked(17)
    assert all(traces(text[place : place + 40].encode()) for place in range(len(text) - 40))
    (tmp_path / f"{text[:20]}.parquet").touch()
    assert len(left_in(tmp_path, ASIDE)) == 1
