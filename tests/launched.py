"""Several processes of one program, started by torchrun, for tests."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ENVIRONMENT = {
    **os.environ,
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "JOBLIB_MULTIPROCESSING": "0",  # which would try for shared memory, and say that it may not
}
BIN = Path(sys.executable).parent


def torchrun(processes: int) -> list[str]:
    """The words that start so many."""
    return [str(BIN / "torchrun"), "--standalone", "--nproc_per_node", str(processes)]


def launched(
    program: Sequence[str], *, cwd: Path, processes: int = 2, within: float = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    """
    What several processes come to.

    Args:
        program (`Sequence[str]`): what torchrun is given, such as `-m rarecase …` or a file.
        cwd (`Path`): where they work.
        processes (`int`): how many.
        within (`float`): seconds, after which they are ended and the test fails.
        environment (`str`): variables of the environment.
    """
    return subprocess.run(
        [*torchrun(processes), *program],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=within,
    )
