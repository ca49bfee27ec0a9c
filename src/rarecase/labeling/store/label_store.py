"""A label store by its address: a database, or a data set repository of the Hub with a database before it."""

import contextlib
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rarecase.core.errors import ConfigError, DataError, HubError, RarecaseError
from rarecase.core.installed import needs

if TYPE_CHECKING:
    from rarecase.labeling.store.service import LabelService
    from rarecase.labeling.store.sync import EventFiles

Push = Callable[..., object] | None  # instead of `rarecase.hub.commit.push`
EVERY = 30.0  # seconds between two synchronisations with the Hub, which takes 128 commits an hour to one repository
MAX_EVERY = 60.0  # seconds, while they fail
MAX_JOIN = 20.0  # seconds to wait at the end for one that is under way


class LabelStore:
    """Where labels by people are kept; `trouble` is why the last synchronisation failed, or empty."""

    def __init__(self, service: "LabelService", files: "EventFiles", repo_id: str | None = None, push: Push = None):
        self.service = service
        self.files = files
        self.trouble = ""
        self._repo_id = repo_id
        self._push = push
        self._syncing = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._report: Callable[[str], None] = lambda trouble: None

    def sync(self) -> None:
        """Uploads what is new and reads what others wrote, see `repository.exchange`; not for a database."""
        if self._repo_id:
            from rarecase.labeling.store.repository import exchange  # slow to import

            with self._syncing:
                exchange(self._repo_id, self.files, self._push)

    def start_syncing(
        self, report: Callable[[str], None] = lambda trouble: None, wait: Callable[[float], bool] | None = None
    ) -> None:
        """
        Synchronises in the background, whatever fails, until the store is closed, or `wait`, for so many seconds, says
        to stop; `report` is given each new `trouble`, empty where there is none any more.
        """
        self._report = report
        if self.trouble:
            self._report_trouble()
        if self._repo_id and not self._thread:
            arguments = (wait or self._closed.wait,)
            self._thread = threading.Thread(target=self._keep_syncing, args=arguments, daemon=True)
            self._thread.start()

    def _report_trouble(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the log of the server may be full, or closed
            self._report(self.trouble)

    def _keep_syncing(self, wait: Callable[[float], bool]) -> None:
        failures = 0
        while True:
            before = self.trouble
            try:
                self.sync()
                self.trouble, failures = "", 0
            except Exception as error:  # whatever it is, the next attempt may succeed, and people label meanwhile
                self.trouble = str(error) if isinstance(error, RarecaseError) else type(error).__name__
                failures += 1
            if self.trouble != before:
                self._report_trouble()
            if wait(min(2.0 ** min(failures, 6), MAX_EVERY) if failures else EVERY):
                return

    def unflushed(self) -> int:
        """How many votes and reviews would be lost with this machine's disk."""
        return self.files.unflushed() if self._repo_id else 0

    def close(self) -> None:
        """Uploads what is left, if the Hub answers, and closes the log."""
        self._closed.set()
        if self._thread:
            self._thread.join(MAX_JOIN)
        if self._repo_id and not self.trouble and self.files.pending():
            with contextlib.suppress(RarecaseError):  # it stays in the log here, and goes the next time
                self.sync()
        self.service.log.close()


def open_store(address: str, push: Push = None) -> LabelStore:
    """
    Opens the label store at a file or folder, `sqlite:///…`, `postgresql://…` or `hf://datasets/OWNER/NAME`.

    One on the Hub has its log in the folder that RARECASE_STORE names, else under `HF_HOME`; what the Hub has of it is
    fetched first, and where the Hub does not answer, a `HubError` is raised only if nothing of the store is known
    here.

    Example:
        >>> open_store("labels.sqlite").service.decisions("4f1c")  # of a batch that nobody has added yet
        []
    """
    if not address:
        raise ConfigError("--store is empty; expected a file, postgresql://… or hf://datasets/OWNER/NAME")
    with needs("app", "--store"):  # not the address: it may contain a password, and what removes that is not installed
        from rarecase.labeling.store.events import EventLog
        from rarecase.labeling.store.service import LabelService
        from rarecase.labeling.store.sync import EventFiles

    repo_id = None
    if address.startswith("hf://"):
        match = re.fullmatch(r"hf://datasets/([\w.-]+/[\w.-]+)", address)
        if not match:
            raise ConfigError(f"--store {address}: expected hf://datasets/OWNER/NAME, a file, or postgresql://…")
        repo_id, address = match[1], str(_local_log(match[1]))
    service = LabelService(EventLog(address))
    store = LabelStore(service, EventFiles(service), repo_id, push)
    try:
        store.sync()
    except HubError as error:
        if not store.files.has_events():
            service.log.close()
            raise
        store.trouble = str(error)
    return store


def _local_log(repo_id: str) -> Path:
    from huggingface_hub import constants

    home = os.environ.get("RARECASE_STORE")
    path = Path(home or Path(constants.HF_HOME, "rarecase", "labels"), f"{repo_id.replace('/', '--')}.sqlite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path.parent}: cannot be written ({error.strerror}); name another RARECASE_STORE") from None
    return path
