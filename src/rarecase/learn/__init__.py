"""
Learners: what is trained on the labelled texts and scores the pool.

`frozen` embeds every text once and fits a logistic head; `setfit` fine-tunes the encoder before; `finetune` trains a
whole `transformers` classifier.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rarecase.core.errors import ConfigError, ModelError, did_you_mean
from rarecase.learn.hyperparameters import KINDS, FitOptions
from rarecase.models.checkpoint import PACKAGED, local_folder

_TAKES = {"frozen": ("encoder", "shared"), "setfit": ("encoder",), "finetune": ()}

if TYPE_CHECKING:
    from datasets import Dataset

    from rarecase.models.encoder import Encoder


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

    def describe(self) -> dict[str, Any]:
        """How it was made, for its record: `learner`, `model`, `precision`, `seed`, `settings` and `names`."""
        ...

    def save(self, folder: Path | str, record: Mapping[str, Any] | None = None) -> None:
        """
        Writes a folder that `load_learner` reads; safetensors only.

        Args:
            folder (`Path` or `str`): the folder, which holds nothing or an earlier learner.
            record (`Mapping`, *optional*): goes into `rarecase.json`, see `rarecase.learn.record`.
        """
        ...


def make_learner(
    kind: str,
    model: str = PACKAGED,
    names: Sequence[str] = (),
    options: FitOptions = FitOptions(),  # noqa: B008 - frozen
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
        options (`FitOptions`, *optional*): how it is fitted; by default as the learner and its model are best.
        seed (`int`): the seed of the run.
        encoder (`Encoder`, *optional*): of `frozen` and `setfit`: one that is loaded already.
        shared (`bool`, *optional*, defaults to `False`): of `frozen`: the column `embedding` is this encoder's.

    Raises:
        `ConfigError`: where the kind is unknown, or an option has no effect on it.

    Example:
        >>> make_learner("frozen", "packaged", ["harmful", "not-harmful"], seed=0).names
        ('harmful', 'not-harmful')
    """
    if kind not in KINDS:
        raise ConfigError(f"learner {kind!r} is unknown{did_you_mean(kind, KINDS)} (there are: {', '.join(KINDS)})")
    options.require_effect(kind)
    given: dict[str, Any] = {"encoder": encoder} if encoder is not None else {}
    given |= {"shared": True} if shared else {}
    foreign = next((name for name in given if name not in _TAKES[kind]), None)
    if foreign:
        raise ConfigError(f"{foreign} has no effect on the learner {kind!r}; leave it out")
    learner: Learner = _class_of(kind)(model, names, options, seed=seed, **given)
    if options.tune:
        from rarecase.learn.tuned import Tuned

        return Tuned(learner)
    return learner


def load_learner(path: str | Path, precision: Literal["fp32", "bf16"] | None = "fp32") -> Learner:
    """
    Loads a fitted learner, whichever of the two formats it is in.

    Args:
        path (`str` or `Path`): a folder or a Hub id, also `ORG/NAME@REVISION`.
        precision (`str`, *optional*, defaults to `fp32`): of `finetune`: `fp32`, `bf16`, or None for the device's.

    Raises:
        `ModelError`: where there is none, or it cannot be loaded safely.

    Example:
        >>> scored = load_learner("runs/first/learner").score(pool)
    """
    folder = local_folder(str(path))
    if (folder / "head.safetensors").is_file():
        from rarecase.learn.frozen import learner_of

        return _class_of(learner_of(folder)).load(folder)
    if (folder / "config.json").is_file():
        return _class_of("finetune").load(str(path), precision)
    raise ModelError(
        f"{path}: no learner in it, expected head.safetensors (frozen, setfit) or config.json (finetune); "
        "make one with `rarecase train`"
    )


def _class_of(kind: str) -> Any:
    """The class of a kind of learner; it is imported when it is needed."""
    if kind == "finetune":
        from rarecase.learn.finetune import Finetune

        return Finetune
    if kind == "setfit":
        from rarecase.learn.setfit import SetFit

        return SetFit
    from rarecase.learn.frozen import Frozen

    return Frozen
