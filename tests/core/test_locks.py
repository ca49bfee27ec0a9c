"""One process at a time: the second is answered in one line, or waits; a kill lets go."""

import threading
import time
from pathlib import Path

import pytest

from rarecase.core.errors import InUseError
from rarecase.core.locks import locked

HOLDS = """
import sys, time
from pathlib import Path
from rarecase.core.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_second_is_refused_by_the_name_of_the_folder_and_nothing_stays(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    says = r"out: another process works in it; wait until it has ended, or name"
    with locked(folder), pytest.raises(InUseError, match=says), locked(tmp_path / "else" / ".." / "out"):
        pass
    with locked(folder):
        pass
    assert list(tmp_path.iterdir()) == [folder]


def test_the_folders_above_one_that_was_not_begun_go_too(tmp_path):
    with locked(tmp_path / "new" / "deep" / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_who_waits_says_so_once_and_comes_to_it(tmp_path, capsys):
    folder, order = tmp_path / "out", []

    def second() -> None:
        with locked(folder, "the first"):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(folder):
        thread.start()
        while "waiting" not in capsys.readouterr().err:
            time.sleep(0.01)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


def test_a_process_that_is_killed_lets_go(tmp_path, forks):
    folder = tmp_path / "out"
    holder = forks.begin(["-c", HOLDS, folder])
    while "held" not in holder.said():
        time.sleep(0.01)
    with pytest.raises(InUseError), locked(folder):
        pass
    holder.kill()
    holder.wait()
    with locked(folder):
        assert Path(tmp_path / ".out.lock").exists()
    assert list(tmp_path.iterdir()) == []
