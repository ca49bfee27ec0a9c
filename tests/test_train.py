"""`rarecase train`: a learner on a released set, outside the loop."""

import json
from pathlib import Path

import pytest
import small
from datasets import Dataset
from small import NAMES

from rarecase.cli import command
from rarecase.config import TrainConfig
from rarecase.errors import ConfigError
from rarecase.learn import load_learner
from rarecase.release import write_release
from rarecase.schema import conform, matrix, rows
from rarecase.train import train


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """A release of two configs: the start set, and ten posts of the pool."""
    start, pool, dev, test = (conform(small.table(name), NAMES) for name in ("bootstrap", "pool", "dev", "test"))
    shared = {"validation": dev, "test": test}
    folder = tmp_path_factory.mktemp("release") / "data"
    configs = {"bootstrap": {"train": start, **shared}, "cluster": {"train": rows(pool, range(10)), **shared}}
    write_release(folder, configs, default="cluster", title="Posts")
    return folder


def accuracy(learner, test: Dataset) -> float:
    found = matrix(learner.score(test), "probs").argmax(axis=1)
    return float(100 * (found == matrix(test, "label")).mean())


def test_the_training_rows_of_all_named_configs_are_learned_from(release, tmp_path):
    one = train(str(release), TrainConfig(config_name="bootstrap", out=tmp_path / "one"))
    both = train(str(release), TrainConfig(config_name="bootstrap,cluster", out=tmp_path / "both"))
    assert (one["train"], both["train"]) == (60, 70)
    assert one["test"] != both["test"]
    for measured in (one["dev"], one["test"], both["dev"], both["test"]):
        assert set(measured) == {"accuracy", "macro_f1", "f1"}
        assert set(measured["f1"]) == set(NAMES)
    assert both["test"]["macro_f1"] > 40


def test_what_is_measured_is_what_the_saved_model_does(release, tmp_path):
    measured = train(str(release), TrainConfig(config_name="bootstrap", out=tmp_path / "guard"))
    loaded = load_learner(tmp_path / "guard")
    assert loaded.names == NAMES
    assert accuracy(loaded, small.table("test")) == pytest.approx(measured["test"]["accuracy"])
    assert not list((tmp_path / "guard").rglob("*.bin")) + list((tmp_path / "guard").rglob("*.pkl"))


def test_a_fine_tuned_model_is_one_of_transformers(release, tmp_path, capsys):
    out = tmp_path / "guard"
    flags = ["--learner", "finetune", "--epochs", "1", "--out", str(out), "--format", "json"]
    assert command(["train", str(release), "--config-name", "bootstrap", *flags]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["train"] == 60
    assert accuracy(load_learner(out), small.table("test")) == pytest.approx(measured["test"]["accuracy"])
    config = json.loads((out / "config.json").read_text())
    assert [config["id2label"][str(i)] for i in range(len(NAMES))] == list(NAMES)


def test_a_used_folder_and_a_missing_config_are_refused_before_any_work(release, tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="used exists and is not empty; name another --out"):
        train(str(release), TrainConfig(config_name="bootstrap", out=tmp_path / "used"))
    with pytest.raises(ConfigError, match="--config-name is empty"):
        train(str(release), TrainConfig(config_name=" , ", out=tmp_path / "out"))
    with pytest.raises(ConfigError, match="--out is missing"):
        train(str(release), TrainConfig(config_name="bootstrap"))
    assert [path.name for path in tmp_path.iterdir()] == ["used"]
