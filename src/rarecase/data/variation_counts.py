"""How many variations of a run are learned from, and by which policy."""

from dataclasses import dataclass
from typing import Literal

# Which variations are learned from, see `rarecase.verify.policy`; where none is stated, those that failed no check.
Policy = Literal["strict", "majority", "none"]


@dataclass(frozen=True)
class VariationCounts:
    """Of one class: the variations that were made, those that are learned from, and how many failed which check."""

    made: int
    kept: int
    failed: dict[str, int]
