"""
`certificate.json` of a model folder: the thresholds of a guard, and what was measured to rely on them.

    {"format": 1, "confidence", "max_alarm", "preprocessing", "model_sha256", "dtype", "backend", "temperature",
     "differences": [{"setting", "largest"}],
     "classes": {NAME: {"target", "threshold", "positives", "misses", "bound", "windows": {"one", "several"},
                        "alarm_rate": {"rate", "low", "high"}, "alarm_harmless": {"rate", "low", "high"}, "refused"}},
     "not_asked": [NAME], "alarm_any": {"rate", "low", "high"}, "alarm_certified": {"rate", "low", "high"},
     "rows": {"drawn", "labelled", "uses", "ids_sha256", "known"}}

Numbers, names of classes and hashes: no text of the data, and no path. `misses` is how many of the positives the
threshold may miss, decided before their scores are looked at, and `bound` the exact lower bound of the recall for so
many; rows without a label are among both positives and misses. Of a class that is refused, `threshold` is null; of one
that is refused by its number of positives, so are the alarm rates. `differences` are of the scores of the positives in
other settings, and empty where no score of a positive was used.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rarecase.core.files import write_json
from rarecase.learn.record import read_json_of_model

CERTIFICATE = "certificate.json"
FORMAT = 1


@dataclass(frozen=True)
class Rate:
    """A share of rows, with its exact two-sided interval at the confidence of the certificate."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Windows:
    """How many labelled positives were scored in one window, and how many in several."""

    one: int
    several: int


@dataclass(frozen=True)
class ClassCertificate:
    """What is certified of one class, or why nothing is."""

    target: float
    threshold: float | None
    positives: int
    misses: int
    bound: float
    windows: Windows
    alarm_rate: Rate | None  # of the rows that are not of the class; None where no threshold was tried
    alarm_harmless: Rate | None  # of the rows whose class is harmless
    refused: str | None


@dataclass(frozen=True)
class Difference:
    """The largest difference of a score between the setting of the certificate and another."""

    setting: str
    largest: float


@dataclass(frozen=True)
class Rows:
    """The certification rows; `known` is whether the model says what it was trained on, so that this was checked."""

    drawn: int
    labelled: int
    uses: int
    ids_sha256: str
    known: bool


@dataclass(frozen=True)
class Certificate:
    """The content of `certificate.json`."""

    confidence: float
    max_alarm: float
    preprocessing: str
    model_sha256: str
    dtype: str
    backend: str
    temperature: float
    differences: tuple[Difference, ...]
    classes: dict[str, ClassCertificate]
    not_asked: tuple[str, ...]  # classes that are not harmless, and that nothing was asked of
    alarm_any: Rate
    alarm_certified: Rate
    rows: Rows

    @property
    def certified(self) -> tuple[str, ...]:
        """The classes that have a threshold here."""
        return tuple(name for name, found in self.classes.items() if found.threshold is not None)

    @classmethod
    def read(cls, folder: Path) -> "Certificate | None":
        """The certificate of a model folder, checked whole; None where it has none."""
        path = folder / CERTIFICATE
        if not path.exists():
            return None
        way = "delete this file, and calibrate again with `rarecase guard calibrate`"  # which reads it too
        return read_json_of_model(cls, path, FORMAT, way, way)

    def write(self, folder: Path) -> None:
        """Writes `certificate.json` into a model folder."""
        write_json(folder / CERTIFICATE, {"format": FORMAT, **asdict(self)})


def model_sha256(folder: Path, names: Sequence[str]) -> str:
    """A hash over the weights of a model folder, whatever its files are called, and its classes in their order."""
    weights = []
    for path in folder.rglob("*.safetensors"):
        with path.open("rb") as file:
            weights.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256(json.dumps([sorted(weights), list(names)]).encode()).hexdigest()


def ids_sha256(ids: Sequence[str]) -> str:
    """A hash over the ids of rows in any order."""
    return hashlib.sha256(json.dumps(sorted(ids)).encode()).hexdigest()
