"""A label store in either database, and a clock that a test can set."""

import pytest
from voting import Clock

from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.service import LabelService


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """The address of an empty store."""
    return str(tmp_path / "labels.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres")()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(tmp_path, clock) -> LabelService:
    """A service over a file, with the clock of the test."""
    return LabelService(EventLog(str(tmp_path / "labels.sqlite"), clock=clock))
