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
GRACE = 5.0  # seconds in which the launcher ends the others, where the main process printed the same


def together(
    arguments: list[str], command: Callable[[list[str]], int], what_is_left: Callable[[list[str]], str]
) -> int:
    """
    Runs a command in this process, which may be one of several, and gives its exit status.

    Commands that have nothing to share out are the main process's alone. It prints what there is, errors too; another
    process prints only what it alone met (no memory, no such file on its machine).
    """
    try:
        if not is_distributed():
            return command(arguments)
        main = is_main()
    except RarecaseError as error:  # they cannot be joined
        if os.environ.get("RANK", "0") != "0":
            time.sleep(GRACE)
        return fail(str(error))
    is_shared = any(tuple(arguments[: len(words)]) == words for words in SHARED)
    said = io.StringIO()  # by another process
    try:
        with _ended_by_signal():
            if not main:
                status = _follow(arguments, command, said) if is_shared else 0
            else:
                with contextlib.nullcontext() if is_shared else alone():
                    status = command(arguments)
    except ProcessEndedError:
        if main:
            fail(f"another process has ended, or the launcher was stopped; {what_is_left(arguments)}")
        return 1
    if status == USERS_MISTAKE and not main:
        time.sleep(GRACE)  # the launcher's signal ends it
        print(said.getvalue().splitlines()[-1], file=sys.stderr)
    if status == 0:
        leave()
    return status


def end(status: int) -> None:
    """Ends this process; threads of torch would now and then abort one of several while Python is taken down."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        sys.exit(status)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _follow(arguments: list[str], command: Callable[[list[str]], int], said: io.StringIO) -> int:
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(said),
    ):
        return command(arguments)


@contextlib.contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM, which a launcher sends to the others where a process has ended, is an error with a line of ours."""
    is_ending = False

    def end(*_: object) -> None:
        if not is_ending:
            raise ProcessEndedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except ProcessEndedError:
        is_ending = True  # the signal that follows would come in between
        raise
    signal.signal(signal.SIGTERM, before)
