"""What a strategy is: a function, the columns that it needs, and its name."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from datasets import Dataset

from rarecase.data.arrow import HELPERS

ENCODERS = {"embedding", "cluster", "similarity"}  # those that come from the encoder's vectors


LEARNERS = {"probs", "features", "mc_probs"}  # those that the learner makes anew in every round


Strategy = Callable[..., Dataset]


F = TypeVar("F", bound=Callable[..., Any])


def needs(*columns: str, labeled: Sequence[str] = ()) -> Callable[[F], F]:
    """
    Says which columns a strategy reads, in its attributes `needs` and `needs_labeled`; the loop makes those before it
    calls the strategy.

    Args:
        columns (`str`): of the pool.
        labeled (`Sequence[str]`): of the rows that people labelled, beside `text` and `label`; `cluster` and
            `similarity` are made of the pool alone.

    Example:
        >>> @needs("probs")
        ... def least_confident(pool, n, *, labeled=None, seed=0): ...
    """

    def mark(function: F) -> F:
        function.needs = columns  # type: ignore[attr-defined]
        function.needs_labeled = tuple(labeled)  # type: ignore[attr-defined]
        return function

    return mark


def columns_of(strategy: Strategy) -> set[str]:
    """The columns of the pool that a strategy reads; where it does not say, all but `mc_probs`, which take longest."""
    return set(getattr(strategy, "needs", [column for column in HELPERS if column != "mc_probs"]))


def labeled_columns_of(strategy: Strategy) -> set[str]:
    """The columns of the labelled rows that a strategy reads; where it does not say, none."""
    return set(getattr(strategy, "needs_labeled", ()))


def needs_encoder(strategy: Strategy) -> bool:
    """Whether a strategy reads, of the pool or of the labelled rows, what comes from the encoder's vectors."""
    return bool((columns_of(strategy) | labeled_columns_of(strategy)) & ENCODERS)


def name_of(strategy: Strategy) -> str:
    """How a strategy is called in tables and folders."""
    return getattr(strategy, "__name__", type(strategy).__name__)
