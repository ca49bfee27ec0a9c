"""Packages of an extra that are not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from rarecase.core.errors import ConfigError


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """Reports a package that `what` lacks in one line, with the extra of rarecase that has it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what} needs {error.name}, which is not installed; pip install 'rarecase[{extra}]'"
        ) from None
