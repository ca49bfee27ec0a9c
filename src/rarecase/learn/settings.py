"""What several learners are told alike: checked here, and what of it they share."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

from rarecase.core.errors import ConfigError

Precision = Literal["fp32", "bf16"] | None
L = TypeVar("L")

# Of whatever is fine-tuned.
WARMUP = 0.1  # of all updates; the first has the learning rate 0, as in transformers' Trainer
MAX_GRADIENT_NORM = 1.0
RATES = (1.0, 0.5, 2.0)  # of the learning rate: what there is to choose from on dev


def check_settings(*, class_weights: str | None = None, precision: str | None = None, **counts: int | None) -> None:
    """
    Refuses what no learner can do.

    Args:
        class_weights (`str`, *optional*): `balanced`, `sqrt` or None.
        precision (`str`, *optional*): `fp32`, `bf16` or None.
        counts (`int`, *optional*): of epochs, updates and the like, by name.

    Raises:
        `ConfigError`: naming the setting, its value and what was expected.

    Example:
        >>> check_settings(class_weights="sqrt", epochs=3)
    """
    if precision not in (None, "fp32", "bf16"):
        raise ConfigError(f"precision {precision!r}: expected 'fp32' or 'bf16'")
    if class_weights not in ("balanced", "sqrt", None):
        raise ConfigError(f"class_weights {class_weights!r}: expected 'balanced', 'sqrt' or None")
    for name, value in counts.items():
        if value is not None and value < 1:
            raise ConfigError(f"{name} = {value}: expected at least 1")


def precision_or_best(precision: Precision) -> str:
    """
    The precision that was asked for; where none was, bf16 on a CUDA device that has it, else fp32.

    Example:
        >>> precision_or_best("bf16")
        'bf16'
    """
    if precision is not None:
        return precision
    import torch

    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "fp32"


def rates(learning_rate: float) -> list[float]:
    """
    The learning rates to choose from, this one first.

    Example:
        >>> rates(2e-5)
        [2e-05, 1e-05, 4e-05]
    """
    return [share * learning_rate for share in RATES]


def copies(learner: L, name: str, values: Sequence[Any]) -> Iterator[L]:
    """
    Copies of a learner that is not fitted, one for each value of an attribute, each made when it is asked for.

    Args:
        learner (`Learner`): stays as it is.
        name (`str`): of the attribute.
        values (`Sequence`): what it is set to.

    Example:
        >>> [variant.C for variant in copies(learner, "C", [1.0, 3.0])]
        [1.0, 3.0]
    """
    for value in values:
        variant = copy.copy(learner)
        setattr(variant, name, value)
        yield variant
