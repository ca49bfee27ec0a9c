"""The protocol of a learner: what the loop asks of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datasets import Dataset

    from rarecase.learn.record import Description, ModelRecord


class Learner(Protocol):
    """
    What the loop asks of a learner; reads `text` and `label`, never where a row comes from or where it stands.

    `names` holds the classes of the taxonomy, in order.
    """

    names: tuple[str, ...]

    def prepare(self, dataset: "Dataset") -> "Dataset":
        """The table with what can be computed once for each text (`features`), whatever is learned later."""
        ...

    def fit(self, train: "Dataset", dev: "Dataset") -> "Learner":
        """
        Learns from `train`, choosing on `dev` where there is something to choose; forgets earlier fits.

        Args:
            train (`Dataset`): with `text` and `label`; classes without an example are allowed.
            dev (`Dataset`): likewise; may be empty.
        """
        ...

    def score(self, dataset: "Dataset") -> "Dataset":
        """
        Args:
            dataset (`Dataset`): with `text`.

        Returns:
            `Dataset`: with `probs`, float32 `(rows, classes)`, one column for each class of the taxonomy, and
            `features`, float32 `(rows, dim)`.
        """
        ...

    def sample(self, dataset: "Dataset", draws: int = 10) -> "Dataset":
        """
        The probabilities by several thinned-out copies of the learner (dropout), which follow from its seed.

        Args:
            dataset (`Dataset`): with `text`; in a table that `score` gave since the last `fit`, its `features` are
                read instead of being computed a second time.
            draws (`int`, *optional*, defaults to 10): how many copies.

        Returns:
            `Dataset`: with `mc_probs`, float32 `(rows, draws, classes)`, and nothing else that is new.
        """
        ...

    def describe(self) -> "Description":
        """How it was made, for its record."""
        ...

    def save(self, folder: Path | str, record: "ModelRecord | None" = None) -> None:
        """
        Writes a folder that `load_learner` reads; safetensors only.

        Args:
            folder (`Path` or `str`): the folder, which holds nothing or an earlier learner.
            record (`ModelRecord`, *optional*): written beside it as `rarecase.json`.
        """
        ...
