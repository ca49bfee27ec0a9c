"""
No text of the data gets into a log, an error, a card, a metric or a temporary file.

Fifty texts stand in the data, each with a marker that can be nowhere else; requests follow from them, and replies have
markers of their own. All commands run over them at DEBUG, and fail in every way that could show a value. Then all that
was printed, written or sent to the Hub is searched, but for what is there to hold texts (`ASIDE`).

A command more is a row in one of the lists of `planted_steps`, of a guard in `planted_guard`; what has to do with
labeling is in `test_no_text_labels`. `rarecase demo` alone is left out: it takes no data.
"""

import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import bad_input
import marked
import pytest
from forks import Result
from marked import MARK, TYPED, left_in, readable, traces
from planted import ASIDE, Step, World, ends, prepared, require, run
from planted_steps import BAD_INPUT, GIVEN, HUB, MADE, STEPS, ask


@pytest.fixture(scope="module")
def world(hub, tmp_path_factory) -> Iterator[World]:
    """Everything that the commands find."""
    kinds = ("error400", "error401", "error404", "error500", "html", "cut", "list", "filters", "judge")
    root, key = tmp_path_factory.mktemp("no-text"), bad_input.KEY
    with prepared(hub, root, kinds=kinds, silent=("SIGKILL", "SIGTERM"), OPENAI_API_KEY=key) as ready:
        yield ready


@pytest.fixture(scope="module")
def results(world) -> Iterator[dict[str, Future]]:
    """How every step ended, or will."""
    with ends(world, [*MADE, *HUB], [*GIVEN, *BAD_INPUT]) as ended:
        yield ended


@pytest.fixture
def finished(results) -> list[Result]:
    """All of them, once all have ended."""
    return [end.result() for end in wait(results.values()).done if not end.exception()]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_command_ends_as_it_should_and_prints_no_text(step, results):
    require(step, results[step.name].result())


@pytest.mark.usefixtures("finished")
def test_no_text_is_in_a_file_that_is_not_there_to_hold_texts(world):
    assert left_in(world.root, ASIDE) == []
    assert {*(world.root / "given").rglob("*"), *(world.root / "bad").rglob("*")} == world.inputs


@pytest.mark.usefixtures("finished")
def test_the_hub_is_told_no_text_but_the_rows_of_data_sets(world):
    assert len(world.hub.app.state.repos) > 10
    assert marked.told(world.hub) == []
    assert not world.hub.crashes


def test_all_texts_were_there_and_everything_was_said(world, finished):
    """Else the others would prove nothing."""
    held = b"".join(readable(path, path.name) for path in sorted(world.work.rglob("*.parquet")))
    numbers = {int(number) for number in re.findall(rf"{MARK}(\d\d)".encode(), held)}
    assert numbers >= {*range(TYPED)}
    assert numbers & {*marked.REPLIES}
    assert all(server.asked for server in world.servers.values())
    assert any(MARK in body for server in world.servers.values() for body in server.bodies)
    said = b"".join(result.err for result in finished)
    for logger in ("httpcore", "datasets", "huggingface_hub", "openai", "matplotlib", "asyncio", "filelock"):
        assert f"DEBUG:{logger}".encode() in said, logger


def without_space(world: World, disk: Path, name: str, command: str) -> None:
    """Runs a command that finds the disk full."""
    result = world.run(Step(name, command))
    assert result.status == 2
    assert re.match(r"rarecase: .*no space left on the disk", result.lines[-1]), result.lines
    assert traces(result.out + result.err) == []
    assert left_in(disk, ASIDE) == []


def test_a_disk_that_is_full_when_a_run_begins_gets_no_text(world, small_disk):
    disk = small_disk("32k")
    without_space(world, disk, "no space to begin", run(out=disk / "out"))


def test_a_disk_that_has_no_room_for_replies_gets_no_text(world, small_disk):
    disk = small_disk("16m")
    assert world.run(Step("no reply yet", ask("error401", out=disk / "out"))).status == 2
    with (disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(disk).free)
    without_space(world, disk, "no space for replies", f"run --resume {disk}/out --generator-url {{filters}}")


def test_a_command_that_logs_a_text_is_found_out(world, tmp_path):
    tables = {name: f"{name}.csv" for name in marked.PLACES}
    command = run(strategy="leaky:strategy", out=tmp_path / "out", model="tiny", encoder="tiny", **tables)
    result = world.run(Step("leaky", command, cwd="given"))
    assert result.status == 1
    debug, error = (line for line in result.err.splitlines() if traces(line))
    assert debug.startswith(b"DEBUG:leaky:the first is ")
    assert error.startswith(b"KeyError: ")
