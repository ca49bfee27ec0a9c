"""The environment of all tests, and what several of them share. The libraries read these variables at import."""

import atexit
import os
import shutil
import tempfile

CACHE = tempfile.mkdtemp(prefix="rarecase-tests-")
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)

for name, value in {
    "HF_HUB_OFFLINE": "1",  # nothing here may depend on a Hub; a test that runs one starts its client on its own
    "HF_HOME": CACHE,  # what `load_dataset` caches goes with the tests
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(name, value)
