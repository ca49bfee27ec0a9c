"""What a process needs to be a client of the test Hub. The libraries read it at import, so this imports nothing."""

import os

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE")
SETTINGS = {
    "HF_HUB_DISABLE_XET": "1",  # the server takes large files by LFS alone, and the clients don't fall back to it
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "DISABLE_SAFETENSORS_CONVERSION": "1",  # else pickled weights make a call to the outside, with the token
    "NO_PROXY": "127.0.0.1,localhost",
}


def environment(url: str, token: str, home: str) -> dict[str, str]:
    """This process's environment, as a client's of the Hub at `url`."""
    inherited = {name: value for name, value in os.environ.items() if name not in OFFLINE}
    return {**inherited, **SETTINGS, "HF_ENDPOINT": url, "HF_TOKEN": token, "HF_HOME": home}
