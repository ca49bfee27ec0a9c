"""One line on stderr with round, step, count and time left; silent where stderr is not a terminal."""

import contextlib
import sys

from tqdm import tqdm


class Progress(contextlib.AbstractContextManager["Progress"]):
    """The progress of a loop over `total` named steps; `unit` is what a step is called."""

    def __init__(self, total: int, unit: str = "step") -> None:
        self._bar = tqdm(total=total, unit=unit, disable=None, file=sys.stderr, dynamic_ncols=True, leave=False)
        self._begun = False

    def step(self, description: str) -> None:
        """Shows the step that begins; the one before is done."""
        if self._begun:
            self._bar.update()
        self._begun = True
        self._bar.set_description(description)

    def close(self) -> None:
        """Removes the line."""
        self._bar.close()

    def __exit__(self, *_: object) -> None:
        self.close()
