"""The table of models and their hyper-parameters."""

from dataclasses import dataclass, replace
from typing import Literal

from rarecase.hub.ids import split_revision
from rarecase.models.checkpoint import PACKAGED

ClassWeights = Literal["balanced", "sqrt"] | None


@dataclass(frozen=True)
class Hyperparameters:
    """
    How one model is fine-tuned; the defaults are the paper's (appendix of Hassan, Sicilia and Alikhani, 2024).

    Args:
        model (`str`): the Hub id, or `packaged`.
        learning_rate (`float`): the peak, after warm-up.
        batch_size (`int`): rows in a batch.
        max_length (`int`): tokens of a text that are read.
        epochs (`int`): the most epochs; early stopping can end sooner. Ours: the paper names none.
        class_weights (`str`, *optional*): `balanced` weighs a class by the inverse of its count, `sqrt` by its root.
        updates (`int`, *optional*): optimiser steps in all, instead of epochs.
    """

    model: str
    learning_rate: float = 2e-5
    batch_size: int = 16
    max_length: int = 50
    epochs: int = 10
    class_weights: ClassWeights = None
    updates: int | None = None


MODELS = {
    row.model: row
    for row in (
        Hyperparameters("google-bert/bert-base-cased"),
        Hyperparameters("google-bert/bert-base-uncased"),
        Hyperparameters("FacebookAI/roberta-base"),
        Hyperparameters("distilbert/distilbert-base-cased"),
        Hyperparameters("distilbert/distilbert-base-uncased"),
        # At 2e-5 without weights the small encoder never predicts the rarest class.
        Hyperparameters(PACKAGED, learning_rate=1e-4, class_weights="sqrt"),
    )
}


def hyperparameters(model: str) -> Hyperparameters:
    """
    The row of a model, whatever its revision; one that is not in the table gets the paper's.

    Example:
        >>> hyperparameters("packaged").learning_rate
        0.0001
    """
    return replace(MODELS.get(split_revision(model)[0], MODELS["google-bert/bert-base-cased"]), model=model)
