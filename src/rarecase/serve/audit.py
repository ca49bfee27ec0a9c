"""A file of verdicts, without texts: what was said, when, by which revision, so that an appeal can be answered."""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rarecase.core.errors import ConfigError
from rarecase.guard.verdict import Verdict
from rarecase.serve.metrics import Metrics

logger = logging.getLogger(__name__)


class Audit:
    """A line of JSON for each text, added to a file that only its owner reads."""

    def __init__(self, path: Path, metrics: Metrics):
        try:
            path.touch(mode=0o600)
            self.file = path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise ConfigError(f"--audit {path}: {error.strerror}; choose a file that can be written") from None
        self.path, self.metrics = path, metrics

    def write(self, id_: str, model: str, verdicts: Sequence[Verdict]) -> None:
        """Adds the verdicts of a request; where that fails it is counted, and the request is answered all the same."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = [
            json.dumps({"id": id_, "time": time, "model": model, "text": place, **verdict.to_json()})
            for place, verdict in enumerate(verdicts)
        ]
        try:
            self.file.write("".join(f"{line}\n" for line in lines))
            self.file.flush()
        except OSError as error:
            self.metrics.audit_failures.inc()
            logger.error("--audit %s: %s", self.path, error.strerror)

    def close(self) -> None:
        """Closes the file."""
        self.file.close()
