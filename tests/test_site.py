"""The site of `make docs`: built strictly, by mkdocs and by its successor, and it loads nothing from elsewhere."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

pytestmark = pytest.mark.slow
LOADED = re.compile(r'<(?:script|img|iframe|source|video)[^>]*\ssrc="([^"]+)|<link\b([^>]*)>')
IN_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")


def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(tmp_path):
    build("mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site"))
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= 14
    for page in pages:
        text = page.read_text(encoding="utf-8")
        fetched = [source or link for source, link in LOADED.findall(text) if "canonical" not in link]
        assert [address for address in fetched if re.search(r"(?:https?:)?//", address)] == [], page
    for style in (tmp_path / "site").rglob("*.css"):
        assert IN_STYLES.findall(style.read_text(encoding="utf-8")) == [], style
    reference = (tmp_path / "site" / "reference.html").read_text(encoding="utf-8")
    assert 'id="rarecase.acquire.rare.rare"' in reference
    assert "Example:" not in reference
    assert "(`" not in reference


def test_the_successor_of_mkdocs_reads_the_same_file(tmp_path):
    """It writes where `site_dir` says, and follows no links, so it gets a copy of what it reads."""
    for name in ("mkdocs.yml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("docs", "src", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    build("zensical", "build", cwd=tmp_path)
    assert 'id="rarecase.acquire.rare.rare"' in (tmp_path / "site" / "reference.html").read_text(encoding="utf-8")


def build(program: str, *arguments: str, cwd: Path = ROOT) -> None:
    if not importlib.util.find_spec(program):
        pytest.skip(f"needs {program}: pip install 'rarecase[docs]', as `make docs` does")
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
