"""Exceptions of a server, without their messages, which could contain a text."""

import logging
import traceback

logger = logging.getLogger(__name__)


def log_place(error: Exception) -> None:
    """Logs the type of an exception, and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s in %s, line %s", type(error).__name__, place.filename, place.lineno)
