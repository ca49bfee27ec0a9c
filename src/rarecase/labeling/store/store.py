"""A label store by its address: a database, or a data set repository of the Hub with a database before it."""

import contextlib
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from rarecase.core.errors import ConfigError, DataError, HubError, RarecaseError
from rarecase.labeling.store.desk import Desk
from rarecase.labeling.store.hub import Ledger
from rarecase.labeling.store.log import Log

# Seconds between two exchanges with the Hub, which takes 128 commits an hour to one repository.
EVERY = 30.0
LONGEST = 60.0  # seconds, after trouble that goes on
PARTING = 20.0  # seconds that an exchange under way is waited for at the end


class Store:
    """
    Where labels by people are kept.

    Args:
        desk (`Desk`): who gets what, and what was decided.
        repo_id (`str`, *optional*): the data set repository that the desk's log is shared through.

    Attributes:
        trouble (`str`): why the last exchange in the background failed, in one line; empty where it did not.
    """

    def __init__(self, desk: Desk, repo_id: str | None = None):
        self.desk = desk
        self.trouble = ""
        self._repo_id = repo_id
        self._ledger = Ledger(desk)
        self._exchanging = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def sync(self) -> None:
        """
        Brings what is new to where others read it, and fetches what they wrote; nothing to do in a database.

        Raises:
            `HubError`: where the Hub refuses or does not answer; nothing is lost, and the next call goes on.
        """
        if self._repo_id:
            from rarecase.labeling.store.exchange import (
                exchange,  # the one folder that writes to the Hub, and a slow import
            )

            with self._exchanging:
                exchange(self._repo_id, self._ledger)

    def start_syncing(self, wait: Callable[[float], bool] | None = None) -> None:
        """
        Syncs in the background until the store is closed, and through all trouble; nothing to do in a database.

        Args:
            wait (`Callable`, *optional*): waits for so many seconds, and says whether to stop; for tests.
        """
        if self._repo_id and not self._thread:
            arguments = (wait or self._closed.wait,)
            self._thread = threading.Thread(target=self._keep_syncing, args=arguments, daemon=True)
            self._thread.start()

    def unflushed(self) -> int:
        """How many votes and verdicts are not yet where they outlast this machine's disk."""
        return self._ledger.unflushed() if self._repo_id else 0

    def close(self) -> None:
        """Sends what is left, if the Hub answers, and gives connections back."""
        self._closed.set()
        if self._thread:
            self._thread.join(PARTING)
        if self._repo_id and not self.trouble and self._ledger.waiting():
            with contextlib.suppress(RarecaseError):  # it stays in the log here, and goes the next time
                self.sync()
        self.desk.log.close()

    def _keep_syncing(self, wait: Callable[[float], bool]) -> None:
        failures = 0
        while True:
            try:
                self.sync()
                self.trouble, failures = "", 0
            except Exception as error:  # whatever it is, the next attempt may succeed, and people label meanwhile
                self.trouble = str(error) if isinstance(error, RarecaseError) else type(error).__name__
                failures += 1
            if wait(min(2.0 ** min(failures, 6), LONGEST) if failures else EVERY):
                return


def open_store(url: str) -> Store:
    """
    Opens a label store.

    One on the Hub has its log in the folder that the environment variable RARECASE_STORE names, else under `HF_HOME`;
    what the Hub has of it is fetched first.

    Args:
        url (`str`): a file or folder, `sqlite:///…`, `postgresql://…`, or `hf://datasets/OWNER/NAME`.

    Raises:
        `ConfigError`: where nothing can be opened there.
        `HubError`: where the Hub does not answer, and nothing of the store is known here.

    Example:
        >>> open_store("run").desk.queue("ann").progress["left"]
        20
    """
    if not url.startswith("hf://"):
        return Store(Desk(Log(url)))
    named = re.fullmatch(r"hf://datasets/([\w.-]+/[\w.-]+)", url)
    if not named:
        raise ConfigError(f"--store {url}: expected hf://datasets/OWNER/NAME, a file, or postgresql://…")
    store = Store(Desk(Log(str(_place(named[1])))), named[1])
    try:
        store.sync()
    except HubError as error:
        if not store._ledger.begun():
            store.desk.log.close()
            raise
        store.trouble = str(error)
    return store


def _place(repo_id: str) -> Path:
    """The file of the log on this machine."""
    from huggingface_hub import constants

    home = os.environ.get("RARECASE_STORE")
    path = Path(home or Path(constants.HF_HOME, "rarecase", "labels"), f"{repo_id.replace('/', '--')}.sqlite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path.parent}: cannot be written ({error.strerror}); name another RARECASE_STORE") from None
    return path
