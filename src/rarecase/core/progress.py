"""What goes on, on stderr while it lasts: bars and lines that disappear; silent where stderr is not a terminal."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from rarecase.core.processes import is_main


class Progress(contextlib.AbstractContextManager["Progress"]):
    """The progress of a loop over `total` named steps; `unit` is what a step is called."""

    def __init__(self, total: int, unit: str = "step") -> None:
        self._bar = bar(total, unit=unit)
        self._begun = False

    def step(self, description: str) -> None:
        """Shows the step that begins; the one before is done."""
        if self._begun:
            self._bar.update()
        self._begun = True
        self._bar.set_description(description)

    def describe(self, description: str) -> None:
        """Shows more of the same step."""
        self._bar.set_description(description)

    def close(self) -> None:
        """Removes the line."""
        self._bar.close()

    def __exit__(self, *_: object) -> None:
        self.close()


def parts(texts: int, size: int) -> Iterator[slice]:
    """Where each part of so many texts is, one after the other; a bar says how far they are."""
    with Progress(-(-texts // size)) as progress:
        for start in range(0, texts, size):
            progress.step(f"{start:,} of {texts:,} texts")
            yield slice(start, start + size)


def bar(total: int | None, description: str = "", unit: str = "it", **options: Any) -> tqdm:
    """A bar that counts to `total`, if that is known; of several processes the main one alone shows it."""
    shown = {"disable": None, "file": sys.stderr, "dynamic_ncols": True, "leave": False, **options}
    if not is_main():
        shown["disable"] = True
    return tqdm(total=total, desc=description, unit=unit, **shown)


@contextlib.contextmanager
def doing(description: str) -> Iterator[None]:
    """Shows what is done in the block, which cannot be counted."""
    with bar(1, description, bar_format="{desc} …"):
        yield


def say(line: str) -> None:
    """Prints a line on stderr for good, terminal or not, above the bars that are shown."""
    if is_main():
        tqdm.write(line, file=sys.stderr)
