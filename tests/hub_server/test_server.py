"""The server as others start it: on its own, and for clients in processes of their own."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import hub_server as hub

CLIENT = """
import huggingface_hub.constants
from datasets import load_dataset
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("acme/x", repo_type="dataset", private=True)
rows = {"path_or_fileobj": b"text\\none\\ntwo", "path_in_repo": "train.csv"}
api.upload_file(**rows, repo_id="acme/x", repo_type="dataset")
print(api.whoami()["name"], load_dataset("acme/x", split="train")["text"][:], huggingface_hub.constants.HF_HOME)
"""


def test_a_client_in_a_process_of_its_own_needs_the_environment_alone(tmp_path):
    with hub.serving(tmp_path) as running:
        client = subprocess.run(
            [sys.executable, "-c", CLIENT], env=running.environment, capture_output=True, text=True, check=True
        )
        assert client.stdout.split("\n")[0] == f"alice ['one', 'two'] {running.home}"
        assert [line["status"] for line in running.log("/commit/main")] == [200]
        assert not running.crashes


def test_started_as_a_module_it_says_its_address_and_knows_the_users_it_is_told(tmp_path):
    users = tmp_path / "users.json"
    users.write_text(json.dumps({"hf_dora": {"name": "dora", "orgs": ["dolls"]}}))
    command = [
        sys.executable,
        "-m",
        "hub_server",
        "--port",
        "0",
        "--root",
        str(tmp_path / "hub"),
        "--users",
        str(users),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(hub.__file__).parents[1])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = f"{server.stdout.readline().strip()}/api/whoami-v2"
            asked = urllib.request.Request(url, headers={"Authorization": "Bearer hf_dora"})
            with urllib.request.urlopen(asked, timeout=30) as answer:
                told = json.load(answer)
        finally:
            server.kill()
    assert (told["name"], told["orgs"][0]["name"]) == ("dora", "dolls")
