"""Runs `rarecase` in processes forked from one that has imported the libraries: importing takes longest elsewhere."""

import atexit
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RARECASE = Path(sys.executable).with_name("rarecase")
VECTORS = Path(tempfile.mkdtemp(prefix="rarecase-vectors-"))  # see vectors.py; of this process and all that it makes
atexit.register(shutil.rmtree, VECTORS, ignore_errors=True)
# A line of JSON in, one out: a program to begin, and its process; or a process, and its exit code once it has one.
FORKS = """
import gc, json, multiprocessing, os, pathlib, runpy, sys
import rarecase.experiment.simulate, rarecase.publish.all, rarecase.publish.remove
import rarecase.runs.session, rarecase.runs.train
import matplotlib.figure, openai, sentence_transformers

sys.path.insert(0, sys.argv[1])
import vectors
del sys.path[0]
vectors.remember(pathlib.Path(sys.argv[2]))

def run(job):
    for descriptor, path in enumerate((os.devnull, job["out"], job["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), descriptor)
    os.chdir(job["cwd"])
    os.environ.update(job["environment"])
    sys.argv = job["command"]
    if sys.argv[0] == "-c":
        exec(sys.argv.pop(1), {"__name__": "__main__"})
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")

fork, processes = multiprocessing.get_context("fork"), {}
gc.freeze()  # what is not looked at is not copied
for line in sys.stdin:
    job = json.loads(line)
    if isinstance(job, int):
        print(json.dumps(processes[job].exitcode), flush=True)
        continue
    process = fork.Process(target=run, args=[job])
    process.start()
    processes[process.pid] = process
    print(process.pid, flush=True)
"""


@dataclass(frozen=True)
class Result:
    """How a command ended (less than 0: by a signal), and what it printed."""

    status: int
    out: bytes
    err: bytes

    @property
    def stdout(self) -> str:
        return self.out.decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self.err.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """What rarecase said of how it ended."""
        return [line for line in self.stderr.splitlines() if line.startswith("rarecase: ")]


@dataclass(frozen=True)
class Forked:
    """A process that goes on for itself, with the words of `subprocess.Popen`; what it prints goes to two files."""

    pid: int
    printed: dict[str, Path]
    forks: "Forks"

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        return self.forks.ask(self.pid)

    def said(self) -> str:
        """What it has printed by now."""
        return "".join(self.printed[end].read_text(encoding="utf-8", errors="replace") for end in ("out", "err"))

    def kill(self, by: signal.Signals = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.kill(self.pid, by)

    def wait(
        self, within: float = 300.0, meanwhile: Callable[["Forked"], object] = lambda process: time.sleep(0.02)
    ) -> Result:
        """How it ended; after so many seconds it is killed. Until then `meanwhile` is called again and again."""
        until = time.monotonic() + within
        while (status := self.poll()) is None:
            meanwhile(self)
            if time.monotonic() > until:
                self.kill()
        return Result(status, *(self.printed[end].read_bytes() for end in ("out", "err")))


@dataclass
class Forks:
    """
    Runs `rarecase`, and other programs in Python, each in a process of its own, which has imported the libraries.

    Args:
        environment (`Mapping[str, str]`): of all its processes; the libraries have read it when they were imported.
        printed (`Path`): a folder for what they print.
    """

    environment: Mapping[str, str]
    printed: Path
    begun: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Forks":
        with (self.printed / "imports.err").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", FORKS, str(Path(__file__).parent), str(VECTORS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=self.environment,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def begin(
        self, command: str | Sequence[object], cwd: Path | None = None, *, name: str = "", **environment: str
    ) -> Forked:
        """
        Args:
            command (`str` or `Sequence`): `rarecase`, or the path of a program in Python, or `-c` and a program; and
                the arguments.
            cwd (`Path`, *optional*): where, by default where this process is.
            name (`str`): for the files of what it prints, by default a number.
            environment (`str`): further variables.
        """
        program, *arguments = shlex.split(command) if isinstance(command, str) else map(str, command)
        words = [str(RARECASE) if program == "rarecase" else program, *arguments]
        self.begun += 1
        printed = {end: self.printed / f"{name or self.begun}.{end}" for end in ("out", "err")}
        files = {end: str(path) for end, path in printed.items()}
        for path in printed.values():
            path.write_bytes(b"")
        job = {"command": words, "cwd": str(cwd or Path.cwd()), "environment": environment, **files}
        return Forked(self.ask(job), printed, self)

    def run(self, command: str | Sequence[object], cwd: Path | None = None, **more: Any) -> Result:
        """Begins it, and waits for its end; `within` and `meanwhile` are those of `Forked.wait`."""
        waits = {name: more.pop(name) for name in ("within", "meanwhile") if name in more}
        return self.begin(command, cwd, **more).wait(**waits)

    def ask(self, job: Any) -> Any:
        """The answer of the process that forks to a line of JSON."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.lock:
            print(json.dumps(job), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
