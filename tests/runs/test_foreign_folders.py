"""A run folder of somebody else: it brings no code, no permission and no way out of itself, and is read soon."""

import json
import os
import re

import pytest
import small
from hostile_server import HostileServer, answer

from rarecase.cli.main import command
from rarecase.core.errors import ConfigError, DataError, RunFolderError
from rarecase.core.files import digest, read_json, write_text
from rarecase.data.parquet import read_parquet
from rarecase.evaluate.record import RoundRecord
from rarecase.runs.annotation import with_store_of_start
from rarecase.runs.folder import stored_sets
from rarecase.settings.config import RunConfig


@pytest.fixture
def folder(tmp_path):
    """What a folder needs to be taken for that of a run."""
    manifest = {"kind": "run", "format": 1, "strategy": "random", "settings": {}, "data": ""}
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "run.json").write_text(json.dumps(manifest))
    return tmp_path / "got"


def test_code_that_a_folder_names_does_not_run_until_it_is_named_again(folder, refused, monkeypatch):
    (folder / "evil.py").write_text(f"open({str(folder / 'written')!r}, 'w')\n\ndef f(pool, n, **_):\n    pass\n")
    (folder / "config.yaml").write_text("strategy: got.evil:f\n")
    monkeypatch.chdir(folder.parent)
    assert "its strategy 'got.evil:f' is code outside rarecase; name it by --strategy" in refused(
        "run", "--resume", "got"
    )
    assert not (folder / "written").exists()


def test_a_file_of_settings_that_is_named_permits_what_a_folder_does_not(folder, refused, monkeypatch):
    (folder / "config.yaml").write_text("strategy: got.evil:f\nannotator: people\nstore: ../elsewhere.sqlite\n")
    own = {"strategy": "random", "store": "own.sqlite", "pool": "absent.csv", "report_to": "wandb"}
    (folder.parent / "own.yaml").write_text(json.dumps(own))
    monkeypatch.setattr("rarecase.settings.checks.find_spec", lambda name: None)
    line = refused("run", "--resume", "got", "--config", "own.yaml")
    assert "--report-to wandb: the package wandb is not installed" in line
    (folder.parent / "own.yaml").write_text(json.dumps({**own, "report_to": None}))
    assert "was begun without --pool, not absent.csv" in refused("run", "--resume", "got", "--config", "own.yaml")


def test_a_dry_run_imports_no_code_that_only_a_file_names(tmp_path, refused):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'written')!r}, 'w')\n")
    for name in ("evil:f", "anchors-evil:f"):
        (tmp_path / "got.yaml").write_text(f"strategy: {name}\n")
        line = refused("run", "--config", "got.yaml", "--dry-run", "--generator", "none")
        assert f"got.yaml: a dry run imports no code that only a file names; name '{name}' by --strategy" in line
    assert not (tmp_path / "written").exists()


ELSEWHERE = [
    "mine.sqlite",
    "got/../mine.sqlite",
    "postgresql://192.0.2.1/x",
    "hf://datasets/eve/labels",
    "file:mine.sqlite?uri=true",
]


@pytest.mark.parametrize("store", ELSEWHERE, ids=str)
def test_a_store_elsewhere_that_a_folder_names_is_not_opened_until_it_is_named_again(folder, refused, store):
    settings = json.dumps({"annotator": "people", "store": store})  # JSON is YAML too
    (folder / "config.yaml").write_text(settings)
    line = f"got: its label store {store} is outside of that folder, which may be somebody else's; name it by --store"
    assert line in refused("run", "--resume", "got")
    (folder / "run.json").write_text(json.dumps({"kind": "start", "format": 1}))
    assert line in refused("start", "--resume", "got")
    with pytest.raises(ConfigError, match=re.escape(line)):  # of `run --start got`: what it names is not named
        with_store_of_start(RunConfig(start="got", annotator="people"))
    assert sorted(path.name for path in folder.parent.iterdir()) == ["got"]


def test_the_store_of_the_start_is_known(folder, refused):
    begun = folder.parent / "begun"
    begun.mkdir()
    settings = {"annotator": "people", "store": "begun/labels.sqlite", "start": "begun"}
    (folder / "config.yaml").write_text(json.dumps(settings))
    assert "its label store begun/labels.sqlite is outside" in refused("run", "--resume", "got")  # no start
    (begun / "run.json").write_text(json.dumps({"kind": "start", "format": 1}))
    assert "is outside" not in refused("run", "--resume", "got")
    (folder / "config.yaml").write_text(json.dumps(settings | {"store": "begun/mine.sqlite"}))
    assert "its label store begun/mine.sqlite is outside" in refused("run", "--resume", "got")


def test_what_sqlite_reads_as_an_address_is_no_file_in_the_folder(folder, refused, monkeypatch):
    (folder / "config.yaml").write_text("store: file:../mine.sqlite?uri=true\n")
    monkeypatch.chdir(folder)
    assert ".: its label store file:../mine.sqlite?uri=true is outside" in refused("run", "--resume", ".")
    assert not (folder.parent / "mine.sqlite").exists()


def test_a_link_out_of_a_folder_in_place_of_its_store_is_not_followed(folder, refused):
    (folder.parent / "mine.sqlite").touch()
    (folder / "labels.sqlite").symlink_to(folder.parent / "mine.sqlite")
    (folder / "config.yaml").write_text("annotator: people\n")
    assert "got/labels.sqlite: a link that leads out of got; copy" in refused("run", "--resume", "got")
    assert (folder.parent / "mine.sqlite").stat().st_size == 0


def test_posts_and_key_go_to_no_host_that_only_the_folder_permits(tmp_path, refused, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    out = str(tmp_path / "out")
    with HostileServer(lambda request: answer(b'{"data": []}')) as here:
        asked = ["--generator", "openai", "--generator-url", f"{here.address}/v1", "--generator-model", "words"]
        begin = ["run", *small.write(tmp_path), *asked, "--strategy", "random", "--budget", "4", "--batch", "4"]
        assert command([*begin, "--out", out]) == 0  # it waits for labels
    config = tmp_path / "out" / "config.yaml"
    config.write_text(re.sub("(?m)^(generator_url|send_to):.*\n", "", config.read_text()))
    with config.open("a") as file:
        file.write("generator_url: http://192.0.2.2/v1\nsend_to: 192.0.2.2\n")
    assert "posts would leave this machine for 192.0.2.2; add --send-to" in refused("run", "--resume", out)


def test_nothing_is_written_through_a_link_that_lies_where_a_file_is_made(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / ".report.md.tmp").symlink_to(tmp_path / "mine.txt")
    write_text(tmp_path / "report.md", "new")
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / "report.md").read_text() == "new"
    assert not (tmp_path / "report.md").is_symlink()


def test_a_link_out_of_a_folder_is_not_followed(folder, refused):
    (folder / "run.json").write_text(json.dumps({"kind": "start", "format": 1}))
    (folder.parent / "mine").mkdir()
    (folder / "deep").mkdir()
    (folder / "deep" / "rounds").symlink_to("../../mine")
    assert "got/deep/rounds: a link that leads out of got; copy" in refused("start", "--resume", "got")
    assert not list((folder.parent / "mine").iterdir())


def test_vectors_that_are_no_file_are_damaged(tmp_path):
    (tmp_path / "embeddings.safetensors").symlink_to("/dev/null")
    with pytest.raises(RunFolderError, match=r"embeddings\.safetensors: damaged"):
        stored_sets(tmp_path)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "metrics.json")
    with pytest.raises(DataError, match=r"metrics\.json: cannot be read \(not a file\)"):
        read_json(tmp_path / "metrics.json")
    os.mkfifo(tmp_path / "test.parquet")
    with pytest.raises(DataError, match=r"test\.parquet: not a file"):
        read_parquet(tmp_path / "test.parquet")
    assert digest([tmp_path / "test.parquet"]) == digest([tmp_path / "absent"])


def test_pipes_are_no_settings_and_no_tables(tmp_path, refused):
    for name in ("config.yaml", "pool.csv"):
        os.mkfifo(tmp_path / name)
    assert "config.yaml: not a file" in refused("start", "--config", tmp_path / "config.yaml", "--out", "out")
    assert "pool.csv: not a file" in refused("pool", tmp_path / "pool.csv", "--out", "pool.parquet")


CHANGES = {
    "a class less": lambda record: record["found"].clear(),
    "another class": lambda record: record["test"]["f1"].update(more=0.0),
    "no class": lambda record: [part.clear() for part in (record["class_counts"], record["found"])],
    "a number without end": lambda record: record.update(labels=10**400),
    "what a terminal obeys": lambda record: [
        part.update({"\x1b]0;x\x07": 0})
        for part in (record["class_counts"], record["found"], record["dev"]["f1"], record["test"]["f1"])
    ],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_record_that_contradicts_itself_is_damaged(change, tmp_path):
    counted, scores = {"a": 1, "b": 2}, {"accuracy": 50.0, "macro_f1": 50.0, "f1": {"a": 50.0, "b": 50.0}}
    record = {
        "round": 1, "chosen": ["x"], "labels": 1, "class_counts": {**counted}, "class_count_std": 0.5,
        "found": {**counted}, "dev": json.loads(json.dumps(scores)), "test": json.loads(json.dumps(scores)),
    }  # fmt: skip
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(record))
    RoundRecord.read(path)
    CHANGES[change](record)
    path.write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"it was changed, or is damaged|not readable JSON"):
        RoundRecord.read(path)
