"""A mistyped value is refused, not rounded or taken for the working folder: on the command line and in YAML."""

import pytest

from rarecase.core.errors import ConfigError, DataError
from rarecase.data.read import read_table
from rarecase.data.taxonomy import Taxonomy

RUN = ["run", "--pool", "pool.csv", "--bootstrap", "b.csv", "--dev", "d.csv", "--test", "t.csv", "--out", "out"]


@pytest.mark.parametrize("value", ["2.99", "3.0", "-0.5", "1.e999"])
@pytest.mark.parametrize("setting", ["budget", "batch", "clusters", "variations", "seed", "concurrency"])
def test_a_fraction_for_a_whole_number_is_refused(refused, tmp_path, setting, value):
    line = f"--{setting} {value}: expected a whole number"
    assert line in refused(*RUN, f"--{setting}", value)
    (tmp_path / "run.yaml").write_text(f"{setting}: {value!r}\n")
    assert line in refused(*RUN, "--config", "run.yaml")


def test_of_other_commands_too(refused):
    assert "--seed 0.5: expected a whole" in refused("pool", "a.csv", "--out", "a.parquet", "--seed", "0.5")
    assert "--per-source 2.5: expected a whole" in refused("pool", "a", "--out", "a.parquet", "--per-source", "2.5")
    assert "--seed -1: expected at least 0" in refused("pool", "a.csv", "--out", "a.parquet", "--seed", "-1")
    assert "--bootstrap 1.5: expected a whole" in refused("start", "--pool", "a", "--bootstrap", "1.5", "--out", "o")
    assert "--seeds 1.5: expected a whole" in refused("simulate", "--pool", "a", "--seeds", "1.5", "--out", "o")


@pytest.mark.parametrize("command", ["simulate", "experiment"])
def test_seeds_without_end_are_refused_before_there_is_a_cell_for_each(refused, command):
    for seeds in ("1001", "100000000000"):
        assert f"--seeds {seeds}: expected 1 to 1,000" in refused(command, "--seeds", seeds, "--out", "out")


@pytest.mark.parametrize("setting", ["seed", "budget", "batch"])
def test_a_number_that_run_json_cannot_hold_is_refused_before_there_is_a_folder(refused, tmp_path, setting):
    for value in (2**63 - 999, 2**128):
        line = f"--{setting} {value}: expected at most 9223372036854774808"
        assert line in refused(*RUN, "--generator", "none", f"--{setting}", value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["true", ".nan", ".inf", "-.inf", "abc", "[1]", "{a: 1}", "1e400", "9" * 5000])
@pytest.mark.parametrize("setting", ["budget", "temperature", "learning_rate"])
def test_what_is_no_number_is_refused_in_yaml(refused, tmp_path, setting, value):
    (tmp_path / "run.yaml").write_text(f"learner: setfit\ngenerator: none\n{setting}: {value}\n")
    refused(*RUN, "--config", "run.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["pool", "", "--out", "a.parquet"],
        ["pool", "a.csv", "--out", ""],
        ["run", "--pool", "", "--out", "out"],
        ["run", "--pool", "a.csv", "--out", ""],
        ["start", "--pool", "a.csv", "--taxonomy", "", "--out", "out"],
        ["simulate", "--pool", "a.csv", "--dev", "", "--out", "out"],
        ["train", "", "--config-name", "a", "--out", "out"],
        ["predict", "", "posts.csv", "--out", "out.csv"],
        ["predict", "guard", "", "--out", "out.csv"],
        ["experiment", "--data", "", "--out", "out"],
        ["report", ""],
        ["import-published", "", "--out", "out"],
        ["publish", "dataset", "", "--repo", "a/b", "--license", "mit"],
    ],
    ids=" ".join,
)
def test_an_empty_value_is_refused(refused, tmp_path, arguments):
    (tmp_path / "posts.csv").write_text("id,text\n1,a tree by the river\n")
    assert "is empty; give it a value" in refused(*arguments)


def test_an_empty_value_in_yaml_and_in_python_is_refused(refused, tmp_path):
    (tmp_path / "run.yaml").write_text("taxonomy: ''\n")
    assert "--taxonomy is empty" in refused(*RUN, "--config", "run.yaml")
    with pytest.raises(DataError, match="the path of a table is empty"):
        read_table("", split="train", labeled=False)


@pytest.mark.parametrize("value", [r'"a\0b"', r'"a\uD800b"'])
def test_a_character_that_no_name_has_is_refused(refused, tmp_path, value):
    (tmp_path / "run.yaml").write_text(f"encoder: {value}\n")
    assert "has a NUL or half a character" in refused(*RUN, "--config", "run.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["pool", "a.csv", "--out", "a.parquet"],
        ["train", "data", "--config-name", "all", "--out", "out"],
        ["export", "run", "--out", "a.csv"],
        ["import-published", "in", "--out", "out"],
        ["generate", "preview"],
        ["generate", "reparse", "run", "--out", "a.csv"],
        ["guard", "calibrate", "guard", "--heldout", "start"],
        ["guard", "plan", "guard", "--heldout", "start"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_page_is_refused_where_there_is_none(refused, arguments):
    line = 'Invalid value "markdown" for --format. Choose from: "text", "json".'
    assert line in refused(*arguments, "--format", "markdown")


def test_a_bomb_in_yaml_is_one_line(refused, tmp_path):
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    (tmp_path / "bomb.yaml").write_text(f"{laughs}classes: *i\n")
    assert "bomb.yaml: too many aliases" in refused(*RUN, "--config", "bomb.yaml")
    publish = ["publish", "dataset", "x", "--repo", "a/b", "--license", "mit"]
    assert "bomb.yaml: too many aliases" in refused(*publish, "--about", "bomb.yaml")
    with pytest.raises(ConfigError, match=r"bomb\.yaml: too many aliases"):
        Taxonomy.load(tmp_path / "bomb.yaml")
