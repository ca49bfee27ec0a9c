"""Labels by people: an append-only log of what happened, who gets which text, agreement, and what was decided."""

from pathlib import Path
from typing import TYPE_CHECKING

from rarecase.core.errors import ConfigError

if TYPE_CHECKING:
    from rarecase.labeling.store.store import Store


def file_of(address: str) -> Path:
    """
    The file of a store that is no URL: of a folder, such as that of a run, the one in it.

    Example:
        >>> file_of("run")
        PosixPath('run/labels.sqlite')
    """
    path = Path(address)
    return path / "labels.sqlite" if path.is_dir() else path


def opened(address: str) -> "Store":
    """
    The label store at an address, see `rarecase.labeling.store.store.open_store`.

    Raises:
        `ConfigError`: where nothing can be opened there, or what it takes is not installed.
    """
    try:
        from rarecase.labeling.store.store import open_store
    except ModuleNotFoundError as error:
        # Without the address: a password may stand in it, and what would take that out is what is missing.
        raise ConfigError(f"--store needs {error.name}, which is not installed; pip install 'rarecase[app]'") from None
    return open_store(address)
