"""Learners by their kind, or from the folder they were saved in; each class is imported when it is needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rarecase.core.errors import ConfigError, did_you_mean
from rarecase.learn.hyperparameters import EFFECTIVE, KINDS, FitOptions, Precision
from rarecase.learn.learner import Learner
from rarecase.models.checkpoint import PACKAGED, local_folder

if TYPE_CHECKING:
    from rarecase.models.encoder import Encoder


def make_learner(
    kind: str,
    model: str = PACKAGED,
    names: Sequence[str] = (),
    options: FitOptions = FitOptions(),
    *,
    seed: int,
    encoder: "Encoder | None" = None,
    shared: bool = False,
) -> Learner:
    """
    A learner that is not fitted yet; nothing is loaded before it is needed.

    Args:
        kind (`str`): `frozen`, `setfit` or `finetune`.
        model (`str`): `packaged`, a folder or a Hub id.
        names (`Sequence[str]`): the classes of the taxonomy, in order.
        options (`FitOptions`, *optional*): how it is fitted; by default as suits the learner and its model.
        seed (`int`): the seed of the run.
        encoder (`Encoder`, *optional*): of `frozen` and `setfit`: one that is loaded already.
        shared (`bool`, *optional*, defaults to `False`): of `frozen`: the column `embedding` is this encoder's.

    Raises:
        `ConfigError`: if the kind is unknown, or an option has no effect on it.

    Example:
        >>> make_learner("frozen", "packaged", ["harmful", "not-harmful"], seed=0).names
        ('harmful', 'not-harmful')
    """
    if kind not in KINDS:
        raise ConfigError(f"learner {kind!r} is unknown{did_you_mean(kind, KINDS)} (there are: {', '.join(KINDS)})")
    parts = {"encoder": encoder, "shared": shared}
    options.require_effect(kind, **parts)
    own = {name: part for name, part in parts.items() if name in EFFECTIVE[kind]}
    learner: Learner = _class_of(kind)(model, names, options, seed=seed, **own)
    if options.tune:
        from rarecase.learn.tuned import Tuned

        return Tuned(learner)
    return learner


def load_learner(path: str | Path, precision: Precision | None = "fp32", *, max_length: int | None = None) -> Learner:
    """
    Loads a fitted learner of any kind; `from_pretrained` of each class loads its own.

    Args:
        path (`str` or `Path`): a folder or a Hub id, also `ORG/NAME@REVISION`.
        precision (`str`, *optional*, defaults to `fp32`): of `finetune`: `fp32`, `bf16`, or None for the device's.
        max_length (`int`, *optional*): tokens of a text that it reads, at most as many as it has positions for; by
            default as many as in training.

    Raises:
        `ModelError`: if there is none, or it cannot be loaded safely.

    Example:
        >>> scored = load_learner("runs/first/learner").score(pool)
    """
    from rarecase.learn.folders import require_kind

    kind = require_kind(local_folder(str(path)), path)
    own = {"precision": precision} if kind == "finetune" else {}
    learner: Learner = _class_of(kind).from_pretrained(path, max_length=max_length, **own)
    return learner


def _class_of(kind: str) -> Any:
    if kind == "finetune":
        from rarecase.learn.finetune import Finetune

        return Finetune
    if kind == "setfit":
        from rarecase.learn.setfit import SetFit

        return SetFit
    from rarecase.learn.frozen import Frozen

    return Frozen
