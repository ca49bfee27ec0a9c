"""Settings that are refused before anything is read, and those that are not."""

from pathlib import Path

import pytest

from rarecase.core.errors import ConfigError
from rarecase.settings.checks import check, require_out
from rarecase.settings.config import RunConfig, SimulateConfig, StartConfig, TrainConfig


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"budget": 0}, r"--budget 0: expected at least 1"),
        ({"batch": -2}, r"--batch -2: expected at least 1"),
        ({"clusters": 0}, r"--clusters 0: expected at least 1"),
        ({"variations": -1}, r"--variations -1: expected at least 0"),
        ({"seed": -1}, r"--seed -1: expected at least 0"),
        ({"budget": 2.99}, r"--budget 2\.99: expected a whole number"),
        ({"budget": True}, r"--budget True: expected a whole number"),
        ({"budget": "7"}, r"--budget '7': expected a whole number"),
        ({"temperature": False}, r"--temperature False: expected a number"),
        ({"temperature": float("nan")}, r"--temperature nan: expected at least 0"),
        ({"temperature": float("inf")}, r"--temperature inf: expected at least 0"),
        ({"epochs": 0}, r"--epochs 0: expected at least 1"),
        ({"concurrency": 0}, r"--concurrency 0: expected at least 1"),
        ({"temperature": -0.1}, r"--temperature -0\.1: expected at least 0"),
        ({"learning_rate": 0.0}, r"--learning-rate 0\.0: expected more than 0"),
        ({"generator": "openai"}, r"--generator openai needs --generator-url \(or --generator none"),
        ({"generator": "openai", "generator_url": "http://a"}, r"needs --generator-model"),
        ({"generator": "local"}, r"--generator local needs --generator-model"),
        ({"generator": "replay"}, r"--generator replay needs --generator-data"),
    ],
)
def test_a_setting_out_of_range_names_its_flag(setting, message):
    with pytest.raises(ConfigError, match=message):
        check(RunConfig(**{"generator": "none", **setting}))


def test_the_settings_of_a_grid_and_of_a_start_are_checked_too():
    with pytest.raises(ConfigError, match=r"--seeds 0: expected 1 to 1,000"):
        check(SimulateConfig(seeds=0))
    with pytest.raises(ConfigError, match=r"--test-size 0: expected at least 1"):
        check(SimulateConfig(test_size=0))
    for name in ("bootstrap", "dev", "test"):
        with pytest.raises(ConfigError, match=f"--{name} 0: expected at least 1"):
            check(StartConfig(**{name: 0}))
    with pytest.raises(ConfigError, match=r"--certify -1: expected at least 0"):
        check(StartConfig(certify=-1))


def test_the_defaults_and_the_least_values_are_accepted():
    check(RunConfig())
    check(SimulateConfig())
    check(StartConfig(certify=0, bootstrap=1))
    check(RunConfig(generator="none", bootstrap="a.csv", budget=1, batch=1, variations=0, temperature=0.0, seed=0))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (RunConfig(epochs=3, generator="none"), "--epochs has no effect beside --learner frozen"),
        (TrainConfig(config_name="a", precision="bf16"), "--precision has no effect beside --learner frozen"),
        (SimulateConfig(learning_rate=5.0), "--learning-rate has no effect beside --learner frozen"),
        (TrainConfig(config_name="a", learner="setfit", epochs=2), "--epochs has no effect beside --learner setfit"),
        (RunConfig(start="s", pool="p", generator="none"), "--pool has no effect beside --start s"),
        (RunConfig(start="s", taxonomy="t", generator="none"), "--taxonomy has no effect beside --start s"),
        (RunConfig(start="s", text_column="t", generator="none"), "--text-column has no effect beside --start s"),
        (RunConfig(start="s", encoding="latin-1", generator="none"), "--encoding has no effect beside --start s"),
        (StartConfig(classes="a,b", taxonomy="t"), "--classes has no effect beside --taxonomy t"),
        (SimulateConfig(start="s", test_size=5), "--test-size has no effect beside --start s"),
        (SimulateConfig(test="t", test_size=5), "--test-size has no effect beside --test t"),
    ],
)
def test_a_setting_without_effect_beside_another_is_refused(config, says):
    with pytest.raises(ConfigError, match=f"{says}; leave one of them out"):
        check(config)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"generator_url": "http://a"}, "--generator-url has no effect without --generator openai; add that"),
        ({"generator_model": "a"}, "--generator-model has no effect without --generator openai or local; add that"),
        (
            {"generator": "cheap", "generator_data": "a.csv"},
            "--generator-data has no effect without --generator replay",
        ),
    ],
)
def test_what_only_some_generators_use_is_refused_without_them(settings, says):
    with pytest.raises(ConfigError, match=says):
        check(RunConfig(**settings))


def test_a_setting_that_has_an_effect_in_another_place_is_accepted():
    check(RunConfig(learner="finetune", epochs=3, precision="bf16", learning_rate=1e-4, generator="none"))
    check(RunConfig(learner="setfit", updates=50, precision="bf16", learning_rate=1e-4, generator="none"))
    check(RunConfig(start="s", text_column="title", generator="replay", generator_data="v.csv"))  # of its table
    check(StartConfig(test=20, taxonomy="t", text_column="title"))


def test_the_empty_working_folder_is_no_place_to_write_a_folder_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for out in (Path(), tmp_path):
        with pytest.raises(ConfigError, match="is the working folder; name a new folder in it"):
            require_out(out)
    assert require_out(Path("a")) == Path("a")
    (tmp_path / "run.json").write_text("{}")  # a simulation goes on where it stands
    assert require_out(Path()) == Path()


def test_out_is_asked_for_by_its_flag():
    assert require_out(Path("a")) == require_out("a") == Path("a")
    with pytest.raises(ConfigError, match="--out is missing"):
        require_out(None)
