"""From settings to objects: what they are made of, and whether they are still the same when a run goes on."""

import csv
from pathlib import Path

import pytest
import small
import tiny_models

from rarecase.acquire.strategy import needs
from rarecase.cli.main import command
from rarecase.core.errors import ConfigError, RunFolderError
from rarecase.data.parquet import read_parquet
from rarecase.data.sets import Sets
from rarecase.data.taxonomy import Taxonomy
from rarecase.learn.finetune import Finetune
from rarecase.runs import parts, session
from rarecase.runs.folder import Manifest
from rarecase.settings.config import MAY_CHANGE, RunConfig


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> list[str]:
    """The flags that name the four sets."""
    return small.write(tmp_path_factory.mktemp("sets"))


@pytest.mark.parametrize("settings", [{"updates": 500}, {"tune": True}])
def test_a_model_is_tried_by_one_epoch_over_one_text_however_long_it_is_to_learn(settings, monkeypatch):
    model = str(tiny_models.made()["google-bert/bert-base-cased"])
    config = RunConfig(learner="finetune", model=model, generator="none", **settings)
    fitted, fit = [], Finetune.fit
    monkeypatch.setattr(Finetune, "fit", lambda *tables: fitted.append(fit(*tables)) or fitted[-1])
    session.prepare(config, Sets(taxonomy=Taxonomy.default(), **small.tables()), [])
    (tried,) = fitted
    assert tried.describe().settings.items() >= {"epochs": 1, "epochs_run": 1}.items()


def test_the_texts_are_embedded_for_a_strategy_that_reads_that_of_the_labelled_rows_alone():
    strategy = needs("probs", labeled=["embedding"])(lambda pool, n, **_: pool)
    assert parts.needs_embedding(RunConfig(learner="finetune"), strategy)
    assert not parts.needs_embedding(RunConfig(learner="finetune"), needs("probs")(lambda pool, n, **_: pool))
    assert parts.needs_embedding(RunConfig(learner="frozen"))


@pytest.mark.parametrize(
    ("stop_when", "message"),
    [
        ("gian=0.3", r"--stop-when: unknown criterion 'gian'; did you mean 'gain'"),
        ("gain=0.3,stability=2", r"--stop-when stability: expected a number from 0 to 1"),
    ],
)
def test_a_wrong_stopping_criterion_names_its_flag(stop_when, message):
    with pytest.raises(ConfigError, match=message):
        parts.stopping_of(RunConfig(generator="none", stop_when=stop_when))


@pytest.mark.parametrize(("generator", "named"), [("local", "words-7b"), ("openai", "acme/words-7b")])
def test_a_language_model_is_published_by_the_name_that_its_rows_have(tmp_path, monkeypatch, generator, named):
    (tmp_path / "acme" / "words-7b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    config = RunConfig(generator=generator, generator_model="acme/words-7b", generator_url="http://127.0.0.1/v1")
    assert parts.acquired_by(config)["generator_model"] == named
    monkeypatch.chdir(tmp_path / "acme" / "words-7b")
    assert parts.acquired_by(RunConfig(generator="local", generator_model="."))["generator_model"] == "words-7b"


def variations_of(posts: Path, path: Path, text: str = "text", encoding: str = "utf-8") -> None:
    """Two variations of every post, for `replay`."""
    with posts.open(encoding=encoding, newline="") as file:
        lines = list(csv.DictReader(file))
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", text, "parent_id"])
        writer.writerows([f"{p['id']}-{i}", f"Said {i}: {p[text]}", p["id"]] for p in lines for i in (1, 2))


def test_variations_to_replay_that_were_edited_since_are_refused(tmp_path, sets, capsys):
    pool, table, out = Path(sets[sets.index("--pool") + 1]), tmp_path / "variations.csv", tmp_path / "out"
    variations_of(pool, table)
    replay = ["--generator", "replay", "--generator-data", str(table), "--variations", "2", "--policy", "none"]
    settings = ["--annotator", "gold", "--strategy", "random", "--budget", "4", "--batch", "4"]
    assert command(["run", *sets, *settings, *replay, "--out", str(out)]) == 0
    good = table.read_text(encoding="utf-8")
    table.write_text(good.replace("Said 1", "Said once"), encoding="utf-8")
    resume = ["run", "--resume", str(out), "--budget", "8"]
    assert command(resume) == 2
    assert f"what --generator-data {table} holds is not what it was begun with" in capsys.readouterr().err
    table.write_text(good, encoding="utf-8")
    assert command(resume) == 0
    assert len(read_parquet(out / "data" / "random" / "train.parquet")) == 8 * 3


@pytest.mark.parametrize("name", ["model", "encoder"])
def test_a_model_folder_whose_weights_are_others_is_refused(tmp_path, name):
    model, folder = tmp_path / "model", tmp_path / "out"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"one")
    config = RunConfig(**{name: str(model)}, generator="none")
    parts.manifest_of(folder, "run", config, MAY_CHANGE).write(folder)
    begun = Manifest.read(folder, "run")
    begun.require_same(folder, config, MAY_CHANGE, lambda: parts.inputs_of(config))
    (model / "model.safetensors").write_bytes(b"two")
    with pytest.raises(RunFolderError, match=f"what --{name} {model} holds is not what it was begun with"):
        begun.require_same(folder, config, MAY_CHANGE, lambda: parts.inputs_of(config))


@pytest.mark.parametrize("text", ["title", "text"], ids=["columns of the pool", "columns of a release"])
def test_variations_to_replay_have_the_columns_of_the_pool_or_those_of_a_release(tmp_path, text):
    sets = small.write(tmp_path)
    table = tmp_path / "variations.csv"
    if text == "text":
        variations_of(tmp_path / "pool.csv", table)
    for name in ("pool", "bootstrap", "dev", "test"):
        path = tmp_path / f"{name}.csv"
        path.write_text(path.read_text(encoding="utf-8").replace("text", "title", 1), encoding="utf-16")
    if text == "title":
        variations_of(tmp_path / "pool.csv", table, "title", "utf-16")
    else:
        table.write_text(table.read_text(encoding="utf-8"), encoding="utf-16")
    replay = ["--generator", "replay", "--generator-data", str(table), "--variations", "2", "--annotator", "gold"]
    replay += ["--policy", "none"]
    columns = ["--text-column", "title", "--encoding", "utf-16", "--strategy", "random", "--budget", "2"]
    assert command(["run", *sets, *replay, *columns, "--batch", "2", "--out", str(tmp_path / "out")]) == 0
    assert len(read_parquet(tmp_path / "out" / "data" / "random" / "train.parquet")) == 2 * 3


def test_a_certificate_that_came_later_does_not_make_another_model(tmp_path):
    (tmp_path / "head.json").write_text("{}")
    before = parts.digest_of_model(str(tmp_path))
    (tmp_path / "certificate.json").write_text("{}")
    assert parts.digest_of_model(str(tmp_path)) == before
    (tmp_path / "head.json").write_text("[]")
    assert parts.digest_of_model(str(tmp_path)) != before
