"""What a user may choose of a fit, the table of models with their hyper-parameters, and how the two are merged."""

from dataclasses import asdict, dataclass, fields, replace
from math import inf
from typing import Any, Literal

from rarecase.core.errors import ConfigError
from rarecase.hub.ids import split_revision
from rarecase.models.checkpoint import PACKAGED

Kind = Literal["frozen", "setfit", "finetune"]
Precision = Literal["fp32", "bf16"]
ClassWeights = Literal["balanced", "sqrt"] | None
Settings = dict[str, str | int | float | bool | None]

# What changes something for each kind of learner.
EFFECTIVE = {
    "frozen": ("class_weights", "tune", "max_length", "encoder", "shared"),
    "setfit": ("precision", "updates", "learning_rate", "class_weights", "tune", "max_length", "encoder"),
    "finetune": ("precision", "epochs", "updates", "learning_rate", "class_weights", "tune", "max_length"),
}
KINDS = tuple(EFFECTIVE)

# Of all fine-tuning.
WARMUP = 0.1
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class FitOptions:
    """
    What a user may choose of a fit; None leaves it to the learner and its model.

    Args:
        precision (`str`, *optional*): of `finetune` and `setfit`: `fp32` or `bf16`; by default bf16 on a CUDA device
            that has it.
        epochs (`int`, *optional*): of `finetune`.
        updates (`int`, *optional*): of `finetune` and `setfit`: optimiser steps in all, the first of which has the
            learning rate 0; by default `finetune` runs epochs that may stop early, and `setfit` takes at most 100
            steps.
        learning_rate (`float`, *optional*): likewise: the peak, after warm-up.
        class_weights (`str`, *optional*): `none`, `sqrt` or `balanced`: how much a rare class counts in the loss.
        tune (`bool`): choose C of `frozen`, or the learning rate, on dev.
        max_length (`int`, *optional*): tokens of a text that are read, at most as many as the model has positions for;
            by default as many as its tokenizer says, of `finetune` at most 512.

    Raises:
        `ConfigError`: where a value is out of range.

    Example:
        >>> Finetune("packaged", names, FitOptions(epochs=3), seed=0).settings.epochs
        3
    """

    precision: Precision | None = None
    epochs: int | None = None
    updates: int | None = None
    learning_rate: float | None = None
    class_weights: Literal["none", "sqrt", "balanced"] | None = None
    tune: bool = False
    max_length: int | None = None

    def __post_init__(self) -> None:
        for name, values in {"precision": ("fp32", "bf16"), "class_weights": ("none", "sqrt", "balanced")}.items():
            if (value := getattr(self, name)) not in (None, *values):
                raise ConfigError(f"{name} {value!r}: expected one of {', '.join(values)}")
        for name in ("epochs", "updates", "max_length"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ConfigError(f"{name} = {count}: expected at least 1")
        if self.learning_rate is not None and not 0 <= self.learning_rate < inf:
            raise ConfigError(f"learning_rate = {self.learning_rate}: expected at least 0")

    @classmethod
    def of(cls, settings: Any) -> "FitOptions":
        """The options among the attributes of a settings object."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})

    def require_effect(self, kind: str, **parts: object) -> None:
        """Refuses an option or a part that changes nothing for this kind of learner."""
        for name, value in (asdict(self) | parts).items():
            if value is not None and value is not False and name not in EFFECTIVE[kind]:
                raise ConfigError(f"{name} has no effect on the learner {kind!r}; leave it out")

    def grows_with_rows(self, kind: str) -> bool:
        """Whether a fit of this kind of learner takes longer with more training rows."""
        return kind != "setfit" and self.updates is None

    def shortest(self, kind: str) -> "FitOptions":
        """The same with as few steps as possible: enough to see whether a model can be trained."""
        return replace(self, epochs=1 if kind == "finetune" else None, updates=None, tune=False)

    def weights_or(self, default: ClassWeights) -> ClassWeights:
        """The class weights, `default` where none were chosen."""
        if self.class_weights is None:
            return default
        return None if self.class_weights == "none" else self.class_weights

    def precision_or_best(self) -> Precision:
        """The precision; where none was chosen, bf16 on a CUDA device that has it, else fp32."""
        if self.precision is not None:
            return self.precision
        import torch

        return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "fp32"


@dataclass(frozen=True)
class Hyperparameters:
    """How one model is fine-tuned; the defaults are the paper's (appendix of Hassan, Sicilia and Alikhani, 2024)."""

    model: str
    learning_rate: float = 2e-5  # the peak, after warm-up
    batch_size: int = 16
    max_length: int | None = None  # see `FitOptions`; the paper: 50, as in `rarecase experiment`
    epochs: int = 10  # at most: early stopping can end sooner. Ours: the paper names none
    class_weights: ClassWeights = None  # `balanced` weighs a class by the inverse of its count, `sqrt` by its root
    updates: int | None = None  # optimiser steps in all, instead of epochs
    warmup: float = WARMUP  # the share of updates before the peak; the first has the learning rate 0, as in `Trainer`
    gradient_accumulation: int = 1  # batches whose gradients make one update
    patience: int = 3  # epochs without a better dev macro-F1 before training stops

    def described(self) -> Settings:
        """All but the model, and of `epochs` and `updates` the one that counts."""
        unused = "updates" if self.updates is None else "epochs"
        return {name: value for name, value in asdict(self).items() if name not in ("model", unused)}


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


def hyperparameters(model: str, options: FitOptions = FitOptions()) -> Hyperparameters:
    """The row of a model of any revision (the paper's for one that is not in the table), with the options."""
    row = MODELS.get(split_revision(model)[0], MODELS["google-bert/bert-base-cased"])
    chosen = {name: getattr(options, name) for name in ("epochs", "updates", "learning_rate", "max_length")}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    return replace(row, model=model, **chosen, class_weights=options.weights_or(row.class_weights))
