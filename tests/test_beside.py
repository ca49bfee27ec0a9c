"""The comparison with other tools says "yes" only where a test shows it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_test_that_is_named_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/beside.md").read_text(encoding="utf-8"))
    assert len(named) > 10
    for path, name in named:
        found = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if hasattr(node, "name")}
        assert name in found, f"{path}::{name}"
