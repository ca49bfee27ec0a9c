"""An empty label store in either database."""

import pytest


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """The address of an empty store."""
    return str(tmp_path / "labels.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres")()
