"""How often somebody may do something."""

import time
from collections import Counter


class PerMinute:
    """Counts by key, of clients or people, from the turn of each minute: whoever did too much waits for the next."""

    def __init__(self, most: int):
        self._most = most
        self._minute = 0
        self._counts: Counter[str] = Counter()

    def allows(self, key: str) -> bool:
        """Whether this is not too much; it counts."""
        if self._minute != (minute := int(time.monotonic() // 60)):
            self._minute, self._counts = minute, Counter()
        self._counts[key] += 1
        return self._counts[key] <= self._most
