"""Who may do what, and what is told of a file that does not say it."""

import time

import pytest

from rarecase.core.errors import ConfigError
from rarecase.labeling.store.names import alike, is_name
from rarecase.labeling.store.roles import Everybody, read_roles


def test_each_role_may_do_what_it_says():
    roles = read_roles("owners: [olga]\nadjudicators: [eve]\nannotators: [ann, Jörg, a.b-c_1]", "roles.yaml")
    assert [roles.may_label(name) for name in ("olga", "eve", "ann", "Jörg", "Ann", "mallory")] == [True] * 4 + [
        False
    ] * 2
    assert [roles.may_review(name) for name in ("olga", "eve", "ann", "mallory")] == [True, True, False, False]


def test_where_nobody_is_named_everybody_may():
    assert Everybody().may_label("ann")
    assert Everybody().may_review("ann")


def test_a_name_is_a_word():
    assert all(map(is_name, ("ann", "a" * 64, "Jörg", "x.y-z_0")))
    assert not any(map(is_name, ("", "a" * 65, "a b", "a\n", "<b>", "a/b", "a'b", "\ud800")))


def test_a_name_is_compared_with_many_in_no_time():
    begun = time.process_time()
    assert alike(["ann"], [f"{number:05}" for number in range(20_000)]) is None
    assert time.process_time() - begun < 2  # six where each letter was looked up anew, while all votes waited


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("adjudicator: [eve]", r"roles\.yaml: unknown role 'adjudicator'; did you mean 'adjudicators'\?"),
        ("zzz: [eve]", r"roles\.yaml: unknown role 'zzz'; expected lists of names under owners, adjudicators"),
        ("annotators: ann", r"roles\.yaml: annotators must be a list of names, such as \[ann, bob\]"),
        ("annotators: [ann, 7]", r"roles\.yaml: annotators, entry 2 is no name: .* \(quote numbers\)"),
        (
            "owners: [ann]\nannotators: [ann, bob, Ann]",
            "roles.yaml: Ann looks like ann, so only one of them could sign",
        ),
        ("annotators: [аnn, ann]", r"roles\.yaml: ann looks like аnn, so only one"),
        ("annotators: ['a b']", r"annotators, entry 1 is no name"),
        ("annotators: []", r"roles\.yaml: nobody is named; expected lists"),
        ("", r"roles\.yaml: expected lists of names under"),
        ("- ann", r"roles\.yaml: expected lists of names under"),
        ("a: [", r"roles\.yaml: invalid YAML"),
        ("annotators: &all [*all]", r"roles\.yaml: an alias that contains itself; expected lists"),
        ("annotators: !!int abc", r"roles\.yaml: invalid YAML; expected lists"),
        ("annotators: " + "[" * 5000 + "]" * 5000, r"roles\.yaml: nested too deeply; expected lists"),
    ],
)
def test_a_file_that_says_something_else_is_told_in_one_line(text, line):
    with pytest.raises(ConfigError, match=f"^{line}" if line.startswith("roles") else line) as caught:
        read_roles(text, "roles.yaml")
    assert "\n" not in str(caught.value)
