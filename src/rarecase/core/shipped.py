"""The folders at the top of the project that the wheel contains: cards and Spaces."""

from pathlib import Path
from typing import Literal


def shipped(name: Literal["dataset_card", "model_cards", "spaces"]) -> Path:
    """The folder, in the installed package or in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / name
    return inside if inside.is_dir() else package.parents[1] / name
