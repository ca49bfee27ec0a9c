"""What the package says of itself: one version everywhere, the licence, the authors, and that it has types."""

import tomllib

import yaml
from places import ROOT

import rarecase

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_version_is_the_same_wherever_it_stands():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert rarecase.__version__ == PROJECT["version"] == citation["version"]
    assert [part.isdecimal() for part in rarecase.__version__.split(".")] == [True] * 3


def test_licence_authors_and_types_are_declared():
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in licence
    assert "9. Accepting Warranty or Additional Liability." in licence
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["authors"] == [{"name": "The rarecase authors"}]  # no address
    assert (ROOT / "src" / "rarecase" / "py.typed").is_file()
