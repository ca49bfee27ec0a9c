"""`rarecase taxonomy`: the classes are shown, checked or begun, as a file that `--taxonomy` takes."""

from pathlib import Path

import pytest

from rarecase.cli.main import command
from rarecase.data.taxonomy import Category, Taxonomy


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """What the command prints, in an empty folder, where all is well."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[str, str]:
        assert command(["taxonomy", *arguments]) == 0
        return tuple(capsys.readouterr())

    return run


def test_the_shipped_classes_are_shown_as_a_file_of_classes(printed):
    out, err = printed()
    Path("six.yaml").write_text(out)
    assert Taxonomy.load("six.yaml") == Taxonomy.default()
    assert err == ""


def test_new_classes_are_begun_and_checked_once_they_are_filled_in(printed):
    out, err = printed("--classes", "spam, ham,spam", "--out", "own.yaml")
    assert (out, err) == ("", "own.yaml: 2 classes to edit; then name it by --taxonomy own.yaml\n")
    assert Taxonomy.load("own.yaml").names == ("spam", "ham")
    begun = Path("own.yaml").read_text()
    assert printed("--classes", "spam,ham") == (begun, "")
    Path("own.yaml").write_text(
        begun.replace("definition: ''\n  examples: []", "definition: Sells.\n  aliases: [ad]", 1)
    )
    out, _ = printed("own.yaml")
    Path("checked.yaml").write_text(out)
    expected = Category("spam", "Sells.", aliases=("ad",)), Category("ham")
    assert Taxonomy.load("checked.yaml").classes == Taxonomy.load("own.yaml").classes == expected


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["bad.yaml"], "bad.yaml: class 'a' has an unknown key 'defintion'; did you mean 'definition'?"),
        (["none.yaml"], "none.yaml: No such file or directory; --taxonomy takes a YAML file with a list `classes`"),
        (["bad.yaml", "--classes", "a,b"], "--classes begins new classes, and bad.yaml has some already; leave one"),
        (["--classes", "a,,a"], "--classes: expected the names of two classes or more, separated by commas"),
        (["--classes", "mould,ham,Mould"], "--classes: 'mould' and 'Mould' differ in case alone; rename one of them"),
        (["--classes", "a,b\x1bc"], "the name of a class is empty, or has characters that cannot be printed"),
        (["--out", "bad.yaml"], "--out bad.yaml: exists already; name another, or remove it"),
    ],
)
def test_what_is_wrong_is_one_line(refused, arguments, line):
    Path("bad.yaml").write_text("classes: [{name: a, defintion: x}]")
    assert line in refused("taxonomy", *arguments)
    assert Path("bad.yaml").read_text() == "classes: [{name: a, defintion: x}]"
