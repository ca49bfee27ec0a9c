"""What the clients of the Hub raise, as one line that says what is at fault."""

import re

import pytest
from huggingface_hub import HfApi

from rarecase.core.errors import DiskFullError, HubError
from rarecase.hub.commit import Target, push
from rarecase.hub.errors import RETRY

DENIED = type("XetAuthenticationError", (PermissionError,), {"__module__": "hf_xet"})
XET = {  # hf_xet's errors have no number
    "file": (
        OSError("I/O error: I/O error: Permission denied (os error 13)"),
        "Permission denied (os error 13)); correct that and repeat the command (HF_HUB_DISABLE_XET=1 transfers",
    ),
    "token": (DENIED("Authentication error: http://x/?sign=1"), "failed (Authentication error); correct that"),
    "disk": (
        OSError("I/O error: I/O error: No space left on device (os error 28)"),
        "no space left on the disk; free",
    ),
    "silence": (TimeoutError("Timeout: after 60 s"), "acme/guard: the Hub cannot be reached (HF_ENDPOINT?); repeat"),
}


@pytest.mark.parametrize("error", XET)
def test_what_the_transfer_of_files_raises_is_no_answer(fresh_hub, monkeypatch, error):
    def fail(*_, **__):
        raise XET[error][0]

    monkeypatch.setattr(RETRY, "wait", lambda seconds: None)
    monkeypatch.setattr(HfApi, "create_commit", fail)
    with pytest.raises((HubError, DiskFullError), match=re.escape(XET[error][1])) as raised:
        push(Target(kind="model", repo_id="acme/guard"), lambda _: {"config.json": b"{}"}, "A guard")
    assert "sign=" not in str(raised.value)
