"""The environment of all tests, and what several of them share. The libraries read these variables at import."""

import os

for name, value in {
    "HF_HUB_OFFLINE": "1",  # nothing here may depend on a Hub; a test that runs one starts its client on its own
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}.items():
    os.environ.setdefault(name, value)
