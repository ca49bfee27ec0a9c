"""The Space of a guard as it is published: what it holds, its secrets, and that it answers."""

import json
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import certified
import openai
import pytest
import small
from huggingface_hub import HfApi, snapshot_download
from places import ROOT

from rarecase.cli.main import command
from rarecase.hub.commit import Target, push
from rarecase.publish.model import publish_model

KEY, TOKEN = "sk-of-the-guard", "hf_carol"
SPACE = ["publish", "guard", "--repo", "acme/served", "--model", "acme/guard"]


@pytest.fixture
def model(fresh_hub, tmp_path, monkeypatch) -> str:
    """The commit of a private model on the Hub, and the environment that a publisher has."""
    monkeypatch.setenv("RARECASE_API_KEY", KEY)
    monkeypatch.setenv("SPACE_TOKEN", TOKEN)
    place = Target(kind="model", repo_id="acme/guard")
    return str(publish_model(small.model(tmp_path / "guard"), place, "apache-2.0").revision)


def secrets(hub) -> dict[str, str]:
    found = hub.app.state.repos["space", "acme/served"].secrets
    return {name: about["value"] for name, about in found.items()}


def test_the_space_has_its_secrets_and_a_dockerfile_and_answers(fresh_hub, model, tmp_path, capsys):
    assert command([*SPACE, "--space-token-env", "SPACE_TOKEN"]) == 0
    said = capsys.readouterr()
    assert KEY not in said.out + said.err
    assert TOKEN not in said.out + said.err
    assert "next:" not in said.err
    assert secrets(fresh_hub) == {"RARECASE_API_KEY": KEY, "HF_TOKEN": TOKEN}
    assert HfApi().space_info("acme/served").private
    assert HfApi().get_space_runtime("acme/served").stage == "BUILDING"
    folder = Path(snapshot_download("acme/served", repo_type="space", local_dir=tmp_path / "space"))
    assert {path.name for path in folder.iterdir() if path.is_file()} >= {
        "Dockerfile",
        "README.md",
        "requirements.txt",
    }
    card = (folder / "README.md").read_text()
    assert "sdk: docker" in card
    assert "app_port: 7860" in card
    assert "None of its thresholds is certified" in card
    dockerfile = (folder / "Dockerfile").read_text()
    assert f'ENV RARECASE_MODEL="acme/guard@{model}"' in dockerfile
    answers(fresh_hub, folder, dockerfile, tmp_path / "log")


@pytest.mark.parametrize("at", [None, 0.3])
def test_a_certificate_that_refuses_every_class_is_none(model, tmp_path, at):
    place = Target(kind="model", repo_id="acme/guard")
    publish_model(certified.write(tmp_path / "guard", {"self-harm": at}), place, "apache-2.0")
    assert command([*SPACE, "--space-token-env", "SPACE_TOKEN"]) == 0
    card = Path(snapshot_download("acme/served", repo_type="space", local_dir=tmp_path / "space")) / "README.md"
    assert ("None of its thresholds is certified" in card.read_text()) == (at is None)
    assert ("The model has a certificate" in card.read_text()) == (at is not None)


def answers(hub, folder: Path, dockerfile: str, log: Path) -> None:
    """Runs the last line of the Dockerfile in the folder alone, at another port, and asks it."""
    port = str(hub.port + 1)
    run = re.search(r"^CMD exec python (.*)$", dockerfile, re.M)
    named = re.search(r'RARECASE_MODEL="(.+)"', dockerfile)
    assert run
    assert named
    words = run[1].replace("7860", port).replace('"$RARECASE_MODEL"', named[1]).split()
    environment = {name: value for name, value in hub.environment.items() if name != "PYTHONPATH"} | secrets(hub)
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *words], cwd=folder, env=environment, stderr=output)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(1200):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"{url}/ready", timeout=10)
                break
            except OSError:
                time.sleep(0.1)
        client = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY)
        found = client.moderations.create(input=["How do I mend a tyre?"])
        assert found.model.startswith("acme/guard@")
        private = openai.OpenAI(base_url=f"{url}/v1", api_key=TOKEN, default_headers={"x-api-key": KEY})
        assert len(private.moderations.create(input=["a", "b"]).results) == 2
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/metrics", timeout=10)
    finally:
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM  # after an end in order
    assert TOKEN not in log.read_text()


def test_a_private_model_needs_a_token_and_every_guard_a_key(fresh_hub, model, monkeypatch, capsys):
    assert command(SPACE) == 2
    assert "--space-token-env NAME" in capsys.readouterr().err
    monkeypatch.delenv("RARECASE_API_KEY")
    assert command(SPACE) == 2
    assert "RARECASE_API_KEY is not set" in capsys.readouterr().err
    assert not HfApi().repo_exists("acme/served", repo_type="space")


@pytest.mark.parametrize("private", [True, False])
def test_a_space_that_is_another_or_public_gets_no_secret(fresh_hub, model, capsys, private):
    space = Target(kind="space", repo_id="acme/served", sdk="docker", public=not private)
    push(space, lambda _: {"Dockerfile": b"FROM scratch\n"}, "Mine")
    assert command([*SPACE, "--space-token-env", "SPACE_TOKEN", "--visibility", "protected"]) == 2
    says = "has Dockerfile, which rarecase did not write; name another" if private else "make it private first (`hf"
    said = capsys.readouterr().err
    assert says in said
    assert "--public" not in said, "which this command does not have"
    assert secrets(fresh_hub) == {}
    assert HfApi().space_info("acme/served").private == private


def test_a_dry_run_shows_the_files_and_makes_nothing(fresh_hub, model, capsys):
    assert command([*SPACE, "--space-token-env", "SPACE_TOKEN", "--dry-run", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert "Dockerfile" in json.dumps(shown)
    assert not HfApi().repo_exists("acme/served", repo_type="space")


def test_the_requirements_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = {*project["dependencies"], *project["optional-dependencies"]["serve"]}
    lines = (ROOT / "spaces" / "guard" / "requirements.txt").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} <= known
