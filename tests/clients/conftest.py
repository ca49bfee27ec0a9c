"""A guard that is served by `rarecase guard serve`, with a model that has learned from the sample."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import small
from client_environments import answers
from forks import RARECASE

KEY = "sk-of-the-guard"


@dataclass(frozen=True)
class Guard:
    """Where it is, and its key."""

    url: str
    key: str = KEY


@pytest.fixture(scope="session")
def guard(tmp_path_factory) -> Iterator[Guard]:
    """The guard, ready."""
    from rarecase.learn.frozen import Frozen

    folder = tmp_path_factory.mktemp("served") / "guard"
    learner = Frozen("packaged", small.NAMES, seed=0, encoder=small.encoder(), shared=True)
    learner.fit(small.table("pool", 400), small.table("dev")).save(folder)
    command = [RARECASE, "guard", "serve", folder, "--port", "0"]
    environment = {**os.environ, "RARECASE_API_KEY": KEY}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not (line := process.stderr.readline()).startswith("the guard is at "):
                assert line, "it ended"
            url = line.split()[-1]
            while not answers(f"{url}/ready"):
                time.sleep(0.1)
            yield Guard(url)
        finally:
            process.terminate()
