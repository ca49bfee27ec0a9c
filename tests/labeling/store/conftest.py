"""A label store in a file or on the Hub, and a clock that a test can set."""

import pytest
from hub_store import NAMES, ROWS, URL
from voting import Clock

from rarecase.hub.errors import RETRY
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.label_store import LabelStore, open_store
from rarecase.labeling.store.service import LabelService
from rarecase.labeling.store.settings import Settings


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(tmp_path, clock) -> LabelService:
    """A service over a file, with the clock of the test."""
    return LabelService(EventLog(str(tmp_path / "labels.sqlite"), clock=clock))


@pytest.fixture
def machine(fresh_hub, tmp_path, monkeypatch):
    """Opens the store as a machine of this name does, whose disk stays; the waiting between attempts is cut."""
    monkeypatch.setattr(RETRY, "wait", lambda seconds: None)
    opened: list[LabelStore] = []

    def machine(name: str) -> LabelStore:
        monkeypatch.setenv("RARECASE_STORE", str(tmp_path / name))
        opened.append(open_store(URL))
        return opened[-1]

    yield machine
    for store in opened:
        store.service.log.close()


@pytest.fixture
def page(machine) -> LabelStore:
    """The page's machine, which knows a batch that another has put in."""
    loop = machine("loop")
    loop.service.add("4f1c", NAMES, ROWS)
    loop.sync()
    page = machine("page")
    page.service.start(Settings(votes=1))
    page.sync()
    return page
