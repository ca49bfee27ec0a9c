"""A file of verdicts, without texts: what was said, when, by which revision, so that an appeal can be answered."""

import errno
import json
import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from rarecase.core.errors import ConfigError
from rarecase.guard.verdict import Verdict
from rarecase.serve.metrics import Metrics

logger = logging.getLogger(__name__)


class Audit:
    """
    A line of JSON for each text, in a file that only its owner reads; it is opened for each request, so that another
    begins where it was moved away, and nothing is kept for later where the disk is full.
    """

    def __init__(self, path: Path, metrics: Metrics):
        self.path, self.metrics = path, metrics
        self._cut = b""  # what ends a line of which only the beginning could be written
        try:
            self._opened().close()
        except OSError as error:
            raise ConfigError(f"--audit {path}: {error.strerror}; choose a file that can be written") from None

    def write(self, id_: str, model: str, verdicts: Sequence[Verdict]) -> None:
        """Adds the verdicts of a request; where that fails it is counted, and the request is answered all the same."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = [
            json.dumps({"id": id_, "time": time, "model": model, "text": place, **verdict.to_json()})
            for place, verdict in enumerate(verdicts)
        ]
        content = self._cut + "".join(f"{line}\n" for line in lines).encode()
        try:
            with self._opened() as file:
                written = file.write(content) or 0
            if written:
                self._cut = b"\n" if written < len(content) else b""
            if written < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.metrics.audit_failures.inc()
            logger.error("--audit %s: %s", self.path, error.strerror)

    def _opened(self) -> BinaryIO:
        """The file; of a pipe that nobody reads an error, and no waiting."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)
        return os.fdopen(descriptor, "ab", buffering=0)
