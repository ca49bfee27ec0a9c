"""What a strategy is: a function, the columns that it needs, and its name."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from datasets import Dataset

from rarecase.data.arrow import HELPERS

ENCODERS = {"embedding", "cluster", "similarity"}  # those that come from the encoder's vectors
LEARNERS = {"probs", "features", "mc_probs"}  # those that the learner makes anew in every round

F = TypeVar("F", bound=Callable[..., Any])


class Strategy(Protocol):
    """
    Any function of this signature, also one of the user's own (`--strategy module:function`).

    It reads the texts, the labels of the labelled rows and the columns that its attributes `needs` and `needs_labeled`
    name (see `needs`), and nothing else: no source, no id, and not the order of the rows, so that every draw and tie
    follows the rows sorted by text (`rarecase.data.schema.canonical_order`).
    """

    def __call__(self, pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
        """
        Args:
            pool (`Dataset`): the unlabelled texts: `id`, `text` and the needed columns.
            n (`int`): how many rows to choose, from 1 to `len(pool)`.
            labeled (`Dataset`, *optional*): the texts that people labelled, without variations: `text`, `label`
                (`ClassLabel`) and the needed columns.
            seed (`int`): decides every draw.

        Returns:
            `Dataset`: the `n` chosen rows in order of choice, with the columns that explain the choice, such as
            `score`.

        Raises:
            `MissingColumnError`: naming the call that makes the column.
            `ConfigError`: where `n` is out of range, or `labeled` is empty and the strategy needs it.
        """
        ...


def needs(*columns: str, labeled: Sequence[str] = ()) -> Callable[[F], F]:
    """
    Declares the columns that a strategy reads; the loop makes them before it calls the strategy.

    Args:
        columns (`str`): of the pool: any of `embedding`, `cluster`, `similarity`, `probs`, `features`, `mc_probs`.
        labeled (`Sequence[str]`): of the labelled rows, beside `text` and `label`; not `cluster` and `similarity`,
            which only the pool has.

    Example:
        >>> @needs("probs")
        ... def least_confident(pool, n, *, labeled=None, seed=0): ...
    """

    def declare(function: F) -> F:
        function.needs = columns  # type: ignore[attr-defined]
        function.needs_labeled = tuple(labeled)  # type: ignore[attr-defined]
        return function

    return declare


def columns_of(strategy: Strategy) -> set[str]:
    """The columns of the pool that a strategy reads; undeclared, all but `mc_probs`, which take longest."""
    return set(getattr(strategy, "needs", [column for column in HELPERS if column != "mc_probs"]))


def labeled_columns_of(strategy: Strategy) -> set[str]:
    """The columns of the labelled rows that a strategy reads; undeclared, none."""
    return set(getattr(strategy, "needs_labeled", ()))


def needs_encoder(strategy: Strategy) -> bool:
    """Whether a strategy reads a column that is made from the encoder's vectors."""
    return bool((columns_of(strategy) | labeled_columns_of(strategy)) & ENCODERS)


def name_of(strategy: Strategy) -> str:
    """The name of a strategy in tables and folders."""
    return getattr(strategy, "__name__", type(strategy).__name__)
