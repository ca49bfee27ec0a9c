"""A run's folder, and the command that publishes its labeling Space."""

from pathlib import Path

import pytest
from labeling_space import ROLES, TOKEN

from rarecase.cli.main import command
from rarecase.data.taxonomy import Taxonomy
from rarecase.hub.errors import RETRY


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "run").mkdir()
    Taxonomy.default().save(tmp_path / "run" / "taxonomy.yaml")
    (tmp_path / "roles.yaml").write_text(ROLES)
    return tmp_path / "run"


@pytest.fixture
def publish(folder, monkeypatch, capsys):
    """The command; gives its exit status, what it printed, and what it said."""
    monkeypatch.setenv("SPACE_TOKEN", TOKEN)
    monkeypatch.setattr(RETRY, "wait", lambda seconds: None)
    flags = [
        "--repo",
        "acme/labeling",
        "--roles",
        str(folder.parent / "roles.yaml"),
        "--space-token-env",
        "SPACE_TOKEN",
    ]

    def publish(*more: str) -> tuple[int, str, str]:
        status = command(["publish", "labeling", str(folder), *flags, *more])
        return status, *capsys.readouterr()

    return publish
