"""
Files that are there whole or not at all: written beside, then renamed.

A kill can leave `.NAME.PID.tmp` behind and nothing else, which the next write of the same file removes. Processes that
write one file at the same time do not meet: that of the last one stays.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rarecase.core.documents import parse_json, read_document, reason
from rarecase.core.errors import ConfigError, DataError, DiskFullError


def require_new(out: Path, *endings: str, option: str = "--out") -> None:
    """Refuses a name that exists already, has none of the endings, or is in a place that cannot be written."""
    if endings and out.suffix.lower() not in endings:
        known = " or ".join(filter(None, (", ".join(endings[:-1]), endings[-1])))
        raise ConfigError(f"{option} {out}: expected a name that ends in {known}")
    if os.path.exists(out):  # `Path.exists` raises for a name that is too long
        raise ConfigError(f"{option} {out}: exists already; name another, or remove it")
    parent = next(place for place in out.absolute().parents if os.path.exists(place))
    with writable(out):
        tempfile.TemporaryFile(dir=parent).close()


@contextlib.contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """Gives a temporary path in the same folder, and renames it to `path` when the block ends without an error."""
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _own_temporary(path)
        temporary.touch()  # so that a folder which cannot be written says so here, whatever writes the file
    try:
        yield temporary
        with writable(path):
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):  # of a disk that is read-only
            temporary.unlink(missing_ok=True)
        with writable(path, temporary):
            raise


@contextlib.contextmanager
def write_folder_beside(folder: Path) -> Iterator[Path]:
    """
    Gives an empty folder beside `folder`, and renames it to `folder` when the block ends without an error.

    An existing folder is moved to `.NAME.old` and deleted once the new one is there, so a kill at any moment leaves
    one of the two whole. Whether it may be replaced is for the caller to check.
    """
    folder = folder.resolve()  # "." and ".." have no name to write beside
    old = folder.with_name(f".{folder.name}.old")
    with writable(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = _own_temporary(folder)
        temporary.mkdir()
    try:
        yield temporary
        if folder.exists():  # a rename does not replace a folder with files in it
            shutil.rmtree(old, ignore_errors=True)
            os.replace(folder, old)
        os.replace(temporary, folder)
    except BaseException:
        if old.exists() and not folder.exists():  # between the two renames
            os.replace(old, folder)
        shutil.rmtree(temporary, ignore_errors=True)
        with writable(folder, temporary):
            raise
    shutil.rmtree(old, ignore_errors=True)


def _own_temporary(path: Path) -> Path:
    """A free temporary path beside it, of this process alone; what killed processes have left of theirs is removed."""
    own = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove(own)
    form = re.compile(rf"\.{re.escape(path.name)}\.([1-9][0-9]{{0,6}})\.tmp")
    with contextlib.suppress(OSError):  # of a folder that may not be listed, or of what is somebody else's
        for left in filter(None, map(form.fullmatch, os.listdir(path.parent))):
            if not _is_running(int(left[1])):
                _remove(path.with_name(left[0]))
    return own


def _remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.unlink(missing_ok=True)  # also a link to elsewhere, in a folder that somebody else made


def _is_running(process: int) -> bool:
    if os.name != "posix":  # there it would be ended
        return True
    try:
        os.kill(process, 0)  # sends nothing
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


@contextlib.contextmanager
def writable(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Errors of the system about a place that cannot be written, or about a temporary one for it, as one line."""
    try:
        yield
    except Exception as error:
        if is_disk_full(error):
            raise disk_full(path) from error
        is_there = temporary is None or Path(getattr(error, "filename", None) or path) == temporary
        if isinstance(error, OSError) and is_there:
            raise DataError(f"{path}: cannot be written ({error.strerror}); name another place") from error
        raise


def refused_by_system(error: OSError) -> str | None:
    """One line for an error of the system about a file or folder, or a full disk; None where it is none of these."""
    path = None if error.filename is None else Path(os.fsdecode(error.filename))
    if is_disk_full(error):
        return str(disk_full(path or Path("the output")))
    if path is None:
        return None
    return f"{path}: {error.strerror}; name another place, or change what is there"


def disk_full(path: Path, note: str = "") -> DiskFullError:
    """The error for a file or folder that the disk has no space for."""
    return DiskFullError(
        f"{path}: no space left on the disk; free some and repeat the command (continue a run with --resume){note}"
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of the system or of a library says that the disk, or a share of it, is full."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    full = ("No space left on device", "Not enough disk space", "os error 28", "os error 27", "disk is full")
    known = isinstance(error, OSError | sqlite3.Error) or type(error).__name__ == "SafetensorError"
    return known and any(sign in str(error) for sign in full)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with write_beside(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Writes JSON with a stable layout, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Reads what `write_json` wrote."""
    try:
        return parse_json(read_document(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason(error)}); correct that and repeat the command") from error
    except ValueError as error:
        raise DataError(f"{path}: not readable JSON; remove it and repeat the command that wrote it") from error


def leads_out(name: str) -> bool:
    """Whether a path or a pattern that a file names may lead out of its folder: up, to a root, a home or a host."""
    return ":" in name or name.startswith(("/", "\\", "~")) or ".." in re.split(r"[/\\]", name)


def digest(paths: Iterable[Path]) -> str:
    """One hash over the contents of files, to check that a run continues with the data it started with."""
    sum_ = hashlib.blake2b(digest_size=16)
    for path in paths:  # a hash for each, so that no byte can move from one file to the next unseen
        sum_.update(_hash(path) if path.is_file() else b"absent")
    return sum_.hexdigest()


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, hashlib.blake2b).digest()
