"""Agreement as the pages show it: of a moment ago, however many ask."""

import threading
import time

from rarecase.labeling.store.agreement import Agreement, agreement
from rarecase.labeling.store.desk import Desk

EVERY = 2.0  # seconds between two computations


class Live:
    """
    How far people agree, over all batches.

    Args:
        desk (`Desk`): where their votes are.

    Example:
        >>> Live(desk)().kappa
        0.71
    """

    def __init__(self, desk: Desk):
        self.desk = desk
        self._lock = threading.Lock()
        self._found = agreement([], [])
        self._known = (0, -EVERY)  # the place in the log that it is of, and when it was computed

    def __call__(self) -> Agreement:
        """Computed anew where there is something new, and no more often than every so many seconds."""
        with self._lock:
            seq, at = self._known
            if time.monotonic() - at >= EVERY:
                with self.desk.state() as state:
                    now = state.seq
                if now != seq:
                    self._found = self.desk.agreement()
                self._known = (now, time.monotonic())
            return self._found
