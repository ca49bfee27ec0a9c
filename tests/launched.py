"""Several processes of one program, as a launcher starts them, for tests."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hub_server.server import free_port

ENVIRONMENT = {
    **os.environ,
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "JOBLIB_MULTIPROCESSING": "0",  # which would try for shared memory, and say that it may not
}


def launched(
    program: Sequence[str],
    arguments: Sequence[str],
    *,
    helpers: Sequence[str] | None = None,
    cwd: Path,
    processes: int = 2,
) -> list[subprocess.Popen]:
    """
    Starts the main process, and helpers that the system refuses to write a file of more than four bytes.

    Args:
        program (`Sequence[str]`): for the interpreter, such as `-m rarecase`.
        arguments (`Sequence[str]`): of the main process.
        helpers (`Sequence[str]`, *optional*): those of the others, by default none: a launcher gives them the same.
        cwd (`Path`): where they work.
        processes (`int`): how many in all.
    """
    port = free_port()
    started = []
    for rank in range(processes):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        started.append(
            subprocess.Popen(
                [sys.executable, *program, *(arguments if rank == 0 else helpers or [])],
                cwd=cwd,
                env={**ENVIRONMENT, **place, **address},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=None if rank == 0 else _writes_little,
            )
        )
    return started


def ended(started: Sequence[subprocess.Popen], within: float = 300) -> list[tuple[int, str, str]]:
    """The status, output and errors of each; those still there after so many seconds are ended, and the test fails."""
    until = time.monotonic() + within
    try:
        said = [process.communicate(timeout=until - time.monotonic()) for process in started[::-1]][::-1]
        return [(process.returncode, *words) for process, words in zip(started, said, strict=True)]
    finally:
        for process in started:
            process.kill()


def _writes_little() -> None:
    """Four bytes: looking for a place for temporary files, Python writes as many and deletes them."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
