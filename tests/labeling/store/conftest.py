"""A label store in either database, and a clock that a test can set."""

import pytest
from labelling import Clock

from rarecase.labeling.store.desk import Desk
from rarecase.labeling.store.log import Log


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """The address of an empty store."""
    return str(tmp_path / "labels.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres")()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(tmp_path, clock) -> Desk:
    """A desk over a file, with the clock of the test."""
    return Desk(Log(str(tmp_path / "labels.sqlite"), clock=clock))
