"""
What a Space installs is all that its page imports. The slow tests install it; this one only looks at the names.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The distributions that modules of rarecase import at their top, once the page's module is there.
IMPORTED = """
import ast, sys
from importlib import import_module
from importlib.metadata import packages_distributions

import_module(sys.argv[1])
found = set()
for name in [name for name in sys.modules if name.partition(".")[0] == "rarecase"]:
    for line in ast.parse(open(sys.modules[name].__file__).read()).body:
        if isinstance(line, ast.Import):
            found |= {one.name for one in line.names}
        elif isinstance(line, ast.ImportFrom):
            found.add(line.module)
known = packages_distributions()
print(*{name for module in found for name in known.get(module.partition(".")[0], [])})
"""


def plain(requirement: str) -> str:
    """The name of a distribution, as the registry compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=\[;!~ ]", requirement)[0]).lower()


@pytest.mark.parametrize(
    ("space", "extra", "module"),
    [
        ("demo", "app", "rarecase.demo_space.page"),
        ("labeling", "app", "rarecase.labeling.web.server"),
        ("guard", "serve", "rarecase.serve.server"),
    ],
)
def test_a_space_installs_what_its_page_imports(space, extra, module):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {plain(one) for one in (*project["dependencies"], *project["optional-dependencies"][extra])}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, module], capture_output=True, text=True, check=True, cwd=ROOT / "tests"
    )
    imported = {plain(name) for name in done.stdout.split()} & declared
    lines = (ROOT / "spaces" / space / "requirements.txt").read_text().splitlines()
    installed = {plain(line) for line in lines if not line.startswith("#")}
    assert imported - installed - {"gradio"} == set()
