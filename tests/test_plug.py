"""`hf rarecase …`: the console script that `hf extensions install` looks for, found through the manifest it writes."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from huggingface_hub.cli.extensions import EXTENSIONS_ROOT, ExtensionManifest

BIN = Path(sys.executable).parent


def test_the_hub_s_command_line_finds_ours(tmp_path):
    manifest = ExtensionManifest(
        owner="acme",
        repo="hf-rarecase",
        repo_id="acme/hf-rarecase",
        short_name="rarecase",
        executable_path=str(BIN / "hf-rarecase"),
        type="python",
        installed_at=datetime.now(UTC),
    )
    manifest.save(tmp_path / EXTENSIONS_ROOT.relative_to("~") / "hf-rarecase")
    done = subprocess.run(
        [str(BIN / "hf"), "rarecase", "--help"],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: rarecase COMMAND" in done.stdout
    assert "publish" in done.stdout
