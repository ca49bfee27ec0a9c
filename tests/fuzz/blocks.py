"""
Cases in blocks, each block in a forked process: an exception, a crash, an answer that takes long, memory that grows.

    cd tests; python -m fuzz.files                # all cases of the seed 0
    cd tests; python -m fuzz.files SEED           # of another
    cd tests; python -m fuzz.files SEED NUMBER    # one of them again, with its traceback

A case is a function of its generator, which follows from seed and number. It prepares an empty folder and gives a name
and what is to be tried, which may succeed, raise a `RarecaseError` or wait for labels, and nothing else.
"""

import contextlib
import faulthandler
import gc
import io
import json
import mmap
import os
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

from fuzz.mutators import Rng, rng_of
from rarecase.core.errors import RarecaseError, WaitingForLabels
from rarecase.core.files import refused_by_system

TESTS = Path(__file__).parents[1]
BLOCK = 500  # cases in one process
LONGEST = 30.0  # seconds that an answer may take
MOST = 250_000  # kB of anonymous memory above that of the process before its first case
LONGEST_ERROR = 2_000  # characters
NOBODY = "zqxvj for nobody's eyes"  # in every text of the data

# What a case may not do, as Python audits it: run a program, or what a pickle says.
FORBIDDEN = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen")

_done: list[str] = []  # what a case did of this: some library may have suppressed the refusal

Act = Callable[[], object]
Case = Callable[[Rng, Path], tuple[str, Act]]


@dataclass(frozen=True)
class Tried:
    """A case: its number and name, what it took, and where in the package and how it went wrong, if it did."""

    number: int
    name: str
    seconds: float
    kilobytes: int
    place: str = ""
    what: str = ""


def main(case: Case, cases: int, begin: Act = lambda: None) -> None:
    """All cases of a seed, or one; exits with 1 where one went wrong. Each process calls `begin` first."""
    seed, *numbers = map(int, sys.argv[1:] or ["0"])
    if numbers:
        begin()
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            name, act = case(rng_of(seed, numbers[0]), Path(folder))
            print(f"{name}: {act()}")
        return
    tried = all_tried(case, range(cases), seed, begin)
    findings = [one for one in tried if one.what]
    by_place: dict[tuple[str, str], list[Tried]] = defaultdict(list)
    for finding in findings:
        by_place[finding.place, finding.what[:40]].append(finding)
    print(f"seed {seed}: {len(tried)} cases, {len(findings)} went wrong, in {len(by_place)} ways")
    seconds, kilobytes = max(one.seconds for one in tried), max(one.kilobytes for one in tried)
    print(f"the slowest took {seconds:.1f} s, the largest {kilobytes // 1000} MB")
    for alike in by_place.values():
        first = alike[0]
        print(f"{first.place}: {first.what} [{len(alike)} cases, the first: {seed} {first.number}, {first.name}]")
    sys.exit(bool(findings))


def all_tried(case: Case, numbers: range, seed: int, begin: Act) -> list[Tried]:
    """The cases of a seed, block by block in a process of its own each."""
    tried: list[Tried] = []
    at = mmap.mmap(-1, 8)  # the number of the case that is being tried
    gc.freeze()  # what is not looked at is not copied
    first = numbers.start
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        results, log = Path(folder) / "results", Path(folder) / "log"
        while first < numbers.stop:
            end = min(first + BLOCK, numbers.stop)
            at[:] = bytes(8)
            results.write_bytes(b"")
            log.write_bytes(b"")
            if not (child := os.fork()):
                _child(case, range(first, end), seed, begin, at, results, log)
            _, status = os.waitpid(child, 0)
            tried += [Tried(*json.loads(line)) for line in results.read_text().splitlines()]
            if status:  # it crashed, was killed, or took too long for Python to say so
                end = int.from_bytes(at[:], "little") + 1
                last = log.read_text(errors="replace").strip().splitlines()[-12:]
                if end <= first:
                    raise SystemExit(f"a process ended before its first case: {' | '.join(last)}")
                what = f"ended with {os.waitstatus_to_exitcode(status)}: {' | '.join(last)[:1500]}"
                tried.append(Tried(end - 1, "?", 0.0, 0, "?", what))
            first = end
            print(f"{first} cases, {sum(bool(one.what) for one in tried)} went wrong", file=sys.stderr, flush=True)
    return tried


def _child(case: Case, numbers: range, seed: int, begin: Act, at: mmap.mmap, results: Path, log: Path) -> None:
    """The forked process, which ends here."""
    try:
        for descriptor in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), descriptor)
        begin()
        base, _ = _memory()
        sys.addaudithook(_audit)
        with results.open("a") as file:
            for number in numbers:
                at[:] = number.to_bytes(8, "little")
                print(json.dumps(astuple(_tried(case, seed, number, base))), file=file, flush=True)
        os._exit(0)
    except BaseException:  # of the test itself
        traceback.print_exc()
        os._exit(1)


def _tried(case: Case, seed: int, number: int, base: int) -> Tried:
    with tempfile.TemporaryDirectory(prefix="case-", ignore_cleanup_errors=True) as folder:
        name, act = case(rng_of(seed, number), Path(folder))
        place = what = ""
        said, began = io.StringIO(), time.monotonic()
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is that of this case
        faulthandler.dump_traceback_later(2 * LONGEST, exit=True)
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                act()
        except (RarecaseError, WaitingForLabels) as error:
            said.write(str(error))
            what = f"an error of {len(str(error))} characters" if len(str(error)) > LONGEST_ERROR else ""
        except BaseException as error:  # whatever it is
            line = refused_by_system(error) if isinstance(error, OSError) else None  # which a command prints
            said.write(line or "")
            if line is None:
                place, what = _place(error), f"{type(error).__name__}: {str(error)[:200]}"
        faulthandler.cancel_dump_traceback_later()
        seconds, kilobytes = time.monotonic() - began, _memory()[1] - base
    if _done:
        what = _done.pop()
    if not what and seconds > LONGEST:
        what = f"took {seconds:.0f} s"
    if not what and kilobytes > MOST:
        what = f"took {kilobytes // 1000} MB"
    if not what and "Traceback" in said.getvalue():
        what = f"printed a traceback: {said.getvalue()[-500:]}"
    if not what and NOBODY in said.getvalue():
        what = "showed a text"
    return Tried(number, name, seconds, kilobytes, place, what)


def _audit(event: str, arguments: tuple) -> None:
    if event in FORBIDDEN:
        _done.append(f"{event} {arguments!r:.100}")
        raise AssertionError(_done[-1])


def _place(error: BaseException) -> str:
    """The innermost line of the package, and the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/rarecase/" in frame.filename and "/tests/" not in frame.filename]
    last = frames[-1]
    named = [f"{frame.filename.rpartition('/rarecase/')[2]}:{frame.lineno}" for frame in ours[-1:]]
    return " ".join([*named, f"({last.filename.rpartition('/')[2]}:{last.lineno})"])


def _memory() -> tuple[int, int]:
    """The anonymous memory of this process in kB: now, and at its peak."""
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    now, files, shared, peak = (int(status[name].split()[0]) for name in ("RssAnon", "RssFile", "RssShmem", "VmHWM"))
    return now, peak - files - shared
