"""Clients of a guard, each installed from the registry in an environment of its own, and programs that run there."""

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from places import ROOT

# What the model of the tests decides clearly; the system prompt alone would be stopped.
CRY = "I cannot go on, I want to end my life tonight"
FINE = "What is a nice name for a cat?"
FLAGGED = "my landlord keeps the deposit, what can I do"
SYSTEM = "You help people. If somebody writes about suicide or self-harm, be kind and name a helpline."
HELP = "You do not have to go through this alone."

PROGRAMS = Path(__file__).parent / "clients" / "programs"
REQUIREMENTS = {
    "openai": ("openai>=3.40",),
    "huggingface": ("huggingface-hub>=2.0",),
    "langchain": ("langchain>=1.3", "langchain-openai>=1.3"),
    "litellm": ("litellm[proxy]>=1.108",),
}
# Nothing of the settings of this process, and nobody to ask but this machine.
SETTINGS = {
    "PATH": os.environ["PATH"],
    "PYTHONUNBUFFERED": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LANGSMITH_TRACING": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def environment(name: str) -> Path:
    """The folder of the commands of an environment; it is made once, and again where its requirements changed."""
    place = ROOT / ".venv-clients" / name
    made, wanted = place / "requirements.txt", "\n".join(REQUIREMENTS[name])
    if not made.exists() or made.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]]
        subprocess.run(pip, check=True)
        made.write_text(wanted)
    return place / "bin"


def printed(name: str, program: str, guard: str, key: str, texts: Sequence[str], **more: str) -> Any:
    """What one of the programs prints, as JSON, in the environment of its client."""
    command = [environment(name) / "python", PROGRAMS / program]
    given = {**SETTINGS, "GUARD": guard, "KEY": key, "TEXTS": json.dumps(texts), **more}
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(name, found["version"])
    return found


def of_page(title: str, guard: str) -> str:
    """A file of the page on serving, which asks the guard of a test."""
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf'^```\w+ title="{title}"\n(.*?)^```$', page, re.M | re.S)
    return block.replace("http://127.0.0.1:8000", guard)


def answers(url: str) -> bool:
    """Whether a GET there is answered well."""
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
        return True
    return False
