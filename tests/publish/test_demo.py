"""The files of a demo Space: a folder that needs nothing beside the registry, and has no text of the data."""

import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import demo_spaces
import pytest
import yaml

import rarecase
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import texts
from rarecase.hub.commit import Files
from rarecase.publish import space
from rarecase.publish.demo import space_files

HOME = Path(rarecase.__file__).parent


@pytest.fixture(scope="module")
def files() -> Files:
    """The Space of a run."""
    return space_files(demo_spaces.run(), **demo_spaces.NAMED)


def test_the_package_goes_along_without_what_the_page_has_no_use_for(files):
    others = {name for name in files if not name.startswith("rarecase/")}
    assert others == {"README.md", "app.py", "requirements.txt", "demo.json", "map.parquet"}
    modules = {f"rarecase/{path.relative_to(HOME).as_posix()}" for path in HOME.rglob("*.py")}
    pages = {f"rarecase/labeling/web/{name}" for name in ("label.html", "label.js", "settle.html", "style.css")}
    data = {f"rarecase/{name}" for name in ("data/taxonomy.yaml", "demo_space/demo.css", "experiment/paper.csv")}
    assert files.keys() > modules | data | pages
    assert all(files[name].is_file() for name in files.keys() - others if isinstance(files[name], Path))


def test_what_lies_in_the_package_and_is_none_of_it_stays_here(tmp_path, monkeypatch):
    kept = {"__init__.py", "py.typed", "taxonomy.yaml", "app/page.html", "app/page.js", "app/page.css"}
    kept.add("experiment/paper.csv")
    other = {"posts.csv", "posts.parquet", "notes.txt", ".env", "app/page.js.orig", "sample/pool.py"}
    for name in kept | other:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.setattr(rarecase, "__file__", str(tmp_path / "__init__.py"))
    assert set(space.package()) == {f"rarecase/{name}" for name in kept}


def test_no_text_of_the_data_is_in_the_space(files, tmp_path):
    run = demo_spaces.run()
    everything = b"\n".join(c if isinstance(c, bytes) else c.read_bytes() for c in files.values()).decode(
        "utf-8", "replace"
    )
    (tmp_path / "map.parquet").write_bytes(files["map.parquet"])
    everything += json.dumps(read_parquet(tmp_path / "map.parquet").to_dict())
    tables = [*run.glob("*.parquet"), *(run / "data").rglob("*.parquet")]
    posts = {text for path in tables if path.name != "gold.parquet" for text in texts(read_parquet(path))}
    assert len(posts) > 250
    assert [text for text in posts if len(text) > 12 and text in everything] == []


def test_the_card_names_what_the_space_needs_and_shows(files):
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
    assert re.findall(r"^- \*\*(.*?)\*\*", card, re.MULTILINE) == ["Try it", "Map", "Results", "Variations"]
    assert "git clone https://huggingface.co/spaces/acme/safety-demo" in card
    assert json.loads(files["demo.json"]) == {"dataset": demo_spaces.SOURCE, "model": "acme/safety-guard@v1"}


def test_who_publishes_need_not_have_gradio(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(space, "version", missing)
    assert f"sdk_version: {space.GRADIO}" in space_files(demo_spaces.run(), **demo_spaces.NAMED)["README.md"].decode()


def test_a_space_without_a_model_names_none():
    files = space_files(demo_spaces.run(), **{**demo_spaces.NAMED, "model": None}, rounds=False)
    head = yaml.safe_load(files["README.md"].decode().removeprefix("---\n").split("\n---\n", 1)[0])
    assert "models" not in head
    card = files["README.md"].decode()
    assert not [said for said in ("**Try it**", "The model makes", "after each round", "Each figure") if said in card]
    assert "- **Results**: how many texts of each class there are.\n" in card
    assert json.loads(files["demo.json"])["model"] is None


def test_the_requirements_are_those_of_the_package_and_all_from_the_registry(files):
    lines = [line for line in files["requirements.txt"].read_text().splitlines() if not line.startswith("#")]
    project_file = Path(__file__).parents[2] / "pyproject.toml"
    project_ = tomllib.loads(project_file.read_text())["project"]
    assert set(lines) <= {*project_["dependencies"], *project_["optional-dependencies"]["app"]}
    assert "torch>=2.6" in lines
