"""
A run that is killed again and again ends as an undisturbed one, and pays for no reply twice.

    make kill

kills one run twenty times and prints the stage of each kill. The process that is killed is `rarecase` itself, slowed
down by tests/slowly.py so that a moment of each stage can be hit; the run it is held against is not slowed down.
"""

import contextlib
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import slowly
import small
from endpoint import Server
from forks import Forked, Forks
from slowly import LEARNING, RENAMING
from tabulate import tabulate

IN_FLIGHT, ANY = "requests in flight", "any moment"
PAUSE = 0.3  # seconds that a stage is made longer: long enough to be hit on a busy machine
CONCURRENCY = 4


@dataclass(frozen=True)
class Moment:
    """
    When to kill.

    Args:
        stage (`str`): in which stage; `ANY` goes by the clock.
        count (`int`): the how manyeth time, in this process, that this stage begins, or that a request arrives.
        fraction (`float`): how far into it; of 15 s, where the stage is `ANY`.
    """

    stage: str
    count: int
    fraction: float


@dataclass(frozen=True)
class Kill:
    """
    What a kill hit.

    Args:
        stage (`str`): as found, whatever was aimed at.
        on_disk (`str`): the last round, its files, and how many replies were stored.
        asked (`int`): the requests that had arrived until then.
        stored (`set[str]`): the requests whose replies were stored.
    """

    stage: str
    on_disk: str
    asked: int
    stored: set[str]


def draw(stages: Iterable[str], seed: int) -> list[Moment]:
    """Random moments, one in each of these stages, in random order."""
    rng = random.Random(seed)
    most = {LEARNING: 4, RENAMING: 7, IN_FLIGHT: 10, ANY: 1}
    moments = [Moment(stage, rng.randint(1, most[stage]), rng.uniform(0.05, 0.6)) for stage in stages]
    rng.shuffle(moments)
    return moments


class Slowly:
    """`rarecase` in a process of its own that says in a file what it does, see tests/slowly.py."""

    def __init__(self, forks: Forks, arguments: list[str], said: Path):
        said.write_bytes(b"")
        self.process = forks.begin([slowly.__file__, said, PAUSE, *arguments])
        self.said = said.open(encoding="utf-8")

    def kill(self, moment: Moment, server: Server | None = None) -> str:
        """Kills it at that moment, and gives the stage it was in: requests in flight, or the last thing it said."""
        last = ""
        if moment.stage == IN_FLIGHT:
            assert server is not None
            before = len(server.asked)
            self._until(lambda: len(server.asked) - before >= moment.count and server.app.in_flight > 1)
        elif moment.stage == ANY:
            time.sleep(15 * moment.fraction)
        else:
            left = moment.count
            while left:
                last = self._line()
                left -= last.startswith(f"+ {moment.stage}")
            time.sleep(PAUSE * moment.fraction)
        self.process.kill()
        in_flight = server.app.in_flight if server else 0  # it can send no more, and the endpoint goes on
        done = self.process.wait()
        assert done.status == -9, f"it ended before {moment}: {done.stderr}"
        with self.said:
            said = (self.said.read().splitlines() or [last.strip() or "starting"])[-1]
        return f"{IN_FLIGHT}: {in_flight}" if in_flight else said.removeprefix("+ ").replace("- ", "after ", 1)

    def _line(self) -> str:
        """The next line that it says, once it is whole."""
        begun = self.said.tell()
        self._until(lambda: self.said.seek(begun) is not None and self.said.readline().endswith("\n"))
        self.said.seek(begun)
        return self.said.readline()

    def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            assert self.process.poll() is None, f"it ended too early: {self.process.wait().stderr}"
            time.sleep(0.002)


def ends_well(process: Forked) -> None:
    done = process.wait()
    assert done.status == 0, done.stderr


def run_of(sets: list[str], server: Server, **settings: int) -> list[str]:
    """The command that begins a run, but for `--out`."""
    flags = {"generator": "openai", "generator-url": server.url, "generator-model": "words", "template": "small"}
    flags |= {"annotator": "gold", "concurrency": CONCURRENCY, **settings}
    return ["run", *sets, *(part for key, value in flags.items() for part in (f"--{key}", str(value)))]


def killed_and_resumed(forks: Forks, begin: list[str], out: Path, moments: list[Moment], server: Server) -> list[Kill]:
    """Kills a run at each of the moments, resumes it after each, and lets it end."""
    kills = []
    for moment in moments:
        stage = Slowly(forks, command(begin, out), out.with_name("said")).kill(moment, server)
        stored = stored_replies(out)
        while server.app.in_flight:  # so that what arrives from now on was asked by the next process
            time.sleep(0.01)
        kills.append(Kill(stage, on_disk(out, len(stored)), len(server.asked), stored))
    ends_well(forks.begin(["rarecase", *command(begin, out)]))
    return kills


def command(begin: list[str], out: Path) -> list[str]:
    """The one that begins the run, until its folder is there; then the one that resumes it."""
    return ["run", "--resume", str(out)] if out.exists() else [*begin, "--out", str(out)]


def stored_replies(out: Path) -> set[str]:
    """The requests with a stored reply; read from a copy, so that whatever the kill left is for rarecase to mend."""
    copies = [shutil.copy(path, out.parent / f"copy-of-{path.name}") for path in out.glob("replies.sqlite*")]
    if not copies:
        return set()
    try:
        with contextlib.closing(sqlite3.connect(out.parent / "copy-of-replies.sqlite")) as connection:
            return {request for (request,) in connection.execute("SELECT request FROM replies")}
    except sqlite3.OperationalError:  # killed before the table was made
        return set()
    finally:
        for copy in copies:
            Path(copy).unlink(missing_ok=True)  # sqlite ends a journal that it finds


def on_disk(out: Path, stored: int) -> str:
    rounds = sorted(path for path in (out / "rounds").glob("*") if path.is_dir())
    if not rounds:
        return "the run folder" if out.exists() else f"nothing but .{out.name}.PID.tmp"
    written = sorted(path.name.replace(".parquet", "") for path in rounds[-1].iterdir())
    return f"round {rounds[-1].name}: {' '.join(written)}; {stored} replies"


def show(kills: list[Kill]) -> None:
    """The table that `make kill` prints."""
    rows = [(number, kill.stage, kill.on_disk) for number, kill in enumerate(kills, 1)]
    print("\n" + tabulate(rows, headers=("kill", "stage", "on disk")))


def require_no_reply_lost(kills: list[Kill], server: Server) -> None:
    """No stored reply is asked for again; a kill repeats what was in flight, and one group at most."""
    for kill in kills:
        assert not kill.stored & set(server.asked[kill.asked :])
    assert len(server.asked) - len(set(server.asked)) <= 2 * CONCURRENCY * len(kills)


def same_run(killed: Path, whole: Path) -> None:
    """Every file of one is in the other with the same bytes, and they hold the same replies."""
    one, other = small.files(killed), small.files(whole)
    assert [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)] == []
    assert {"pool.parquet", "rounds/01/variations.parquet", "data/rare_first/train.parquet"} <= one.keys()
    assert stored_replies(killed) == stored_replies(whole)


@pytest.fixture
def servers():
    """Two endpoints with delays, so that each has the log of one run alone."""
    with Server(delay=0.25, vary=True) as one, Server(delay=0.05, vary=True) as other:
        yield one, other


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_killed_at_twenty_moments_ends_as_an_undisturbed_one(tmp_path, forks, servers):
    kill_and_compare(tmp_path, forks, servers, [IN_FLIGHT, LEARNING, RENAMING] * 6 + [ANY] * 2, rounds=16, least=5)


def test_a_run_killed_while_it_is_prepared_and_in_each_stage_ends_as_an_undisturbed_one(tmp_path, forks, servers):
    stages = [IN_FLIGHT, LEARNING, RENAMING]
    kills = kill_and_compare(tmp_path, forks, servers, stages, rounds=3, least=1, first=[Moment(RENAMING, 3, 0.5)])
    assert kills[0].on_disk == "nothing but .killed.PID.tmp"


def kill_and_compare(
    folder: Path,
    forks: Forks,
    servers: tuple[Server, Server],
    stages: list[str],
    rounds: int,
    least: int,
    first: Sequence[Moment] = (),
) -> list[Kill]:
    sets, settings = small.write(folder), {"budget": 4 * rounds, "batch": 4, "variations": 3}
    whole = forks.begin(["rarecase", *run_of(sets, servers[1], **settings), "--out", folder / "whole"])
    begin = run_of(sets, servers[0], **settings)
    kills = killed_and_resumed(forks, begin, folder / "killed", [*first, *draw(stages, seed=0)], servers[0])
    show(kills)
    ends_well(whole)
    same_run(folder / "killed", folder / "whole")
    require_no_reply_lost(kills, servers[0])
    assert len(set(servers[1].asked)) == len(servers[1].asked) == 3 * 4 * rounds
    for stage in (IN_FLIGHT, LEARNING, RENAMING):
        assert sum(kill.stage.startswith(stage) for kill in kills) >= least
    return kills


def test_a_killed_simulation_goes_on_by_the_same_command(tmp_path, forks):
    grid = ["simulate", *small.write(tmp_path), "--strategies", "random,cluster", "--seeds", "2"]
    grid += ["--budget", "8", "--batch", "4", "--out"]
    whole, killed, done = forks.begin(["rarecase", *grid, tmp_path / "whole"]), tmp_path / "killed", {}
    # While it is prepared; then in the second cell; then in the third.
    for moment in (Moment(RENAMING, 3, 0.5), Moment(RENAMING, 33, 0.5), Moment(LEARNING, 11, 0.2)):
        Slowly(forks, [*grid, str(killed)], tmp_path / "said").kill(moment)
        assert changed(done) == []
        done = {path: path.stat().st_mtime_ns for cell in finished(killed) for path in cell.rglob("*")}
    assert 0 < len(finished(killed)) < 4
    ends_well(forks.begin(["rarecase", *grid, killed]))
    assert changed(done) == []
    ends_well(whole)
    assert small.files(killed) == small.files(tmp_path / "whole")
    assert len(finished(killed)) == 4


def finished(grid: Path) -> list[Path]:
    return sorted(path.parent for path in (grid / "cells").glob("*/cell.json"))


def changed(before: dict[Path, int]) -> list[Path]:
    return [path for path, time_ in before.items() if path.stat().st_mtime_ns != time_]
