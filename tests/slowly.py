"""
`rarecase`, slowed down and saying what it does: for tests that kill it at a known moment.

    python tests/slowly.py FILE SECONDS run --pool posts.csv ...

Every fit, every scoring and every rename writes `+ STAGE WHAT` to the end of FILE when it begins and `- STAGE
WHAT` when it ends, and takes SECONDS longer; a rename waits before it happens, when its file is written. What is
computed stays the same.
"""

import functools
import os
import sys
import time
from collections.abc import Callable
from typing import Any

LEARNING, RENAMING = "learning", "renaming"


def slow(
    function: Callable, stage: str, said: Callable[..., str], *, before: float, after: float, to: int
) -> Callable:
    """The function, with its pauses, and what it says on the file descriptor `to`."""

    @functools.wraps(function)
    def slowed(*arguments: Any, **named: Any) -> Any:
        what = said(*arguments)
        os.write(to, f"+ {stage} {what}\n".encode())
        time.sleep(before)
        result = function(*arguments, **named)
        time.sleep(after)
        os.write(to, f"- {stage} {what}\n".encode())
        return result

    return slowed


def main() -> None:
    to, seconds = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND), float(sys.argv[2])
    from rarecase.cli.main import main as rarecase
    from rarecase.learn.frozen import Frozen

    half = {"before": seconds / 2, "after": seconds / 2, "to": to}
    for name, what in {"fit": "fit", "score": "score"}.items():
        setattr(Frozen, name, slow(getattr(Frozen, name), LEARNING, lambda *_, what=what: what, **half))
    os.replace = slow(os.replace, RENAMING, lambda path, _: os.path.basename(path), before=seconds, after=0.0, to=to)
    sys.argv = ["rarecase", *sys.argv[3:]]
    rarecase()


if __name__ == "__main__":
    main()
