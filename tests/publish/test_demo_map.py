"""The map of a demo Space: places, classes and strategies, without texts, the same for the same rows."""

import re
from pathlib import Path

import demo_spaces
import numpy as np
import pytest
import small
from datasets import Dataset, concatenate_datasets
from small import NAMES

from rarecase.core.errors import DataError, RunFolderError
from rarecase.core.files import write_json
from rarecase.data.arrow import matrix, rows, with_column
from rarecase.data.parquet import parquet_bytes, read_parquet
from rarecase.data.release import write_release
from rarecase.data.schema import GENERATED, conform, hash_of, texts
from rarecase.publish import demo_map
from rarecase.publish.demo_map import map_table, project


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


@pytest.fixture(scope="module")
def of_run() -> Dataset:
    """The map of a run."""
    return map_table(demo_spaces.run())


def test_the_map_of_a_run_has_what_each_round_chose_and_the_rest_of_the_pool(of_run):
    found = by_strategy(of_run)
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


def test_a_map_is_places_and_facts_and_no_text(of_run):
    types = {name: feature.dtype for name, feature in of_run.features.items()}
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


def test_texts_of_one_class_lie_together(of_run):
    """The class of a text is that of most of its five neighbours, far oftener than by chance."""
    points = of_run.filter(lambda row: row["label"] is not None)
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


def test_what_was_taken_down_is_in_no_map(tmp_path, of_run):
    folder = release(tmp_path / "data")
    posts = small.table("pool")["id"]
    whole = map_table(folder)
    left = map_table(folder, {hash_of(posts[25])})  # both strategies chose it
    assert len(left) == len(whole) - 2
    assert posts[25] not in left["id"][:]
    chosen = read_parquet(demo_spaces.run() / "rounds" / "01" / "labels.parquet")["id"][0]
    bootstrap = small.table("bootstrap")["id"][0]
    rest = next(id_ for id_ in posts if id_ not in of_run["id"][:])
    left = map_table(demo_spaces.run(), {hash_of(id_) for id_ in (chosen, bootstrap, rest)})
    assert len(left) == len(of_run) - 3
    assert {chosen, bootstrap}.isdisjoint(left["id"])
