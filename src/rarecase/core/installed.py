"""Packages of the extra `app` that are not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from rarecase.core.errors import ConfigError


@contextmanager
def needs_app(what: str) -> Iterator[None]:
    """Reports a package that is missing in one line, with the way to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(f"{what} needs {error.name}, which is not installed; pip install 'rarecase[app]'") from None
