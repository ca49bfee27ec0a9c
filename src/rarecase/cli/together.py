"""A command in several processes, as a launcher starts them: all compute, the main one alone speaks."""

import contextlib
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rarecase.cli.streams import fail
from rarecase.core.errors import ProcessEndedError, RarecaseError
from rarecase.core.processes import alone, is_distributed, is_main, leave

SHARED = (("run",), ("train",), ("simulate",), ("experiment",), ("predict",), ("guard", "check"))
USERS_MISTAKE = 2
GRACE = 5.0  # seconds in which the launcher ends the others, where the main process has said the same


def together(arguments: list[str], command: Callable[[list[str]], int]) -> int:
    """
    Runs a command in this process, which may be one of several, and gives its exit status.

    Commands that have nothing to share out are the main process's alone. It prints what there is, errors too; another
    process prints only what it alone met (no memory, no such file on its machine).
    """
    try:
        if not is_distributed():
            return command(arguments)
        is_main()
    except RarecaseError as error:  # they cannot be joined
        return fail(str(error)) if os.environ.get("RANK", "0") == "0" else USERS_MISTAKE
    is_shared = any(tuple(arguments[: len(words)]) == words for words in SHARED)
    if is_main():
        with contextlib.nullcontext() if is_shared else alone(), _ended_by_signal():
            status = command(arguments)
    else:
        status = _follow(arguments, command) if is_shared else 0
    if status == 0:
        leave()
    return status


def _follow(arguments: list[str], command: Callable[[list[str]], int]) -> int:
    said = io.StringIO()
    with contextlib.ExitStack() as silent:
        silent.enter_context(_ended_by_signal())
        nowhere = silent.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        silent.enter_context(contextlib.redirect_stdout(nowhere))
        silent.enter_context(contextlib.redirect_stderr(said))
        status = command(arguments)
    if status == USERS_MISTAKE:
        time.sleep(GRACE)  # the signal, which is none of ours any more, ends it
        print(said.getvalue().splitlines()[-1], file=sys.stderr)
    return status


@contextlib.contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM, which a launcher sends to the others where a process has ended, is an error with a line of ours."""

    def end(*_: object) -> None:
        raise ProcessEndedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
