"""Where a config of a release comes from, and what became of the variations in it."""

from dataclasses import dataclass
from typing import Literal, Required, TypedDict

# Which variations are learned from, see `rarecase.verify.policy`; where none is stated, those that failed no check.
Policy = Literal["strict", "majority", "none"]


@dataclass(frozen=True)
class VariationCounts:
    """Of one class: the variations that were made, those that are learned from, and how many failed which check."""

    made: int
    kept: int
    failed: dict[str, int]


class Acquired(TypedDict, total=False):
    """Who acquired a config (`run`, `start`, `given`, `import-published`), and the settings that others may know."""

    by: Required[str]
    reading: str
    strategy: str
    learner: str
    model: str
    encoder: str
    annotator: str
    annotator_model: str
    doubtful_to: str
    sure: float
    generator: str
    generator_model: str | None
    contrasts: bool  # there only where it asked for contrasts
    budget: int
    batch: int
    clusters: int | None
    variations: int
    policy: Policy
    seed: int
    stop_when: str
