"""The settings: from YAML and back, and what a wrong file is answered."""

from dataclasses import fields
from pathlib import Path

import pytest

from rarecase.core.errors import ConfigError, flag
from rarecase.settings.config import (
    ExperimentConfig,
    RunConfig,
    SimulateConfig,
    StartConfig,
    as_begun,
    read_config,
    read_yaml,
    split_list,
    write_yaml,
)

KINDS = [RunConfig, SimulateConfig, StartConfig]


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_written_and_read_back(tmp_path, kind):
    config = kind(pool="später.csv", seed=7, out=Path("runs/1"), text_column="yes")
    write_yaml(tmp_path / "config.yaml", config)
    settings = read_yaml(tmp_path / "config.yaml", kind)
    assert list(settings) == [field.name for field in fields(kind)]
    assert kind(**{**settings, "out": Path(settings["out"])}) == config


def test_keys_may_be_written_as_flags(tmp_path):
    (tmp_path / "run.yaml").write_text("generator-url: http://127.0.0.1/v1\nlearning_rate: 1.0e-4\n")
    found = read_yaml(tmp_path / "run.yaml", RunConfig)
    assert found == {"generator_url": "http://127.0.0.1/v1", "learning_rate": 1e-4}


def test_an_empty_file_has_no_settings(tmp_path):
    (tmp_path / "run.yaml").write_text("# nothing yet\n")
    assert read_yaml(tmp_path / "run.yaml", RunConfig) == {}


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (RunConfig, "strateggy: random", r"unknown setting 'strateggy'; did you mean 'strategy'\?"),
        (RunConfig, "text-colum: x", r"unknown setting 'text-colum'; did you mean 'text_column'\?"),
        (SimulateConfig, "annotator: gold", r"unknown setting 'annotator'"),
        (StartConfig, "certfy: 3", r"unknown setting 'certfy'; did you mean 'certify'\?"),
        (RunConfig, "12: 3", r"unknown setting '12'"),
        (RunConfig, "- budget", r"expected a mapping of settings"),
        (RunConfig, "budget: [", r"invalid YAML; --config takes"),
    ],
)
def test_a_bad_settings_file_is_answered_in_one_line_that_names_it(tmp_path, kind, text, message):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"run\.yaml: " + message) as caught:
        read_yaml(tmp_path / "run.yaml", kind)
    assert "\n" not in str(caught.value)


def test_a_long_line_that_is_no_setting_is_not_repeated(tmp_path):
    (tmp_path / "run.yaml").write_text(f"{'a post of somebody ' * 6}: 1")
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "run.yaml", RunConfig)
    assert str(caught.value) == f"{tmp_path / 'run.yaml'}: unknown setting"


@pytest.mark.parametrize(("name", "value"), [("seeds", "1.5"), ("models", "[a, b]"), ("leave_out_overlap", "3")])
def test_a_setting_of_a_folder_that_has_another_type_is_one_line(tmp_path, name, value):
    (tmp_path / "config.yaml").write_text(f"out: there\n{name}: {value}\n")
    with pytest.raises(ConfigError, match=rf"config\.yaml: {name}: \w+, expected \w+; the file is damaged"):
        read_config(tmp_path, ExperimentConfig)


def test_a_missing_settings_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: No such file or directory; --config takes"):
        read_yaml(tmp_path / "absent.yaml", RunConfig)


def test_a_setting_is_named_by_its_flag():
    assert flag("generator_url") == "--generator-url"


def test_names_are_separated_by_commas_and_each_stands_once():
    assert split_list(" b, a,,b ") == ["b", "a"]


@pytest.mark.parametrize(
    ("kind", "learner", "length"),
    [
        (RunConfig, "finetune", 50),
        (SimulateConfig, "finetune", 50),
        (RunConfig, "frozen", None),
        (ExperimentConfig, "finetune", None),  # where 50 are the default
    ],
)
def test_a_folder_of_before_reads_as_many_tokens_as_it_did(tmp_path, kind, learner, length):
    (tmp_path / "config.yaml").write_text(f"learner: {learner}\n")
    settings = read_config(tmp_path, kind)
    assert kind(**settings).max_length == length
    write_yaml(tmp_path / "config.yaml", kind(learner=learner))
    assert kind(**read_config(tmp_path, kind) | {"out": None}).max_length is None


def test_a_run_of_before_there_were_templates_asks_what_it_asked():
    assert as_begun({"generator": "openai"}, RunConfig)["template"] == "small"
    assert as_begun({"generator": "openai", "template": None}, RunConfig)["template"] is None
    assert "template" not in as_begun({"generator": "none"}, RunConfig)
