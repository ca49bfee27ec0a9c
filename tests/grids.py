"""A real grid for tests: two strategies, two seeds, a test set drawn from the pool for each."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import small

from rarecase.cli.main import command


def simulate(folder: Path, *changes: str) -> list[str]:
    """The command, over the first posts of the sample; a flag among `changes` wins over the ones here."""
    flags = {"strategies": "random,cluster", "seeds": "2", "budget": "8", "batch": "4", "test-size": "30"}
    flags |= {name.removeprefix("--"): value for name, value in zip(changes[::2], changes[1::2], strict=True)}
    sets = small.write(folder)
    drawn = sets[: sets.index("--test")]  # the test set is drawn from the pool
    return ["simulate", *drawn, *(part for name, value in flags.items() for part in (f"--{name}", value))]


@functools.cache
def made() -> Path:
    """The folder of a grid that has ended, made once for all tests: they leave it as it is."""
    folder = Path(tempfile.mkdtemp(prefix="grid-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    assert command(simulate(folder, "--out", str(folder / "grid"))) == 0
    return folder / "grid"
