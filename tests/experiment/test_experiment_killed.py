"""
An experiment that is killed again and again ends as an undisturbed one.

    make kill

kills the grid of four strategies, the five models, three settings and two seeds ten times. The models are tiny, and
stand under their real ids on the Hub of the tests.
"""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import experiments
import pytest
import tiny_models
from experiments import cells, command_of
from forks import Forked, Forks
from test_five_models import FIVE

STRATEGIES = ("random", "entropy", "coreset", "cluster")
SETTINGS = "bootstrap,human,human+llm"


@pytest.fixture(scope="module")
def world(hub):
    """A Hub that holds the five."""
    tiny_models.push_all(hub)
    return hub


@pytest.fixture
def processes(world, tmp_path) -> Iterator[Forks]:
    """Processes that are clients of that Hub."""
    with Forks({**world.environment, "OMP_NUM_THREADS": "1"}, tmp_path) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_grid_of_the_five_models_killed_ten_times_ends_as_an_undisturbed_one(processes, tmp_path):
    flags = {"models": ",".join(FIVE), "strategies": ",".join(STRATEGIES), "settings": SETTINGS, "seeds": 2}
    kill_and_compare(processes, tmp_path, flags, kills=10, count=5 * 2 * (1 + 2 * len(STRATEGIES)))


def test_a_small_grid_killed_twice_ends_as_an_undisturbed_one(processes, tmp_path):
    flags = {"models": ",".join(FIVE[1:3]), "strategies": "cluster", "settings": SETTINGS}
    kill_and_compare(processes, tmp_path, flags, kills=2, count=2 * 3)


def kill_and_compare(processes: Forks, folder: Path, flags: dict, kills: int, count: int) -> None:
    """Kills a grid of so many cells, goes on with it by the same command, and holds it against one that was not."""
    shared = {name: table for name, table in experiments.splits().items() if name in ("bootstrap", "dev", "test")}
    splits = {name: experiments.acquired(20 * place) for place, name in enumerate(STRATEGIES)}
    data = experiments.write(folder / "data", {**shared, **splits})
    flags = {"learner": "finetune", "updates": 2, "learning_rate": 1e-3, **flags}
    rng, said = random.Random(0), ""
    for _ in range(kills):
        process = processes.begin(["rarecase", *command_of(data, folder / "killed", **flags)])
        until_done(process, folder / "killed", done(folder / "killed") + rng.randint(1, count // kills))
        time.sleep(rng.uniform(0, 0.5))  # also in the midst of the cell after, or of the report
        process.kill()
        said += printed(process)
        print(f"killed with {done(folder / 'killed')} cells done")
    for name in ("killed", "whole"):
        process = processes.begin(["rarecase", *command_of(data, folder / name, **flags)])
        said += printed(process)
        assert process.poll() == 0, said
    one, other = cells(folder / "killed"), cells(folder / "whole")
    assert [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)] == []
    assert done(folder / "whole") == count
    texts = {text for table in (*shared.values(), *splits.values()) for text in table["text"][:]}
    told = said + "".join(file.decode() for name, file in other.items() if name.endswith(".json"))
    assert [text for text in texts if text in told] == []


def printed(process: Forked) -> str:
    """All that it printed, once it has ended."""
    done = process.wait(within=1800)
    return done.stdout + done.stderr


def done(out: Path) -> int:
    """How many cells are done."""
    return sum(1 for _ in out.glob("cells/*/cell.json"))


def until_done(process: Forked, out: Path, cells: int) -> None:
    """Waits for so many cells, or for the end of the process."""
    while process.poll() is None and done(out) < cells:
        time.sleep(0.01)
