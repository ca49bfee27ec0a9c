"""One line on stderr that says round, step, count and time left; silent where stderr is no terminal."""

import sys
from types import TracebackType

from tqdm import tqdm


class Progress:
    """
    The progress of a loop over rounds of named steps.

    Args:
        total (`int`): how many steps there are in all.
        unit (`str`): what a step is called.

    Example:
        >>> with Progress(30) as progress:
        ...     progress.step("round 1 of 5: choosing")
    """

    def __init__(self, total: int, unit: str = "step") -> None:
        self._bar = tqdm(total=total, unit=unit, disable=None, file=sys.stderr, dynamic_ncols=True, leave=False)
        self._begun = False

    def step(self, description: str) -> None:
        """Says what begins now; what was going on until now is done."""
        if self._begun:
            self._bar.update()
        self._begun = True
        self._bar.set_description(description)

    def close(self) -> None:
        """Takes the line away."""
        self._bar.close()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
