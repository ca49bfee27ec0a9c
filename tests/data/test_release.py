"""A release folder: read by `load_dataset` as it stands, whole or not at all, the same rows the same bytes."""

import json
import os
import re
import subprocess
import sys

import pytest
from datasets import ClassLabel, Dataset, concatenate_datasets, get_dataset_config_names, load_dataset

from rarecase.core.errors import ConfigError, DataError, MissingColumnError
from rarecase.data import schema
from rarecase.data.read.card import paths_in
from rarecase.data.release import Config, Release, write_release
from rarecase.data.taxonomy import Category, Taxonomy

NAMES = ("harmful", "odd", "not-harmful")


def split(prefix: str, rows: int) -> Dataset:
    columns = {
        "id": [f"{prefix}-{i}" for i in range(rows)],
        "text": [f"the {prefix} walk number {i}, along the river" * 4 for i in range(rows)],
        "label": [i % 2 * 2 for i in range(rows)],
    }
    return schema.conform(Dataset.from_dict(columns), NAMES)


@pytest.fixture
def configs() -> dict[str, dict[str, Dataset]]:
    dev, test = split("dev", 3), split("test", 5)
    return {
        "random": {"train": split("random", 4), "validation": dev, "test": test},
        "cluster": {"train": split("cluster", 7), "validation": dev, "test": test},
    }


@pytest.fixture
def load(tmp_path):
    return lambda folder, *name: load_dataset(str(folder), *name, cache_dir=str(tmp_path / "cache"))


def contents(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_load_dataset_reads_each_config_with_its_features(tmp_path, configs, load):
    write_release(tmp_path / "out", configs, default="cluster", title="Walks")
    for name, splits in configs.items():
        loaded = load(tmp_path / "out", name)
        assert list(loaded) == ["train", "validation", "test"]
        for part, dataset in splits.items():
            assert loaded[part].features == schema.features(NAMES)
            assert loaded[part].to_dict() == dataset.to_dict()
    assert isinstance(loaded["train"].features["reading"], ClassLabel)


def test_two_releases_of_one_name_are_not_mistaken_for_each_other(tmp_path, load):
    """With one cache and one clock tick: the same counts, sizes and settings, other labels."""
    for run, labels in {"one": [0, 2], "two": [2, 0]}.items():
        rows = schema.conform(Dataset.from_dict({"id": ["a", "b"], "text": ["x", "y"], "label": labels}), NAMES)
        write_release(tmp_path / run / "data", {"walks": {"train": rows}}, default="walks", title="Walks")
        assert load(tmp_path / run / "data", "walks")["train"]["label"][:] == labels


def test_a_bare_load_dataset_takes_the_default(tmp_path, configs, load):
    write_release(tmp_path / "out", configs, default="random", title="Walks")
    assert len(load(tmp_path / "out")["train"]) == 4


def test_the_default_all_lists_every_file_once_and_is_no_config_of_its_own(tmp_path, configs, load):
    write_release(tmp_path / "out", configs, default="all", title="Walks")
    assert get_dataset_config_names(str(tmp_path / "out")) == ["all", "random", "cluster"]
    together = load(tmp_path / "out")
    parts = [*configs["random"]["train"]["id"][:], *configs["cluster"]["train"]["id"][:]]
    assert together["train"]["id"][:] == parts
    assert {name: len(table) for name, table in together.items()} == {"train": 11, "validation": 3, "test": 5}
    assert together["train"].features == schema.features(NAMES)
    release = Release.read(tmp_path / "out" / "release.json")
    assert (release.default, list(release.configs)) == ("all", ["random", "cluster"])
    assert len([name for name in contents(tmp_path / "out") if name.endswith("parquet")]) == 4
    assert "| all |" not in (tmp_path / "out" / "README.md").read_text()
    assert paths_in(tmp_path / "out" / "README.md")["random"]["train"] == "random/train.parquet"


def test_a_split_that_all_configs_share_is_stored_once(tmp_path, configs):
    write_release(tmp_path / "out", configs, default="cluster", title="Walks")
    assert list(contents(tmp_path / "out")) == [
        "README.md",
        "cluster/train.parquet",
        "random/train.parquet",
        "release.json",
        "test.parquet",
        "validation.parquet",
    ]


def test_the_readme_counts_rows_and_classes_and_holds_no_text(tmp_path, configs):
    write_release(tmp_path / "out", configs, default="cluster", title="Walks")
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "# Walks" in readme
    assert "| config | split | rows | harmful | odd | not-harmful |" in readme
    assert "| cluster | train | 7 | 4 | 0 | 3 |" in readme
    assert "walk number" not in readme


def test_what_is_known_beside_the_rows_goes_along(tmp_path, configs):
    known = {"cluster": Config({"by": "run", "seed": 3}, defects=("2 rows repeat an earlier one",))}
    taxonomy = Taxonomy(tuple(Category(name, definition=f"what is {name}") for name in NAMES))
    write_release(tmp_path / "out", configs, default="cluster", title="Walks", taxonomy=taxonomy, known=known)
    release = json.loads((tmp_path / "out" / "release.json").read_text())
    assert (release["format"], release["default"], release["title"]) == (1, "cluster", "Walks")
    told = {
        "name": "harmful",
        "definition": "what is harmful",
        "source": "",
        "action": "flag",
        "message": "",
        "openai": "",
    }
    assert release["classes"][0] == told | {"message": "", "openai": ""}
    assert release["configs"]["cluster"]["acquired"] == {"by": "run", "seed": 3}
    nothing = {"acquired": None, "source": None, "source_states_no_license": False, "defects": [], "rounds": []}
    nothing |= {"variations": {}}
    assert list(release["configs"]["random"].items()) == list(nothing.items())


def test_release_json_is_read_as_it_was_written_and_checked_whole(tmp_path, configs):
    write_release(tmp_path / "out", configs, default="cluster", title="Walks")
    path = tmp_path / "out" / "release.json"
    release = Release.read(path)
    assert release.names == list(NAMES)
    assert release.dumps() == path.read_text()
    content = json.loads(path.read_text())
    for change, says in (
        ({"format": 2}, "format 2, expected 1"),
        ({"default": "other"}, "default names no config"),
        ({"default": "all", "configs": {}}, "default names no config"),
        ({"default": "a`b", "configs": {"a`b": {}}}, "'a`b' cannot name a config"),
        ({"classes": [{"name": "harmful"}]}, r"classes\[0\]: definition is missing"),
        ({"configs": {"cluster": {"defects": "none"}}}, r"configs\.\*\.defects: str, expected list"),
    ):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(DataError, match=f"release.json.*{says}"):
            Release.read(path)
    path.write_text("{")
    with pytest.raises(DataError, match=r"release\.json: invalid JSON"):
        Release.read(path)


def test_the_same_rows_give_the_same_bytes_however_the_tables_came_about(tmp_path):
    rows = split("train", 60_000)  # enough for row groups to depend on an indices mapping
    turned = rows.select(range(len(rows) - 1, -1, -1))
    tables = {
        "plain": rows,
        "selected": turned.select(range(len(rows) - 1, -1, -1)),
        "joined": concatenate_datasets([rows.select(range(100)), rows.select(range(100, len(rows)))]),
    }
    for name, table in tables.items():
        write_release(tmp_path / name, {"walks": {"train": table}}, default="walks", title="Walks")
    assert contents(tmp_path / "plain") == contents(tmp_path / "selected") == contents(tmp_path / "joined")


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path, configs):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep me")
    with pytest.raises(ConfigError, match=r"out: exists and is not empty"):
        write_release(tmp_path / "out", configs, default="cluster", title="Walks")
    with pytest.raises(ConfigError, match=r"mine\.txt: is a file"):
        write_release(tmp_path / "out" / "mine.txt", configs, default="cluster", title="Walks")
    assert contents(tmp_path) == {"out/mine.txt": b"keep me"}


def test_an_empty_folder_is_used(tmp_path, configs):
    (tmp_path / "out").mkdir()
    write_release(tmp_path / "out", configs, default="cluster", title="Walks")
    assert os.listdir(tmp_path) == ["out"]
    assert "README.md" in contents(tmp_path / "out")


def test_replace_takes_the_place_of_an_earlier_release_only(tmp_path, configs, load):
    write_release(tmp_path / "out", configs, default="cluster", title="Walks", replace=True)
    later = {"cluster": {"train": split("later", 2)}}
    write_release(tmp_path / "out", later, default="cluster", title="Walks", replace=True)
    assert list(contents(tmp_path / "out")) == ["README.md", "cluster/train.parquet", "release.json"]
    assert load(tmp_path / "out", "cluster")["train"]["id"][:] == ["later-0", "later-1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "out"]
    (tmp_path / "out" / "notes.txt").write_text("keep me")
    with pytest.raises(ConfigError, match=r"out: has notes\.txt, which no release has"):
        write_release(tmp_path / "out", later, default="cluster", title="Walks", replace=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "keep me"


STOPPED = """
import os, sys
from pathlib import Path
from rarecase.data.parquet import read_parquet
from rarecase.data.release import write_release
from rarecase.data.taxonomy import Category, Taxonomy

whole, out, call = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
dev, test = read_parquet(whole / "validation.parquet"), read_parquet(whole / "test.parquet")
configs = {
    name: {"train": read_parquet(whole / name / "train.parquet"), "validation": dev, "test": test}
    for name in ("random", "cluster")
}
original, calls = os.replace, []
def stop(*args):
    calls.append(args)
    os._exit(9) if len(calls) == call else original(*args)
os.replace = stop
write_release(out, configs, default="cluster", title="Walks", replace=True)
"""


# Six files are renamed into place, then the earlier folder away, then the new one in.
@pytest.mark.parametrize("call", [1, 3, 7, 8])
def test_a_kill_leaves_one_release_whole_and_the_next_call_clears_up(tmp_path, configs, call):
    earlier = {"cluster": {"train": split("earlier", 3)}}
    write_release(tmp_path / "whole", configs, default="cluster", title="Walks")
    write_release(tmp_path / "out", earlier, default="cluster", title="Walks")
    before = contents(tmp_path / "out")
    arguments = [str(tmp_path / "whole"), str(tmp_path / "out"), str(call)]
    stopped = subprocess.run([sys.executable, "-c", STOPPED, *arguments], check=False)
    assert stopped.returncode == 9
    left = {re.sub(r"\.\d+\.", ".PID.", path.name): contents(path) for path in tmp_path.iterdir()}
    if call == 8:  # between moving the earlier one away and the new one in
        assert left[".out.PID.tmp"] == left["whole"]
        assert left[".out.old"] == before
    else:
        assert left["out"] == before
    write_release(tmp_path / "out", configs, default="cluster", title="Walks", replace=True)
    assert {path.name for path in tmp_path.iterdir()} == {"out", "whole"}
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_an_error_in_between_leaves_the_earlier_release_and_nothing_else(tmp_path, configs):
    write_release(tmp_path / "out", configs, default="cluster", title="Walks")
    before = contents(tmp_path)
    broken = {"cluster": {"train": split("train", 2), "test": Dataset.from_dict({"id": ["a"]})}}
    with pytest.raises(MissingColumnError):
        write_release(tmp_path / "out", broken, default="cluster", title="Walks", replace=True)
    assert contents(tmp_path) == before
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("data", "train"), "'data' cannot name a config"),
        (("all", "train"), "'all' cannot name a config"),
        (("my:function", "train"), "'my:function' cannot name a config"),
        (("../up", "train"), "cannot name a config"),
        (("cluster", "dev-set"), "'dev-set' cannot name a split of 'cluster'"),
        (("random", "train"), "the default config 'cluster' is none of random"),
    ],
)
def test_names_that_load_dataset_cannot_take_are_refused_before_anything_is_written(tmp_path, names, says):
    config, part = names
    with pytest.raises(ConfigError, match=says):
        write_release(tmp_path / "out", {config: {part: split("train", 2)}}, default="cluster", title="Walks")
    assert not list(tmp_path.iterdir())
