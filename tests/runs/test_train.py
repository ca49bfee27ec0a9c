"""`rarecase train`: a learner on a released set, outside the loop."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import releases
import small
import tiny_models
from datasets import Dataset
from small import NAMES

from rarecase.cli.main import command
from rarecase.core.errors import ConfigError, RunFolderError
from rarecase.data.arrow import matrix, rows
from rarecase.data.release import write_release
from rarecase.data.schema import conform
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.guard.guard import Guard
from rarecase.learn import load_learner
from rarecase.learn.record import TrainingData, digest_of
from rarecase.runs.train import train
from rarecase.settings.config import TrainConfig

PLACES = {"bootstrap": range(20), "random": range(20, 24)}


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    return releases.write(tmp_path_factory.mktemp("release") / "data")


def accuracy(learner, test: Dataset) -> float:
    found = matrix(learner.score(test), "probs").argmax(axis=1)
    return float(100 * (found == matrix(test, "label")).mean())


def test_the_training_rows_of_all_named_configs_are_learned_from(release, tmp_path):
    one = train(str(release), TrainConfig(config_name="bootstrap", out=tmp_path / "one"))
    both = train(str(release), TrainConfig(config_name="bootstrap,cluster", out=tmp_path / "both"))
    assert (one["train"], both["train"]) == (60, 70)
    assert one["test"] != both["test"]
    for measured in (one["dev"], one["test"], both["dev"], both["test"]):
        assert {"accuracy", "macro_f1", "f1"} <= set(measured)
        assert set(measured["f1"]) == set(NAMES)
    assert both["test"]["macro_f1"] > 40


def test_a_config_may_be_called_as_a_split_and_named_twice(tmp_path):
    start, pool, dev, test = (conform(small.table(name), NAMES) for name in ("bootstrap", "pool", "dev", "test"))
    shared = {"validation": dev, "test": test}
    configs = {"test": {"train": start, **shared}, "dev": {"train": rows(pool, range(9)), **shared}}
    write_release(tmp_path / "data", configs, default="test", title="Posts")
    measured = train(str(tmp_path / "data"), TrainConfig(config_name="test,dev,test", out=tmp_path / "guard"))
    assert measured["train"] == len(start) + 9


def test_all_of_a_release_is_learned_from_alone(tmp_path):
    pool, dev = (conform(small.table(name), NAMES) for name in ("pool", "dev"))
    configs = {name: {"train": rows(pool, places), "validation": dev, "test": dev} for name, places in PLACES.items()}
    write_release(tmp_path / "data", configs, default="all", title="Posts")
    measured = train(str(tmp_path / "data"), TrainConfig(config_name="all", out=tmp_path / "guard"))
    assert measured["train"] == 24
    with pytest.raises(ConfigError, match="--config-name all,random: all has the rows of the others; leave these"):
        train(str(tmp_path / "data"), TrainConfig(config_name="all,random", out=tmp_path / "twice"))


def test_the_classes_are_those_of_the_release_in_its_order_also_one_without_a_row(tmp_path):
    texts = [f"{word} number {i}" for word in ("apple", "stone") for i in range(6)]
    columns = {"id": list(map(str, range(12))), "text": texts, "label": [0] * 6 + [1] * 6}
    table = conform(Dataset.from_dict(columns), ("zeta", "alpha", "mid"))
    configs = {"walks": {"train": table, "validation": table, "test": table}}
    write_release(tmp_path / "data", configs, default="walks", title="Walks")
    measured = train(str(tmp_path / "data"), TrainConfig(config_name="walks", out=tmp_path / "guard"))
    assert list(measured["test"]["f1"]) == ["zeta", "alpha", "mid"]
    assert load_learner(tmp_path / "guard").names == ("zeta", "alpha", "mid")


def test_the_guard_does_with_a_class_what_the_taxonomy_of_the_release_says(tmp_path):
    own = Taxonomy((Category("x", action="route", message="Call.", openai="violence"), Category("y", action="allow")))
    columns = {"id": list("abcd"), "text": ["apple one", "apple two", "a stone", "stones"], "label": [0, 0, 1, 1]}
    splits = dict.fromkeys(("train", "validation", "test"), conform(Dataset.from_dict(columns), own.names))
    write_release(tmp_path / "data", {"one": splits}, default="one", taxonomy=own)
    train(str(tmp_path / "data"), TrainConfig(config_name="one", out=tmp_path / "guard"))
    known = Guard.from_pretrained(tmp_path / "guard").taxonomy.classes
    assert [(one.name, one.action, one.message, one.openai) for one in known] == [
        ("x", "route", "Call.", "violence"),
        ("y", "allow", "", ""),
    ]


def test_what_is_measured_is_what_the_saved_model_does(release, tmp_path):
    measured = train(str(release), TrainConfig(config_name="bootstrap", out=tmp_path / "guard"))
    loaded = load_learner(tmp_path / "guard")
    assert loaded.names == NAMES
    assert accuracy(loaded, small.table("test")) == pytest.approx(measured["test"]["accuracy"])
    assert not list((tmp_path / "guard").rglob("*.bin")) + list((tmp_path / "guard").rglob("*.pkl"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    """The folder of a transformer that learns fast."""
    return str(tiny_models.write("FacebookAI/roberta-base", tmp_path_factory.mktemp("models") / "roberta-base"))


def test_the_record_of_a_frozen_learner(release, tmp_path):
    record = record_of_two(release, TrainConfig(config_name="bootstrap", seed=3), tmp_path)
    made = {"learner": "frozen", "model": "packaged", "precision": "fp32", "seed": 3, "names": list(NAMES)}
    assert made.items() <= record.items()
    assert record["settings"] == {"C": 10.0, "class_weights": "balanced"}


def test_the_record_of_a_fine_tuned_model_names_its_folder_by_the_last_name_alone(release, tiny, tmp_path):
    config = TrainConfig(config_name="bootstrap,cluster", learner="finetune", model=tiny, epochs=2, precision="bf16")
    record = record_of_two(release, config, tmp_path)
    made = {"learner": "finetune", "model": "roberta-base", "precision": "bf16", "seed": 0, "names": list(NAMES)}
    assert made.items() <= record.items()
    used = {"epochs": 2, "epochs_run": 2, "learning_rate": 2e-5, "batch_size": 16, "max_length": 512, "patience": 3}
    assert used.items() <= record["settings"].items()
    texts = [*small.table("bootstrap"), *small.table("pool").select(range(10))]
    counts = {name: sum(NAMES[row["label"]] == name for row in texts) for name in NAMES}
    data = TrainingData(("bootstrap", "cluster"), 70, counts, record["data"]["texts"])
    assert record["data"] == json.loads(json.dumps(asdict(data)))
    assert all(data.among([row["text"] for row in (*texts, *small.table("dev"))]))
    assert not any(data.among(small.table("pool")["text"][10:]))
    assert str(Path(tiny).parent) not in (tmp_path / "one" / "rarecase.json").read_text()


def record_of_two(release: Path, config: TrainConfig, folder: Path) -> dict:
    """The record of a model that was trained twice, the same bytes each time; it holds what the command printed."""
    measured = [train(str(release), replace(config, out=folder / name)) for name in ("one", "two")]
    written = [(folder / name / "rarecase.json").read_bytes() for name in ("one", "two")]
    assert written[0] == written[1]
    record = json.loads(written[0])
    assert record["format"] == 1
    assert (record["dev"], record["test"]) == (measured[0]["dev"], measured[0]["test"])
    assert record["test_digest"] == digest_of(small.table("test"))
    return record


def test_the_digest_of_a_test_set_goes_by_its_texts_and_labels_alone():
    test = small.table("test").select(range(5))
    known = digest_of(test)
    ids = test.map(lambda row: {"id": row["id"] + "x"}, load_from_cache_file=False)
    assert digest_of(ids.select([4, 2, 0, 1, 3])) == known
    for change in ({"text": "Which tyre fits?"}, {"label": 3}):
        changed = test.map(
            lambda row, new=change: new if row["id"] == test["id"][0] else {}, load_from_cache_file=False
        )
        assert digest_of(changed) != known
    assert digest_of(test.select(range(4))) != known


def test_a_fine_tuned_model_is_one_of_transformers(release, tmp_path, capsys):
    out = tmp_path / "guard"
    flags = ["--learner", "finetune", "--epochs", "1", "--out", str(out), "--format", "json"]
    assert command(["train", str(release), "--config-name", "bootstrap", *flags]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["train"] == 60
    assert accuracy(load_learner(out), small.table("test")) == pytest.approx(measured["test"]["accuracy"])
    config = json.loads((out / "config.json").read_text())
    assert [config["id2label"][str(i)] for i in range(len(NAMES))] == list(NAMES)


def test_what_share_of_the_texts_is_cut_is_said_once_and_the_length_is_recorded(release, tmp_path, capsys):
    out = tmp_path / "guard"
    assert command(["train", str(release), "--config-name", "bootstrap", "--max-length", "12", "--out", str(out)]) == 0
    says = r"\d\d % of 150 texts are longer than the 12 tokens that the model reads; .* is cut off\n"
    printed = capsys.readouterr()
    assert re.match(says, printed.err)
    told = "has the model, for `rarecase predict`; of finetune also for transformers"
    assert printed.err.splitlines()[1:] == [f"{out} {told}"]
    assert re.search(r"F1 self-harm +\d+\.\d  of \d+ texts\n", printed.out)
    assert json.loads((out / "rarecase.json").read_text())["settings"]["max_length"] == 12
    assert load_learner(out).reader().tokens == 12


def test_a_used_folder_and_a_missing_config_are_refused_before_any_work(release, tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").write_text("mine")
    with pytest.raises(RunFolderError, match="used exists and is not empty; name another --out"):
        train(str(release), TrainConfig(config_name="bootstrap", out=tmp_path / "used"))
    with pytest.raises(ConfigError, match="--config-name is empty"):
        train(str(release), TrainConfig(config_name=" , ", out=tmp_path / "out"))
    with pytest.raises(ConfigError, match="--out is missing"):
        train(str(release), TrainConfig(config_name="bootstrap"))
    assert [path.name for path in tmp_path.iterdir()] == ["used"]
