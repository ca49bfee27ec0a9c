"""The labeling Space as it is published: what it holds, and that it runs."""

import contextlib
import json
import re
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import demo_spaces as spaces
import pytest
import yaml
from hub_server.server import bound
from huggingface_hub import HfApi, snapshot_download
from labeling_space import space_on

import rarecase
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import texts
from rarecase.labeling.store.settings import SpaceFile
from rarecase.publish.labeling import space_files

HOME = Path(rarecase.__file__).parent
FILE = SpaceFile({"store": "hf://datasets/acme/labeling-labels"})


def test_the_space_names_its_data_set_and_signs_people_in(folder):
    files = space_files(folder, "acme/labeling", FILE)
    assert json.loads(files["labeling.json"]) == {"store": "hf://datasets/acme/labeling-labels"}
    head, card = files["README.md"].decode().removeprefix("---\n").split("\n---\n", 1)
    facts = yaml.safe_load(head)
    assert facts.pop("sdk_version").startswith("6.")
    assert re.fullmatch(r"3\.\d+", facts.pop("python_version"))
    assert facts == {
        "title": "labeling",
        "sdk": "gradio",
        "app_file": "app.py",
        "hf_oauth": True,
        "license": "apache-2.0",
        "tags": ["rarecase", "not-for-all-audiences"],
    }
    assert "**Content warning.**" in card
    assert "--annotator people --store hf://datasets/acme/labeling-labels" in card


def test_the_package_goes_along(folder):
    files = space_files(folder, "acme/labeling", FILE)
    others = {name for name in files if not name.startswith("rarecase/")}
    assert others == {"README.md", "app.py", "requirements.txt", "labeling.json", "taxonomy.yaml"}
    assert {f"rarecase/{path.relative_to(HOME).as_posix()}" for path in HOME.rglob("*.py")} <= files.keys() - others


def test_the_requirements_are_those_of_the_package_and_all_from_the_registry(folder):
    lines = space_files(folder, "acme/labeling", FILE)["requirements.txt"].read_text().splitlines()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    known = {line.casefold() for line in (*project["dependencies"], *project["optional-dependencies"]["app"])}
    assert {line for line in lines if not line.startswith("#")} <= known


def test_who_publishes_needs_nothing_of_what_the_page_needs():
    script = (
        "import sys; import rarecase.publish.labeling; print({'sqlalchemy', 'gradio', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_no_text_of_the_data_is_in_the_space():
    run = spaces.run()
    files = space_files(run, "acme/labeling", FILE)
    contents = (content if isinstance(content, bytes) else content.read_bytes() for content in files.values())
    everything = b"\n".join(contents).decode("utf-8", "replace")
    posts = {
        text for path in run.glob("*.parquet") if path.name != "gold.parquet" for text in texts(read_parquet(path))
    }
    assert len(posts) > 150
    assert [text for text in posts if len(text) > 12 and text in everything] == []


@contextlib.contextmanager
def running(hub, folder: Path, log: Path, python: str = sys.executable, **environment: str) -> Iterator[str]:
    """The address of the Space while `python app.py` runs, as on the Hub; what it says goes to `log`."""
    held = bound()
    port = held.getsockname()[1]
    held.close()
    inherited = {name: value for name, value in hub.environment.items() if name != "PYTHONPATH"}
    space = {"SYSTEM": "spaces", "SPACE_ID": "acme/labeling", "GRADIO_SERVER_PORT": str(port)}
    sign_in = {"OAUTH_CLIENT_ID": "id", "OAUTH_CLIENT_SECRET": "secret", "OAUTH_SCOPES": "openid profile"}
    sign_in["OPENID_PROVIDER_URL"] = hub.url
    secrets = {key: about["value"] for key, about in space_on(hub).secrets.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "app.py"],
            cwd=folder,
            env={**inherited, **space, **sign_in, **secrets, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(1200):
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=10):
                break
            time.sleep(0.1)
        else:
            raise AssertionError(f"no answer within two minutes:\n{log.read_text()}")
        yield url
    finally:
        process.terminate()
        process.wait(60)


def published(publish, monkeypatch, tmp_path: Path) -> Path:
    """
    The Space as it stands on the Hub, in an empty folder, with one vote an item; carol, of the same organisation, gave
    it her token.
    """
    monkeypatch.setenv("SPACE_TOKEN", "hf_carol")
    status, _, err = publish()
    assert status == 0, err
    folder = Path(snapshot_download("acme/labeling", repo_type="space", local_dir=tmp_path / "space"))
    settings = json.loads((folder / "labeling.json").read_text())
    (folder / "labeling.json").write_text(json.dumps({**settings, "votes": 1}))
    return folder


def serves(hub, url: str) -> None:
    """Nobody gets in who is not signed in, and the Space has found its data set and written to it."""
    for path in ("/", "/config", "/settle/", "/gradio_api/info"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url + path, timeout=60)
        assert refused.value.code == 401
    for _ in range(600):
        files = HfApi().list_repo_files("acme/labeling-labels", repo_type="dataset")
        if any(path.startswith("events/") for path in files):  # its settings
            break
        time.sleep(0.1)
    else:
        raise AssertionError("nothing was written within a minute")
    assert {commit.title for commit in HfApi().list_repo_commits("acme/labeling-labels", repo_type="dataset")} >= {
        "Add events"
    }


def test_the_folder_alone_runs(fresh_hub, publish, monkeypatch, tmp_path):
    folder = published(publish, monkeypatch, tmp_path)
    with running(fresh_hub, folder, tmp_path / "log") as url:
        serves(fresh_hub, url)
    assert "hf_carol" not in (tmp_path / "log").read_text()


def test_it_does_not_run_without_roles(fresh_hub, publish, monkeypatch, tmp_path):
    folder = published(publish, monkeypatch, tmp_path)
    with (
        pytest.raises(AssertionError, match="RARECASE_ROLES lists who may label"),
        running(fresh_hub, folder, tmp_path / "log", RARECASE_ROLES=""),
    ):
        pass


@pytest.mark.slow
def test_the_folder_alone_runs_on_nothing_but_its_requirements(fresh_hub, publish, monkeypatch, tmp_path):
    folder = published(publish, monkeypatch, tmp_path)
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", "gradio[oauth]", "-r", "requirements.txt"]
    subprocess.run(command, cwd=folder, check=True)
    installed = subprocess.run([python, "-c", "import rarecase"], cwd=tmp_path, capture_output=True, text=True)
    assert "No module named 'rarecase'" in installed.stderr
    with running(fresh_hub, folder, tmp_path / "log", python) as url:
        serves(fresh_hub, url)
    subprocess.run([python, "-c", USES_ALL], cwd=folder, check=True)


USES_ALL = """
from rarecase.labeling.store.agreement import agreement
from rarecase.labeling.store.service import LabelService, Row
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.settings import Settings
service = LabelService(EventLog("labels.sqlite"))
service.add("b", ["x", "y"], [Row(str(n), str(n)) for n in range(4)])
service.start(Settings(votes=2, consensus="model"))
for person in ("ann", "bob"):
    while queue := service.queue(person).queue:
        service.vote(person, queue[0]["item"], "xy"[(person == "bob") ^ int(queue[0]["text"]) % 2])
assert len(service.decisions("b")) + len(service.to_review("eve")) == 4
with service.state() as state:
    votes = [{v.person: v.label for v in item.votes.values()} for item in state.items.values()]
assert agreement(votes, ["x", "y"]).alpha is not None
"""
