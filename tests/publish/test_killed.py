"""
A push that is killed at any moment leaves a whole state, and the same command again ends as an undisturbed one.

    make kill

kills it at twenty moments drawn uniformly over a push that was measured, and prints what stood there after each.
"""

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import small
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import RepositoryNotFoundError
from small import NAMES

from rarecase.data.release import write_release
from rarecase.data.schema import conform
from rarecase.data.taxonomy import Taxonomy

RARECASE = Path(sys.executable).with_name("rarecase")
REPO = {"repo_id": "acme/safety", "repo_type": "dataset"}
KILLS = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    train, dev, test = (conform(small.table(name), NAMES) for name in ("pool", "dev", "test"))
    place = tmp_path_factory.mktemp("killed") / "data"
    configs = {name: {"train": train, "validation": dev, "test": test} for name in ("bootstrap", "cluster")}
    write_release(place, configs, default="cluster", title="Posts", taxonomy=Taxonomy.default())
    return place


def begin(hub, folder: Path) -> subprocess.Popen:
    flags = ["--license", "cc-by-4.0", "--tag", "v1", "--gated", "manual", "--public", "--yes"]
    command = [str(RARECASE), "publish", "dataset", str(folder), "--repo", "acme/safety", *flags]
    return subprocess.Popen(command, env=hub.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def standing() -> dict[str, bytes] | None:
    """What a reader gets; None before there is a repository."""
    try:
        sha = HfApi().dataset_info("acme/safety").sha
    except RepositoryNotFoundError:
        return None
    paths = set(HfApi().list_repo_files(**REPO, revision=sha)) - {".gitattributes"}
    return {path: Path(hf_hub_download(filename=path, **REPO, revision=sha)).read_bytes() for path in sorted(paths)}


def is_whole(files: dict[str, bytes]) -> bool:
    """Every file that release.json names is there, with the rows it says, and no other."""
    configs = json.loads(files["release.json"])["configs"].values()
    splits = {split["path"]: split["rows"] for config in configs for split in config["splits"].values()}
    found = {path: pq.read_table(io.BytesIO(data)).num_rows for path, data in files.items() if path[-8:] == ".parquet"}
    return found == splits and {"README.md", "class_counts.png"} <= set(files)


def killed(hub, folder: Path, after: float) -> str:
    """Kills one push, says what stood there, and sees that the next push ends it."""
    hub.reset()
    process = begin(hub, folder)
    time.sleep(after)
    process.kill()
    process.wait()
    found = standing()
    state = "no repository" if found is None else "whole" if found else "empty"
    if found:
        assert is_whole(found)
    if found is not None and not HfApi().dataset_info("acme/safety").private:
        assert found
        assert HfApi().list_repo_refs(**REPO).tags[0].name == "v1"
    again = begin(hub, folder)
    _, said = again.communicate()
    assert again.returncode == 0, said.decode()
    info = HfApi().dataset_info("acme/safety", revision="v1")
    assert (info.private, info.gated) == (False, "manual")
    assert len(HfApi().list_repo_commits(**REPO)) == 2
    return state


@pytest.mark.slow
def test_a_push_killed_at_twenty_moments(fresh_hub, folder):
    begun = time.perf_counter()
    process = begin(fresh_hub, folder)
    assert process.wait() == 0, process.stderr
    lasted = time.perf_counter() - begun
    whole = standing()
    moments = np.random.default_rng(0).uniform(0, lasted, KILLS)
    states = []
    for moment in sorted(moments):
        state = killed(fresh_hub, folder, moment)
        states.append(state)
        print(f"killed after {moment:.2f} of {lasted:.2f} s: {state}; the next push ended it")
        assert standing() == whole
    assert {"empty", "whole"} & set(states), f"no kill came once there was a repository: {states}"
