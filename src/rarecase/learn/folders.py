"""Model folders that are there whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from rarecase.errors import DiskFullError, ModelError
from rarecase.files import is_disk_full

_LEARNER_FILES = ("config.json", "head.safetensors")


@contextlib.contextmanager
def write_folder_beside(folder: Path) -> Iterator[Path]:
    """
    Gives an empty folder beside `folder`, and renames it to `folder` when the block ends without an error.

    A learner that stands there already is replaced; anything else is left alone.

    Raises:
        `ModelError`: where `folder` holds something that is no learner.
        `DiskFullError`: where the disk has no space left.

    Example:
        >>> with write_folder_beside(Path("learner")) as temporary:
        ...     model.save_pretrained(temporary)
    """
    if folder.exists() and not _replaceable(folder):
        raise ModelError(f"{folder}: holds something else than a learner; give a new folder, or empty this one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = (folder.with_name(f".{folder.name}.{kind}") for kind in ("tmp", "old"))
    for left_over in (temporary, old):
        shutil.rmtree(left_over, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if folder.exists():  # a rename does not replace a folder with files in it
            os.replace(folder, old)
        os.replace(temporary, folder)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if is_disk_full(error):
            raise DiskFullError(f"{folder}: no space left on the disk; free some and repeat the command") from error
        raise
    shutil.rmtree(old, ignore_errors=True)


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and (not any(folder.iterdir()) or any((folder / name).is_file() for name in _LEARNER_FILES))
