"""A strategy by its name: what cannot work is known before a label is spent on it."""

import sys

import pytest

from rarecase.acquire import strategies
from rarecase.acquire.find import STRATEGIES, find_strategy
from rarecase.errors import ConfigError

MINE = """
from rarecase.schema import needs


@needs("probs", "features")
def margin(pool, n, *, labeled=None, seed=0): ...


@needs("mc_probs")
def disagreement(pool, n, *, labeled=None, seed=0): ...


def bootstrap(pool, n, *, labeled=None, seed=0): ...


def data(pool, n, *, labeled=None, seed=0): ...


short = lambda pool, n, *, labeled=None, seed=0: ...
"""


@pytest.fixture
def _mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "found_by_name", raising=False)
    (tmp_path / "found_by_name.py").write_text(MINE)


def test_the_four_are_found_by_their_names():
    assert [find_strategy(name) for name in STRATEGIES] == [getattr(strategies, name) for name in STRATEGIES]


@pytest.mark.usefixtures("_mine")
def test_a_function_of_the_working_folder_is_found():
    assert find_strategy("found_by_name:margin").needs == ("probs", "features")


@pytest.mark.usefixtures("_mine")
@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("bootstrap", "'bootstrap' names the start set already; rename the function"),
        ("data", "'data' cannot name a config; .*; give the function another name"),
        ("short", "'<lambda>' cannot name a config; .*; give the function another name"),
        ("disagreement", "needs the column 'mc_probs', which nothing makes; expected any of .*mean 'probs'"),
    ],
)
def test_a_function_that_could_only_fail_later_is_refused(function, says):
    with pytest.raises(ConfigError, match=f"--strategy found_by_name:{function}: {says}"):
        find_strategy(f"found_by_name:{function}")
