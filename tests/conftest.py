"""The environment of all tests, and what several of them share. The libraries read these variables at import."""

import atexit
import os
import shutil
import tempfile

import pytest
from hub import client, serving
from hub.server import bound

CACHE = tempfile.mkdtemp(prefix="rarecase-tests-")
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)

for name, value in {
    "HF_HUB_OFFLINE": "1",  # nothing here may depend on a Hub; a test that needs one asks for `fresh_hub`
    "HF_HOME": CACHE,  # what `load_dataset` caches goes with the tests
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(name, value)

# The clients in this process learn one address only, so it is settled here; a Hub comes to it when a test asks.
PORT = bound()
os.environ |= {**client.SETTINGS, "HF_ENDPOINT": f"http://127.0.0.1:{PORT.getsockname()[1]}"}


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    """A Hub for clients in processes of their own (`hub.environment`); it holds what earlier tests left there."""
    with serving(tmp_path_factory.mktemp("hub"), PORT.getsockname()[1]) as running:
        yield running


@pytest.fixture
def fresh_hub(hub):
    """The same Hub, emptied, and within reach of the clients in this process too."""
    hub.reset()
    with hub.in_process():
        yield hub
    assert not hub.crashes, hub.crashes
