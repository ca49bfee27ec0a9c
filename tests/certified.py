"""Certificates that are made up, of models that are there."""

from pathlib import Path

from small import NAMES

from rarecase.guard.certificate import Certificate, ClassCertificate, Rate, Rows, Windows, model_sha256
from rarecase.guard.guard import PREPROCESSING


def write(folder: Path, thresholds: dict[str, float | None]) -> Path:
    """Writes one that is of the model in the folder; a class without a threshold is refused."""
    rate, rows = Rate(0.0, 0.0, 1.0), Rows(1, 1, 1, "", True)
    classes = {
        name: ClassCertificate(0.9, at, 9, 0, 0.9, Windows(9, 0), rate, rate, None if at else "few")
        for name, at in thresholds.items()
    }
    of = model_sha256(folder, NAMES)
    Certificate(0.95, 0.3, PREPROCESSING, of, "fp32", "torch", 1.0, (), classes, (), rate, rate, rows).write(folder)
    return folder
