"""Every case of the tables: one line, exit 2, and everything on the disk as it was."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from endpoint import Server, listening
from forks import RARECASE
from hostile_server import HostileServer, endless

from bad_input import CASES, KEY
from bad_input.cases import run, start
from bad_input.files import SECRET, write_inputs


def files(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below a folder, hidden ones too, with the bytes of the files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def prepared(rarecase, tmp_path_factory) -> dict[str, Path]:
    """Folders to stand at `{case}/out` before: a run and a start that wait for labels, and one with notes."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "notes").mkdir()
    (folder / "notes" / "notes.txt").write_text("not ours")
    for name, command in {"run": run, "start": start}.items():
        done = rarecase(command(annotator="file", out=folder / name))
        assert done.status == 0, done.stderr
        assert "to_label.csv" in done.stderr.splitlines()[-1]
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    """Endpoints that answer HTML, refuse the key or do not end, and one that is not there."""
    with (
        Server(fault="html") as html,
        Server(fault="401") as refusing,
        HostileServer(lambda request: endless()) as without_end,
    ):
        with listening(0) as dead:
            port = dead.getsockname()[1]
        yield {
            "html": html.url,
            "refusing": refusing.url,
            "endless": without_end.address,
            "dead": f"http://127.0.0.1:{port}",
        }


@pytest.mark.parametrize("case", [case for case in CASES if not case.environment], ids=lambda case: case.name)
def test_bad_input_is_answered_in_one_line_and_leaves_everything_as_it_was(
    case, rarecase, prepared, addresses, tmp_path
):
    if case.before:
        shutil.copytree(prepared[case.before], tmp_path / "out")
        case.change(tmp_path / "out")
    before = files(tmp_path)
    done = rarecase(case.command.format(case=tmp_path, **addresses))
    require_answer(case, done.status, done.stdout, done.stderr)
    assert files(tmp_path) == before


@pytest.mark.parametrize("case", [case for case in CASES if case.environment], ids=lambda case: case.name)
def test_so_is_it_by_a_process_that_imports_the_libraries_itself(case, inputs, addresses, tmp_path):
    environment = {name: value.format(**addresses) for name, value in case.environment.items()}
    done = subprocess.run(
        [RARECASE, *shlex.split(case.command.format(case=tmp_path, **addresses))],
        cwd=inputs,
        env={**os.environ, "OPENAI_API_KEY": KEY, "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    require_answer(case, done.returncode, done.stdout, done.stderr)
    assert files(tmp_path) == {}


def require_answer(case, status: int, out: str, err: str) -> None:
    """One line, as the case says, and nothing else."""
    assert status == 2, err
    lines = err.splitlines()
    assert re.match("rarecase: " + case.answer, lines[-1]), lines[-1]
    assert sum(line.startswith("rarecase: ") for line in lines) == 1
    assert "Traceback" not in err
    assert out == ""
    assert SECRET not in err
    assert KEY not in err


def test_the_names_of_the_cases_differ():
    assert len({case.name for case in CASES}) == len(CASES)


def test_reading_has_left_the_inputs_as_they_were(inputs, tmp_path):
    """After all that ran before: this is the last test of the module."""
    write_inputs(tmp_path)
    assert files(inputs) == files(tmp_path)
