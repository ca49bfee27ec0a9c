"""The files of a demo Space: a map without texts, and a folder that needs nothing beside the registry."""

import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import demo_spaces
import numpy as np
import pytest
import small
import yaml
from datasets import Dataset, concatenate_datasets
from small import NAMES

import rarecase
from rarecase.core.errors import DataError, RunFolderError
from rarecase.core.files import write_json
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.data.parquet import parquet_bytes, read_parquet
from rarecase.data.release import write_release
from rarecase.data.schema import GENERATED, conform, hash_of, texts
from rarecase.publish import demo_map, space
from rarecase.publish.demo import space_files
from rarecase.publish.demo_map import map_table, project

HOME = Path(rarecase.__file__).parent


def release(folder: Path, turned: bool = False) -> Path:
    """Two strategies that chose 30 posts each, ten of them in common, a start set, variations, and dev as the rest."""
    pool, start, dev = (conform(small.table(name), NAMES) for name in ("pool", "bootstrap", "dev"))
    varied = with_column(rows(pool, range(5)), "text", [f"{text} again" for text in texts(pool)[:5]])
    varied = with_column(varied, "origin", [GENERATED] * 5)
    varied = with_column(varied, "id", [f"{id_}-1" for id_ in varied["id"]])
    configs = {
        "bootstrap": {"train": start, "validation": dev},
        "random": {"train": rows(pool, range(30)), "validation": dev},
        "cluster": {"train": concatenate_datasets([varied, rows(pool, range(20, 50))]), "validation": dev},
    }
    if turned:
        configs = {
            name: {split: rows(table, range(len(table))[::-1]) for split, table in splits.items()}
            for name, splits in reversed(configs.items())
        }
    write_release(folder, configs, default="cluster", title="Posts")
    return folder


def by_strategy(points: Dataset) -> dict[str | None, list[dict]]:
    found = {name: [] for name in points["strategy"]}
    for row in points.to_list():
        found[row["strategy"]].append(row)
    return found


def test_the_map_of_a_run_has_what_each_round_chose_and_the_rest_of_the_pool():
    found = by_strategy(map_table(demo_spaces.run()))
    assert {name: len(points) for name, points in found.items()} == {"bootstrap": 60, "cluster": 20, None: 70}
    labels = concatenate_datasets(
        [read_parquet(demo_spaces.run() / "rounds" / number / "labels.parquet") for number in ("01", "02")]
    )
    chosen = {row["id"]: (NAMES[row["label"]], row["round"]) for row in labels.to_list()}
    assert {row["id"]: (row["label"], row["round"]) for row in found["cluster"]} == chosen
    # The labels and ids of what nobody chose are published nowhere else.
    assert {(row["id"], row["label"], row["round"]) for row in found[None]} == {(None, None, None)}


def test_the_map_of_a_release_has_the_texts_of_people_once_for_each_strategy(tmp_path):
    points = map_table(release(tmp_path / "data"))
    found = by_strategy(points)
    assert {name: len(some) for name, some in found.items()} == {
        "bootstrap": 60,
        "random": 30,
        "cluster": 30,
        None: 30,
    }
    assert {row["id"] for row in found["cluster"]} == set(small.table("pool")["id"][20:50])
    places = {name: {row["id"]: (row["x"], row["y"]) for row in some} for name, some in found.items()}
    both = places["random"].keys() & places["cluster"].keys()
    assert len(both) == 10
    assert all(places["random"][id_] == places["cluster"][id_] for id_ in both)
    assert {row["label"] for row in found[None]} <= set(NAMES)


def test_a_map_is_places_and_facts_and_no_text():
    points = map_table(demo_spaces.run())
    types = {name: feature.dtype for name, feature in points.features.items()}
    facts = {"id": "string", "label": "string", "strategy": "string", "round": "int32"}
    assert types == {"x": "float32", "y": "float32", **facts}


def test_the_same_rows_give_the_same_bytes_in_whatever_order(tmp_path):
    first = parquet_bytes(map_table(release(tmp_path / "one")))
    assert parquet_bytes(map_table(tmp_path / "one")) == first
    assert parquet_bytes(map_table(release(tmp_path / "other", turned=True))) == first


def test_only_so_much_of_the_rest_is_drawn_by_its_texts(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_map, "REST", 12)
    drawn = [by_strategy(map_table(release(tmp_path / str(turned), turned)))[None] for turned in (False, True)]
    assert [len(some) for some in drawn] == [12, 12]
    assert drawn[0] == drawn[1]
    assert len(by_strategy(map_table(demo_spaces.run()))[None]) == 12


def test_texts_of_one_class_lie_together():
    """The class of a text is that of most of its five neighbours, far oftener than by chance."""
    points = map_table(demo_spaces.run()).filter(lambda row: row["label"] is not None)
    places, labels = np.stack([matrix(points, axis) for axis in "xy"], 1), np.array(points["label"][:])
    away = ((places[:, None] - places[None]) ** 2).sum(-1)
    near = labels[np.argsort(away + np.diag([np.inf] * len(away)), axis=1)[:, :5]]
    shared = (near == labels[:, None]).mean()
    chance = (labels[:, None] == labels[None]).mean()
    assert shared > 1.5 * chance


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 40])
def test_few_texts_have_places_too(count):
    places = project(np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32))
    assert places.shape == (count, 2)
    assert places.dtype == np.float32
    assert np.isfinite(places).all()


def test_an_id_that_may_be_a_post_is_hashed(tmp_path):
    table = conform(Dataset.from_dict({"id": ["a-1", "I have had enough of all this"], "text": ["x", "y"]}), NAMES)
    labelled = with_column(table, "label", np.zeros(2, np.int64), table.features["label"])
    write_release(tmp_path / "data", {"odd": {"train": labelled}}, default="odd", title="Posts")
    first, second = map_table(tmp_path / "data")["id"]
    assert first == "a-1"
    assert re.fullmatch(r"[0-9a-f]{32}", second)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match="no run and no release"):
        map_table(tmp_path)
    write_json(tmp_path / "run.json", {"kind": "grid", "format": 1})
    with pytest.raises(RunFolderError, match="is the folder of a grid, expected a run"):
        map_table(tmp_path)


def test_the_package_goes_along_without_what_the_page_has_no_use_for():
    files = space_files(demo_spaces.run(), **demo_spaces.NAMED)
    others = {name for name in files if not name.startswith("rarecase/")}
    assert others == {"README.md", "app.py", "requirements.txt", "demo.json", "map.parquet"}
    modules = {f"rarecase/{path.relative_to(HOME).as_posix()}" for path in HOME.rglob("*.py")}
    pages = {f"rarecase/labeling/web/{name}" for name in ("label.html", "label.js", "settle.html", "style.css")}
    assert files.keys() > modules | {"rarecase/data/taxonomy.yaml", "rarecase/demo_space/demo.css"} | pages
    assert all(files[name].is_file() for name in files.keys() - others if isinstance(files[name], Path))


def test_what_lies_in_the_package_and_is_none_of_it_stays_here(tmp_path, monkeypatch):
    kept = {"__init__.py", "py.typed", "taxonomy.yaml", "app/page.html", "app/page.js", "app/page.css"}
    other = {"posts.csv", "posts.parquet", "notes.txt", ".env", "app/page.js.orig", "sample/pool.py"}
    for name in kept | other:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.setattr(rarecase, "__file__", str(tmp_path / "__init__.py"))
    assert set(space.package()) == {f"rarecase/{name}" for name in kept}


def test_what_was_taken_down_is_in_no_map(tmp_path):
    folder = release(tmp_path / "data")
    posts = small.table("pool")["id"]
    whole, of_run = map_table(folder), map_table(demo_spaces.run())
    left = map_table(folder, {hash_of(posts[25])})  # both strategies chose it
    assert len(left) == len(whole) - 2
    assert posts[25] not in left["id"][:]
    chosen = read_parquet(demo_spaces.run() / "rounds" / "01" / "labels.parquet")["id"][0]
    bootstrap = small.table("bootstrap")["id"][0]
    rest = next(id_ for id_ in posts if id_ not in of_run["id"][:])
    left = map_table(demo_spaces.run(), {hash_of(id_) for id_ in (chosen, bootstrap, rest)})
    assert len(left) == len(of_run) - 3
    assert {chosen, bootstrap}.isdisjoint(left["id"])


def test_no_text_of_the_data_is_in_the_space():
    run = demo_spaces.run()
    files = space_files(run, **demo_spaces.NAMED)
    everything = b"\n".join(c if isinstance(c, bytes) else c.read_bytes() for c in files.values()).decode(
        "utf-8", "replace"
    )
    everything += json.dumps(map_table(run).to_dict())
    tables = [*run.glob("*.parquet"), *(run / "data").rglob("*.parquet")]
    posts = {text for path in tables if path.name != "gold.parquet" for text in texts(read_parquet(path))}
    assert len(posts) > 250
    assert [text for text in posts if len(text) > 12 and text in everything] == []


def test_the_card_names_what_the_space_needs_and_shows():
    files = space_files(demo_spaces.run(), **demo_spaces.NAMED)
    head, card = files["README.md"].decode().removeprefix("---\n").split("\n---\n", 1)
    facts = yaml.safe_load(head)
    assert facts.pop("sdk_version").startswith("6.")
    assert re.fullmatch(r"3\.\d+", facts.pop("python_version"))
    assert facts == {
        "title": "acme/safety",
        "sdk": "gradio",
        "app_file": "app.py",
        "license": "apache-2.0",
        "models": ["acme/safety-guard"],
        "datasets": ["acme/safety"],
        "tags": ["rarecase", "active-learning", "content-moderation", "not-for-all-audiences"],
    }
    assert "**Content warning.**" in card
    assert "git clone https://huggingface.co/spaces/acme/safety-demo" in card
    assert json.loads(files["demo.json"]) == {"dataset": demo_spaces.SOURCE, "model": "acme/safety-guard@v1"}


def test_who_publishes_need_not_have_gradio(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(space, "version", missing)
    assert f"sdk_version: {space.GRADIO}" in space_files(demo_spaces.run(), **demo_spaces.NAMED)["README.md"].decode()


def test_a_space_without_a_model_names_none():
    files = space_files(demo_spaces.run(), **{**demo_spaces.NAMED, "model": None})
    head = yaml.safe_load(files["README.md"].decode().removeprefix("---\n").split("\n---\n", 1)[0])
    assert "models" not in head
    assert json.loads(files["demo.json"])["model"] is None


def test_the_requirements_are_those_of_the_package_and_all_from_the_registry():
    files = space_files(demo_spaces.run(), **demo_spaces.NAMED)
    lines = [line for line in files["requirements.txt"].read_text().splitlines() if not line.startswith("#")]
    project_file = Path(__file__).parents[2] / "pyproject.toml"
    project_ = tomllib.loads(project_file.read_text())["project"]
    assert set(lines) <= {*project_["dependencies"], *project_["optional-dependencies"]["app"]}
    assert "torch>=2.6" in lines
