"""Files are there whole or not at all: after an error, a kill, a full disk."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from rarecase.core.errors import DataError, DiskFullError
from rarecase.core.files import (
    digest,
    is_disk_full,
    read_json,
    write_beside,
    write_folder_beside,
    write_json,
    write_text,
)
from rarecase.data.parquet import read_parquet, write_parquet


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def posts(rows: int) -> Dataset:
    features = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=["a", "b"])})
    columns = {
        "id": [str(i) for i in range(rows)],
        "text": [f"walk {i}" for i in range(rows)],
        "label": [i % 2 for i in range(rows)],
    }
    return Dataset.from_dict(columns, features)


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 16 KB; only root can mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here (only root may)")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)  # an error's traceback may hold a file open


# --- one file --------------------------------------------------------------------------------------------------------


def test_a_file_is_written_beside_and_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    with write_beside(path) as temporary:
        temporary.write_text("{}")
        assert temporary.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "{}"
    assert names(tmp_path) == ["new", "new/metrics.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_no_temporary_one(tmp_path, error):
    path = tmp_path / "metrics.json"
    path.write_text("old")

    def write() -> None:
        with write_beside(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["metrics.json"]


def test_what_a_kill_left_behind_is_no_obstacle(tmp_path):
    script = (
        "import os, signal; from pathlib import Path; from rarecase.core.files import write_beside\n"
        "with write_beside(Path('metrics.json')) as t: t.write_text('x' * 99); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = ended(script, tmp_path)
    assert names(tmp_path) == [f".metrics.json.{killed}.tmp"]
    write_json(tmp_path / "metrics.json", {"a": "é"})
    assert (tmp_path / "metrics.json").read_bytes() == '{\n  "a": "é"\n}\n'.encode()
    assert names(tmp_path) == ["metrics.json"]


def ended(script: str, folder: Path) -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", script], cwd=folder) as process:
        return process.pid


def test_two_processes_that_write_one_file_do_not_meet(tmp_path, monkeypatch):
    path = tmp_path / "pool.parquet"
    with write_beside(path) as first:
        first.write_text("half")
        with monkeypatch.context() as second:
            second.setattr(os, "getpid", os.getppid)  # which is running, too
            write_text(path, "of the second")
        assert path.read_text() == "of the second"
        first.write_text("whole")
    assert path.read_text() == "whole"
    assert names(tmp_path) == ["pool.parquet"]


# --- a folder --------------------------------------------------------------------------------------------------------


def write_model(folder: Path, content: str) -> None:
    with write_folder_beside(folder) as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "weights").write_text(content)


def test_a_folder_is_written_beside_and_replaces_the_old_one_with_all_its_files(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale").write_text("old")
    write_model(tmp_path / "model", "new")
    assert names(tmp_path) == ["model", "model/deep", "model/deep/weights"]


def test_an_exception_leaves_the_old_folder_and_no_temporary_one(tmp_path):
    write_model(tmp_path / "model", "old")

    def write() -> None:
        with write_folder_beside(tmp_path / "model") as temporary:
            (temporary / "weights").write_text("half")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no words
        write()
    assert (tmp_path / "model" / "deep" / "weights").read_text() == "old"
    assert names(tmp_path) == ["model", "model/deep", "model/deep/weights"]


@pytest.mark.parametrize("standing", [True, False], ids=["before the renames", "between the two renames"])
def test_the_folders_that_a_kill_left_are_cleaned_up_by_the_next_write(tmp_path, standing):
    if standing:
        write_model(tmp_path / "model", "old")
    killed = ended("", tmp_path)
    for left in (f".model.{killed}.tmp", ".model.old"):
        write_model(tmp_path / left, "left over")
    write_model(tmp_path / "model", "new")
    assert (tmp_path / "model" / "deep" / "weights").read_text() == "new"
    assert names(tmp_path) == ["model", "model/deep", "model/deep/weights"]


def test_an_error_between_the_two_renames_puts_the_old_folder_back(tmp_path):
    write_model(tmp_path / "model", "old")
    with pytest.raises(DataError), write_folder_beside(tmp_path / "model") as folder:
        folder.rmdir()  # so that the second rename fails
    assert names(tmp_path) == ["model", "model/deep", "model/deep/weights"]
    assert (tmp_path / "model" / "deep" / "weights").read_text() == "old"


def test_two_processes_that_write_one_folder_do_not_meet(tmp_path, monkeypatch):
    with write_folder_beside(tmp_path / "model") as first:
        with monkeypatch.context() as second:
            second.setattr(os, "getpid", os.getppid)
            write_model(tmp_path / "model", "of the second")
        (first / "weights").write_text("of the first")
    assert names(tmp_path) == ["model", "model/weights"]


def test_the_working_folder_itself_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path / "model")
    write_model(Path(), "new")
    assert (tmp_path / "model" / "deep" / "weights").read_text() == "new"


# --- a full disk -----------------------------------------------------------------------------------------------------


def random_posts() -> Dataset:
    """More than the disk holds, and nothing that compresses."""
    return Dataset.from_dict({"text": [os.urandom(40).hex() for _ in range(2_000)]})


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_text(path, "x" * 100_000),
        lambda path: write_json(path, ["x" * 100_000]),
        lambda path: write_parquet(path, random_posts()),
    ],
    ids=["text", "json", "parquet"],
)
def test_a_full_disk_is_said_in_one_line_and_leaves_the_folder_as_it_was(tiny_disk, write):
    (tiny_disk / "stage").write_text("old")
    with pytest.raises(DiskFullError, match=r"stage: no space left on the disk; free some and repeat") as caught:
        write(tiny_disk / "stage")
    assert "\n" not in str(caught.value)
    assert (tiny_disk / "stage").read_text() == "old"
    assert names(tiny_disk) == ["stage"]


def test_a_full_disk_leaves_the_old_folder(tiny_disk):
    write_model(tiny_disk / "model", "old")
    with pytest.raises(DiskFullError, match=r"model: no space left"):
        write_model(tiny_disk / "model", "x" * 100_000)
    assert (tiny_disk / "model" / "deep" / "weights").read_text() == "old"
    assert names(tiny_disk) == ["model", "model/deep", "model/deep/weights"]


def test_a_full_disk_is_recognised_in_the_errors_of_the_libraries(tiny_disk):
    import sqlite3

    import pyarrow.parquet as pq
    from safetensors.numpy import save_file

    def in_sqlite() -> None:
        with sqlite3.connect(tiny_disk / "replies.sqlite") as store:
            store.execute("create table replies (text)")
            store.execute("insert into replies values (?)", ["x" * 100_000])

    writers = {
        "sqlite": in_sqlite,
        "arrow": lambda: pq.write_table(random_posts().data.table, tiny_disk / "posts.parquet"),
        "safetensors": lambda: save_file({"a": np.ones(100_000)}, tiny_disk / "a.safetensors"),
    }
    for library, write in writers.items():
        with pytest.raises(Exception) as caught:  # noqa: PT011 - each library has its own
            write()
        assert is_disk_full(caught.value), f"{library}: {caught.value!r}"
        for path in tiny_disk.iterdir():
            path.unlink()


def test_another_error_is_no_full_disk():
    assert not is_disk_full(OSError("broken pipe"))
    assert not is_disk_full(ValueError("No space left on device"))


# --- Parquet ---------------------------------------------------------------------------------------------------------


def test_a_parquet_file_cut_anywhere_is_a_data_error_that_names_it(tmp_path):
    path, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    write_parquet(path, posts(200))
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut\.parquet: not a readable Parquet file \(truncated\?\)") as caught:
            read_parquet(cut)
        assert "\n" not in str(caught.value)


def test_a_parquet_file_with_a_hole_is_a_data_error(tmp_path):
    path = tmp_path / "hole.parquet"
    write_parquet(path, posts(200))
    whole = bytearray(path.read_bytes())
    whole[4:400] = bytes(396)
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"hole\.parquet: not a readable Parquet file"):
        read_parquet(path)


def test_a_missing_parquet_file_is_no_truncated_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_parquet(tmp_path / "absent.parquet")


def test_writing_parquet_shows_no_bar_and_leaves_the_setting_of_bars_alone(tmp_path):
    script = (
        "from datasets import Dataset; from rarecase.data.parquet import write_parquet\n"
        "from datasets.utils.tqdm import are_progress_bars_disabled, disable_progress_bars\n"
        "from pathlib import Path; write_parquet(Path('a'), Dataset.from_dict({'a': [1]}))\n"
        "assert not are_progress_bars_disabled(); disable_progress_bars()\n"
        "write_parquet(Path('a'), Dataset.from_dict({'a': [1]})); assert are_progress_bars_disabled()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "HF_DATASETS_DISABLE_PROGRESS_BARS"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_json_that_the_system_does_not_give_is_not_to_be_removed(tmp_path):
    (tmp_path / "there.json").mkdir()
    with pytest.raises(DataError, match=r"there\.json: cannot be read \(not a file\); correct that and repeat"):
        read_json(tmp_path / "there.json")
    with pytest.raises(DataError, match=r"a\.json: cannot be read \(No such file or directory\)"):
        read_json(tmp_path / "a.json")
    (tmp_path / "cut.json").write_text("{")
    with pytest.raises(DataError, match=r"cut\.json: not readable JSON; remove it and repeat the command"):
        read_json(tmp_path / "cut.json")


def test_a_digest_follows_the_contents_and_their_places(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"

    def with_contents(first: bytes, second: bytes | None) -> str:
        a.write_bytes(first)
        b.unlink(missing_ok=True)
        if second is not None:
            b.write_bytes(second)
        return digest([a, b])

    cases = [(b"xy", b"z"), (b"x", b"yz"), (b"z", b"xy"), (b"xy", b"Z"), (b"xy", b""), (b"xy", None)]
    found = [with_contents(*case) for case in cases]
    assert len(set(found)) == len(cases)
    assert with_contents(*cases[0]) == found[0]
