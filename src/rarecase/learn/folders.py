"""Model folders that are there whole or not at all, and that replace nothing but an earlier learner."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rarecase.core.errors import ModelError
from rarecase.core.files import write_folder_beside
from rarecase.learn.record import ModelRecord

_LEARNER_FILES = ("config.json", "head.safetensors")


@contextlib.contextmanager
def write_learner_beside(folder: Path, record: ModelRecord | None = None) -> Iterator[Path]:
    """
    Gives an empty folder beside `folder`, and renames it to `folder` when the block ends without an error.

    Args:
        folder (`Path`): where the learner is to stand.
        record (`ModelRecord`, *optional*): written beside what the block writes.

    Raises:
        `ModelError`: where `folder` holds something that is no learner.
        `DiskFullError`: where the disk has no space left.

    Example:
        >>> with write_learner_beside(Path("learner")) as temporary:
        ...     model.save_pretrained(temporary)
    """
    if folder.exists() and not _replaceable(folder):
        raise ModelError(f"{folder}: holds something else than a learner; give a new folder, or empty this one")
    with write_folder_beside(folder) as temporary:
        yield temporary
        if record is not None:
            record.write(temporary)


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and (not any(folder.iterdir()) or any((folder / name).is_file() for name in _LEARNER_FILES))
