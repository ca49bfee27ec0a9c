"""Runs `rarecase` in processes forked from one that has imported the libraries: importing takes longest elsewhere."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RARECASE = Path(sys.executable).with_name("rarecase")
# A line of JSON in, one out: a program to begin, and its process; or a process, and its exit code once it has one.
FORKS = """
import gc, json, multiprocessing, os, runpy, sys
import rarecase.experiment.simulate, rarecase.publish.kinds, rarecase.publish.remove
import rarecase.runs.session, rarecase.runs.train
import matplotlib.figure, openai, sentence_transformers

def run(job):
    for descriptor, path in enumerate((os.devnull, job["out"], job["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
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


@dataclass
class Forks:
    """
    Runs `rarecase`, and other programs in Python, each in a process of its own, which has imported the libraries.

    Args:
        environment (`dict[str, str]`): of all its processes; the libraries have read it at their import.
        printed (`Path`): a folder for what they print.
    """

    environment: Mapping[str, str]
    printed: Path
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Forks":
        with (self.printed / "imports.err").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", FORKS],
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

    def run(
        self,
        command: str | Sequence[object],
        cwd: Path,
        meanwhile: Callable[[int], object] = lambda process: None,
        *,
        name: str = "command",
        within: float = 300.0,
        **more: str,
    ) -> Result:
        """
        Args:
            command (`str` or `Sequence`): `rarecase`, or the path of a program in Python, or `-c` and a program; and
                the arguments.
            cwd (`Path`): where.
            meanwhile (`Callable`): is called with the process again and again until it has ended.
            name (`str`): for the files of what it prints.
            within (`float`): seconds until it is killed.
            more (`str`): further variables.
        """
        program, *arguments = shlex.split(command) if isinstance(command, str) else map(str, command)
        words = [str(RARECASE) if program == "rarecase" else program, *arguments]
        printed = {end: self.printed / f"{name}.{end}" for end in ("out", "err")}
        files = {end: str(path) for end, path in printed.items()}
        process = self._ask({"command": words, "cwd": str(cwd), "environment": more, **files})
        until = time.monotonic() + within
        while (status := self._ask(process)) is None:
            time.sleep(0.02)
            if time.monotonic() > until:
                os.kill(process, signal.SIGKILL)
            meanwhile(process)
        return Result(status, printed["out"].read_bytes(), printed["err"].read_bytes())

    def _ask(self, job: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.lock:
            print(json.dumps(job), file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
