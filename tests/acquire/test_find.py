"""A strategy by its name: what cannot work is known before a label is spent on it."""

import sys

import pytest

import rarecase
from rarecase.acquire.find import STRATEGIES, find_strategy
from rarecase.acquire.strategy import name_of
from rarecase.core.errors import ConfigError

MINE = """
from rarecase.acquire.strategy import needs


@needs("probs", "features")
def margin(pool, n, *, labeled=None, seed=0): ...


@needs("mc_probabilities")
def unmade(pool, n, *, labeled=None, seed=0): ...


@needs("probs", labeled=["feature"])
def unmade_of_labeled(pool, n, *, labeled=None, seed=0): ...


@needs("probs", labeled=["probs", "cluster"])
def cluster_of_labeled(pool, n, *, labeled=None, seed=0): ...


@needs("similarity", labeled=["similarity"])
def similarity_of_labeled(pool, n, *, labeled=None, seed=0): ...


def bootstrap(pool, n, *, labeled=None, seed=0): ...


def data(pool, n, *, labeled=None, seed=0): ...


def all(pool, n, *, labeled=None, seed=0): ...


short = lambda pool, n, *, labeled=None, seed=0: ...
"""


OF_LABELED = "of the labelled rows, which does not exist; expected any of embedding, probs, features, mc_probs"


@pytest.fixture
def _mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.delitem(sys.modules, "found_by_name", raising=False)
    (tmp_path / "found_by_name.py").write_text(MINE)


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_is_found_by_its_name_and_exported_also_after_anchors(name):
    assert find_strategy(name) is getattr(rarecase, name)
    assert name_of(find_strategy(name)) == name
    assert name_of(find_strategy(f"anchors-{name}")) == f"anchors-{name}"
    assert set(find_strategy(f"anchors-{name}").needs) == {*find_strategy(name).needs, "embedding"}


def test_the_four_of_the_paper_come_first():
    assert STRATEGIES[:4] == ("random", "entropy", "coreset", "cluster")


@pytest.mark.parametrize(
    ("name", "near"), [("baldge", "badge"), ("anchors-margins", "margin"), ("anchors-anchors-entropy", "")]
)
def test_an_unknown_name_is_told_all_that_there_are(name, near):
    with pytest.raises(ConfigError, match=f"--strategy {name}: expected one of random, .*, typiclust") as raised:
        find_strategy(name)
    assert all(name in str(raised.value) for name in STRATEGIES)
    assert near in str(raised.value).rpartition("did you mean")[2]


@pytest.mark.parametrize("name", ["..x:f", "x..y:f", "x.:f", "a/b:f", "1x:f", "x:", ":f", "x:a.b", "x:f()"])
def test_what_is_no_dotted_name_is_no_module(name):
    with pytest.raises(ConfigError, match=r"expected one of random, .*, or module:function"):
        find_strategy(name)


@pytest.mark.usefixtures("_mine")
def test_a_function_of_ones_own_may_stand_after_anchors():
    found = find_strategy("anchors-found_by_name:margin")
    assert (name_of(found), found.needs) == ("anchors-margin", ("probs", "features", "embedding"))


@pytest.mark.usefixtures("_mine")
def test_a_function_of_the_working_folder_is_found():
    assert find_strategy("found_by_name:margin").needs == ("probs", "features")


@pytest.mark.usefixtures("_mine")
@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("bootstrap", "'bootstrap' is the name of the start set; rename the function"),
        ("data", "'data' cannot name a config; .*; give the function another name"),
        ("all", "'all' cannot name a config; .*; give the function another name"),
        ("short", "'<lambda>' cannot name a config; .*; give the function another name"),
        ("unmade", "needs the column 'mc_probabilities', which does not exist; expected any of .*mean 'mc_probs'"),
        ("unmade_of_labeled", f"needs the column 'feature' {OF_LABELED}; did you mean 'features'"),
        ("cluster_of_labeled", f"needs the column 'cluster' {OF_LABELED}"),
        ("similarity_of_labeled", f"needs the column 'similarity' {OF_LABELED}"),
    ],
)
def test_a_function_that_could_only_fail_later_is_refused(function, says):
    with pytest.raises(ConfigError, match=f"--strategy found_by_name:{function}: {says}"):
        find_strategy(f"found_by_name:{function}")


@pytest.mark.usefixtures("_mine")
@pytest.mark.parametrize(
    "module", ["nowhere", "nowhere.a.b", "rarecase.nowhere", "rarecase.nowhere.b", "found_by_name.a.b"]
)
def test_a_module_that_is_not_there_is_named_however_deep_it_would_be(module):
    with pytest.raises(ConfigError, match=f"--strategy {module}:f: no module '{module}' in "):
        find_strategy(f"{module}:f")


@pytest.mark.usefixtures("_mine")
def test_what_a_module_of_ones_own_lacks_keeps_its_traceback(tmp_path):
    (tmp_path / "lacks_a_module.py").write_text("import nowhere_at_all")
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        find_strategy("lacks_a_module:f")
