"""A place that cannot be written, or has no room left, is one line, and nothing is left there."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from rarecase.cli.main import command

WORDS = ["medical-advice", "legal-advice", "discard"]


def published(folder: Path) -> Path:
    """The seven files that `import-published` reads."""
    folder.mkdir()
    for name in ("bootstrap", "dev", "test"):
        rows = [f"{name}{i}\tr\t{name} garden {i}\t{WORDS[i % 3]}" for i in range(6)]
        (folder / f"{name}_labeled.tsv").write_text("\n".join(["id\tsubreddit\ttitle\tcategory", *rows]) + "\n")
    for name in ("random", "topn", "coreset", "cluster"):
        posts = [f"{name}{i}\t{name} recipe {i}\tr\t{WORDS[i % 3]}" for i in range(100)]
        varied = [f"{name}{i}\t{name} recipe {i} again {k}\tr\t{WORDS[i % 3]}" for i in range(100) for k in range(5)]
        (folder / f"{name}-all.tsv").write_text("\n".join(["id\ttext\tsubreddit\tcategory", *varied, *posts]) + "\n")
    return folder


@pytest.fixture
def commands(tmp_path, capsys):
    """Runs both commands that make data with these places, and gives the line of each."""
    rows = "".join(f"{i},{' '.join(f'{i * k * 7919 % 100_003:x}' for k in range(1, 60))}\n" for i in range(300))
    (tmp_path / "pool.csv").write_text(f"id,text\n{rows}")
    folder = published(tmp_path / "in")

    def run(pool: Path | str, release: Path | str) -> list[str]:
        lines = []
        for arguments in (
            ["pool", tmp_path / "pool.csv", "--out", pool],
            ["import-published", folder, "--out", release],
        ):
            assert command(list(map(str, arguments))) == 2
            printed = capsys.readouterr()
            assert printed.out == ""
            assert printed.err.count("\n") == 1
            lines.append(printed.err)
        return lines

    return run


def test_a_read_only_disk_is_one_line(commands, small_disk):
    disk = small_disk("1m")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for line in commands(disk / "pool.parquet", disk / "release"):
        assert "cannot be written (Read-only file system); name another place" in line


def test_a_full_disk_is_one_line_and_nothing_is_left_there(commands, small_disk):
    disk = small_disk("24k")
    for line in commands(disk / "pool.parquet", disk / "release"):
        assert "no space left on the disk; free some" in line
    assert not list(disk.iterdir())


def test_a_file_that_may_not_grow_is_a_disk_that_is_full(commands, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        lines = commands(tmp_path / "pool.parquet", tmp_path / "release")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert all("no space left on the disk; free some" in line for line in lines)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "pool.csv"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["report", "--help"]], ids=" ".join)
def test_an_output_that_is_full_is_one_line(arguments, monkeypatch, capsys):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert command(arguments) == 2
    line = "rarecase: the output: no space left on the disk; free some and repeat the command"
    assert capsys.readouterr().err.startswith(line)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_is_for_a_closed_stream_does_not_go_to_the_other(stream, monkeypatch, capsys):
    monkeypatch.setattr(sys, stream, None)
    assert command(["--version"]) == 0
    assert command(["report", "nowhere"]) == 2
    getattr(sys, stream).close()
    printed = capsys.readouterr()
    assert [printed.out.count("\n"), printed.err.count("\n")] == [stream != "stdout", stream != "stderr"]


def test_a_place_that_is_none_is_one_line(commands, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.parquet").mkdir()
    long = tmp_path / f"{'n' * 247}.parquet", tmp_path / ("n" * 252)  # one that has no name to write beside
    nowhere = "/proc/nowhere.parquet", "/proc/nowhere"
    for pool, release in (long, nowhere, (tmp_path / "file" / "a.parquet", tmp_path / "file" / "a")):
        for line in commands(pool, release):
            assert "cannot be written (" in line
    for line in commands(tmp_path / f"{'n' * 300}.parquet", tmp_path / ("n" * 300)):
        assert "too long" in line
    assert "folder.parquet: exists already; " in commands(tmp_path / "folder.parquet", "/proc/nowhere")[0]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "{}", "--config-name", "a", "--out", "o"],
        ["predict", "{}", "p", "--out", "o.csv"],
        ["predict", "m", "p", "--out", "{}.csv"],
        ["experiment", "--data", "{}", "--out", "o"],
        ["run", "--start", "{}", "--generator", "none", "--out", "o"],
        ["run", "--pool", "{}", "--bootstrap", "{}", "--dev", "d", "--test", "t", "--generator", "none", "--out", "o"],
        ["start", "--pool", "p", "--taxonomy", "{}", "--out", "o"],
        ["report", "{}"],
        ["publish", "dataset", "{}", "--repo", "a/b", "--license", "mit"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_name_of_300_letters_is_one_line(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").write_text("")
    assert command([argument.replace("{}", "n" * 300) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("rarecase: ")
    assert printed.err.count("\n") == 1
