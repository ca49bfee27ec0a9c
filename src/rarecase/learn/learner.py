"""The protocol of a learner: what the loop asks of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datasets import Dataset

    from rarecase.learn.record import Description, ModelRecord
    from rarecase.models.encoder import Encoder
    from rarecase.models.lengths import Reader


class Learner(Protocol):
    """
    What the loop asks of a learner; it reads `text` and `label`, never the source of a row or its position.

    A learner that inherits from this class need not define `encoder`, `reader`, `prepare`, `predict`, `probabilities`
    and `variants`.

    Attributes:
        names (`tuple[str, ...]`): the classes of the taxonomy, in order.
    """

    names: tuple[str, ...]

    @property
    def encoder(self) -> "Encoder | None":
        """The encoder that other learners of the same model can share, see `make_learner`; None if it has none."""
        return None

    def reader(self) -> "Reader | None":
        """How it reads a text, see `rarecase.models.lengths`; None if it reads texts of any length."""
        return None

    def prepare(self, dataset: "Dataset") -> "Dataset":
        """
        Computes what depends on the texts alone, once for all fits.

        Args:
            dataset (`Dataset`): with `text`.

        Returns:
            `Dataset`: the table, with `features` (float32, shape `(rows, dim)`) where the encoder stays as it is.
        """
        return dataset

    def fit(self, train: "Dataset", dev: "Dataset") -> "Learner":
        """
        Learns from `train`, choosing on `dev` where there is something to choose. The learner itself stays as it is:
        each fit starts anew, and later fits do not change the model that an earlier one returned.

        Args:
            train (`Dataset`): with `text` and `label`; classes without an example are allowed.
            dev (`Dataset`): likewise; may be empty.

        Returns:
            `Learner`: the fitted model.

        Raises:
            `DataError`: if there is no training row, a label is missing, or the classes are not those of the learner.
            `ModelError`: if the model cannot be loaded safely, or its loss is not finite.
        """
        ...

    def score(self, dataset: "Dataset | Sequence[str]") -> "Dataset":
        """
        The probability of each class for each text.

        Args:
            dataset (`Dataset` or `Sequence[str]`): with `text`; or the texts.

        Returns:
            `Dataset`: with `probs`, float32 `(rows, classes)`, one column for each class of the taxonomy, and
            `features`, float32 `(rows, dim)`.

        Raises:
            `ModelError`: if the learner has not been fitted.
        """
        ...

    def predict(self, texts: "Dataset | Sequence[str]") -> list[str]:
        """
        The likeliest class of each text.

        Args:
            texts (`Dataset` or `Sequence[str]`): as for `score`.

        Returns:
            `list[str]`: one of `names` for each text, in order; of equally likely ones the first.

        Raises:
            `ModelError`: if the learner has not been fitted.

        Example:
            >>> learner.predict(["How do I fix a flat tyre?"])
            ['not-harmful']
        """
        from rarecase.data.arrow import matrix
        from rarecase.data.schema import as_table

        return [self.names[place] for place in matrix(self.score(as_table(texts)), "probs").argmax(axis=1)]

    def probabilities(self, texts: "Dataset | Sequence[str]") -> list[dict[str, float]]:
        """
        The probability of each class for each text, by the name of the class.

        Args:
            texts (`Dataset` or `Sequence[str]`): as for `score`.

        Returns:
            `list[dict[str, float]]`: for each text, in order, the probabilities of all `names`, which add up to 1.

        Raises:
            `ModelError`: if the learner has not been fitted.

        Example:
            >>> (found,) = learner.probabilities(["How do I fix a flat tyre?"])
            >>> round(found["not-harmful"], 2)
            0.28
        """
        from rarecase.data.arrow import matrix
        from rarecase.data.schema import as_table

        probs = matrix(self.score(as_table(texts)), "probs").tolist()
        return [dict(zip(self.names, row, strict=True)) for row in probs]

    def sample(self, dataset: "Dataset", draws: int = 10) -> "Dataset":
        """
        The probabilities by Monte-Carlo dropout samples of the model, which follow from its seed.

        Args:
            dataset (`Dataset`): with `text`; in a table that `score` of the same model returned, its `features` are
                read instead of being computed a second time.
            draws (`int`, *optional*, defaults to 10): the number of samples.

        Returns:
            `Dataset`: with `mc_probs`, float32 `(rows, draws, classes)`, and no other new column.

        Raises:
            `ModelError`: if the learner has not been fitted, or its model has no dropout.
        """
        ...

    def variants(self) -> "Iterator[Learner]":
        """Learners to choose from on dev that differ in one setting, this one first; see `rarecase.learn.tuned`."""
        yield self

    def describe(self) -> "Description":
        """How it was made, for its record."""
        ...

    def save(self, folder: Path | str, record: "ModelRecord | None" = None) -> None:
        """
        Writes a folder that `load_learner` reads, whole or not at all; safetensors only.

        Args:
            folder (`Path` or `str`): the folder, which is new, empty or of an earlier learner.
            record (`ModelRecord`, *optional*): written beside it as `rarecase.json`.

        Raises:
            `ModelError`: if the learner has not been fitted, or `folder` contains something else.
        """
        ...
