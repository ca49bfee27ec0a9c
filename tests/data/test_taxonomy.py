"""The classes: the shipped six, those of the data, and a YAML file of the user's."""

from dataclasses import fields

import pytest

from rarecase.core.errors import ConfigError
from rarecase.data.taxonomy import DEFAULT, Category, Taxonomy

SIX = ("self-harm", "medical-advice", "legal-advice", "financial-advice", "emergency-situation", "not-harmful")


def load(tmp_path, text: str) -> Taxonomy:
    (tmp_path / "classes.yaml").write_text(text, encoding="utf-8")
    return Taxonomy.load(tmp_path / "classes.yaml")


def test_the_shipped_classes_are_the_papers_six_in_its_order():
    shipped = Taxonomy.default()
    assert shipped.names == SIX
    assert all(c.definition and c.examples and c.source for c in shipped.classes)
    assert {c.action for c in shipped.classes} <= {"allow", "flag", "route", "block"}
    assert [c.name for c in shipped.classes if c.action == "allow"] == ["not-harmful"]


def test_discard_is_an_alias_of_not_harmful():
    shipped = Taxonomy.default()
    assert shipped.index("discard") == shipped.index("not-harmful") == 5
    assert shipped.index("card") is None
    assert shipped.index("Self-Harm") is None


def test_labels_of_the_shipped_six_give_the_shipped_taxonomy():
    assert Taxonomy.from_labels(["discard", "self-harm", "discard"]) == Taxonomy.default()
    assert Taxonomy.default().covers(["discard", "legal-advice"])


def test_other_labels_give_themselves_sorted():
    assert Taxonomy.from_labels(["spam", "ham", "spam"]).names == ("ham", "spam")
    assert Taxonomy.from_labels(["self-harm", "spam"]).names == ("self-harm", "spam")
    assert Taxonomy.from_labels([]).names == ()


def test_a_taxonomy_is_saved_and_loaded_whole(tmp_path):
    own = Taxonomy(
        (
            Category(
                "über",
                "Ein Satz: mit Doppelpunkt.",
                ('sagt "ja"', "- no"),
                "Me",
                "block",
                "violence",
                ("u", "1"),
                "No.",
            ),
            Category("yes"),
            Category("2024"),
        )
    )
    for number, taxonomy in enumerate([own, Taxonomy.default(), Taxonomy.from_labels(["null", "~", "on"])]):
        taxonomy.save(tmp_path / f"{number}.yaml")
        assert Taxonomy.load(tmp_path / f"{number}.yaml") == taxonomy


@pytest.mark.parametrize("names", [("spam", "ham: x", "null"), SIX])
def test_what_is_for_people_to_edit_is_read_as_it_stands(tmp_path, names):
    given = Taxonomy.from_names(names)
    text = given.explained()
    assert load(tmp_path, text) == given
    comments = "".join(line for line in text.splitlines() if line.startswith("#"))
    assert all(f"#   {field.name}: " in comments for field in fields(Category))
    assert (text.count("definition: ''"), text.count("examples: []")) == ((3, 3) if names != SIX else (0, 0))


def test_the_earlier_names_of_actions_are_still_read(tmp_path):
    found = load(tmp_path, "classes: [{name: a, action: pass}, {name: b, action: help}, {name: c}]")
    assert [c.action for c in found.classes] == ["allow", "route", "flag"]
    assert [c.action for c in Taxonomy.from_names(["spam", "discard", "self-harm"]).classes] == [
        "flag",
        "allow",
        "route",
    ]


def test_a_file_that_was_edited_is_read_anew(tmp_path):
    assert load(tmp_path, "classes: [{name: a}]").names == ("a",)
    assert load(tmp_path, "classes: [{name: b}]").names == ("b",)


def test_the_default_can_be_copied_and_extended(tmp_path):
    text = DEFAULT.read_text(encoding="utf-8") + "  - {name: spam, definition: Sells something.}\n"
    assert load(tmp_path, text).names == (*SIX, "spam")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: [{name: a, defintion: x}]", r"class 'a' has an unknown key 'defintion'; did you mean 'definition'"),
        (f"classes: [{{name: a, ? {'k' * 5000} : x}}]", r"class 'a' has an unknown key$"),
        (f"classes: [{{name: {'a' * 5000}, action: 1}}]", r"class 1: 'action' must be a string"),
        ("classes: [{name: a}, {name: b, aliases: [a]}]", r"the name 'a' is used for two classes"),
        ("classes: [{name: a}, {name: a}]", r"the name 'a' is used for two classes"),
        ("classes: [{name: a}, {definition: x}]", r"class 2 has no `name`"),
        ("classes: [{name: 3}]", r"class 1 has no `name`"),
        ("classes: {a: x}", r"expected a list `classes`"),
        ("classes: []", r"expected a list `classes`"),
        ("- a", r"expected a list `classes`"),
        ("", r"expected a list `classes`"),
        ("classes: [", r"invalid YAML; --taxonomy takes"),
        ("classes: [{name: a, aliases: discard}]", r"class 'a': 'aliases' must be a list of strings"),
        ("classes: [{name: a, examples: [1]}]", r"class 'a': 'examples' must be a list of strings"),
        ("classes: [{name: a, action: no}]", r"class 'a': 'action' must be a string"),
        (
            "classes: [{name: a, action: blok}]",
            r"class 'a': action 'blok' is unknown; did you mean 'block'\? \(actions",
        ),
    ],
)
def test_a_bad_file_is_answered_in_one_line_that_names_it_and_the_key(tmp_path, text, message):
    with pytest.raises(ConfigError, match=r"classes\.yaml: " + message) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_missing_or_unreadable_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: No such file or directory; --taxonomy takes a YAML file"):
        Taxonomy.load(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes("classes: [{name: é}]".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml: not valid UTF-8"):
        Taxonomy.load(tmp_path / "latin.yaml")


def test_a_name_that_a_terminal_would_obey_is_refused(tmp_path):
    (tmp_path / "taxonomy.yaml").write_text('classes:\n- name: "x\\e]0;mine\\a"\n')
    with pytest.raises(ConfigError, match="has characters that cannot be printed; rename it"):
        Taxonomy.load(tmp_path / "taxonomy.yaml")


def test_names_in_order_are_the_shipped_classes_only_where_they_are_those(tmp_path):
    assert Taxonomy.from_names(list(SIX)) is Taxonomy.default()
    assert [c.definition for c in Taxonomy.from_names(SIX[::-1]).classes] == [""] * 6
    Taxonomy.default().save(str(tmp_path / "classes.yaml"))  # a path as text
    assert Taxonomy.load(str(tmp_path / "classes.yaml")) == Taxonomy.default()
