"""A sentence encoder that stays as it is, and a logistic regression on top: the learner `frozen`."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from datasets import Dataset

from rarecase.core.errors import DataError, ModelError
from rarecase.core.files import write_json
from rarecase.data import arrow
from rarecase.hub.ids import name_of
from rarecase.learn.batches import training_rows
from rarecase.learn.dropout import DRAWS, kept
from rarecase.learn.folders import write_learner_beside
from rarecase.learn.hyperparameters import ClassWeights, FitOptions, Settings
from rarecase.learn.record import Description, ModelRecord
from rarecase.learn.tuned import copies
from rarecase.learn.weights import class_weights
from rarecase.models.encoder import Encoder, encode, load_encoder, require_finite

C = 10.0
STRENGTHS = (C, 0.1, 0.3, 1.0, 3.0, 30.0)  # what there is to choose from on dev
CLASS_WEIGHTS: ClassWeights = "balanced"
DROPPED = 0.1  # of the inputs of the head, in `sample`
FORMAT = 1  # of head.json


class Frozen:
    """
    Embeddings computed once, and a logistic head: the learner for a laptop and for the first rounds.

    Args:
        model (`str`): the encoder: `packaged`, a folder or a Hub id.
        names (`Sequence[str]`): the classes of the taxonomy, in order.
        options (`FitOptions`): its class weights are the head's, by default `balanced`.
        seed (`int`): the seed of the run; only `sample` draws.
        C (`float`, *optional*, defaults to 10): the inverse strength of the head's regularization.
        encoder (`Encoder`, *optional*): one that is loaded already, instead of `model`.
        shared (`bool`, *optional*, defaults to `False`): the column `embedding` was made by this encoder, so it is
            taken as it is instead of encoding the texts a second time.

    Example:
        >>> learner = Frozen("packaged", taxonomy.names, seed=0)
        >>> pool, train = learner.prepare(pool), learner.prepare(train)      # once: the slow part
        >>> scored = learner.fit(train, dev).score(pool)
    """

    learner = "frozen"
    saved: tuple[str, ...] = ("C", "class_weights")  # what head.json says of it, beside names and encoder

    def __init__(
        self,
        model: str,
        names: Sequence[str],
        options: FitOptions = FitOptions(),  # noqa: B008 - frozen
        *,
        seed: int,
        C: float = C,
        encoder: Encoder | None = None,
        shared: bool = False,
    ):
        self.model = model
        self.names = tuple(names)
        self.seed = seed
        self.class_weights = options.weights_or(CLASS_WEIGHTS)
        self.C = C
        self.shared = shared
        self._encoder = encoder
        self._weight: np.ndarray | None = None  # float32, (classes, dim)
        self._bias: np.ndarray | None = None  # float32, (classes,); -inf for a class without an example

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when it is first needed."""
        if self._encoder is None:
            self._encoder = load_encoder(self.model)
        return self._encoder

    def prepare(self, dataset: Dataset) -> Dataset:
        """
        The table with the column `features`, the vectors that the head reads; no work where it is there already.

        Raises:
            `ModelError`: where the encoder gives a vector that is not finite.
            `DataError`: where a vector that is there already is not finite.
        """
        return self._with_features(dataset)

    def fit(self, train: Dataset, dev: Dataset) -> Self:
        """
        Fits the head anew; earlier fits are forgotten.

        Args:
            train (`Dataset`): with `label`, and `text` or `features`; a class may lack examples.
            dev (`Dataset`): not used, as there is nothing to choose.

        Returns:
            `Frozen`: itself.

        Raises:
            `DataError`: where there is no training row, a label is missing or the classes are others.
        """
        rows, labels = training_rows(train, self.names)
        self._fit_head(require_finite(self._with_features(rows), "features"), labels)
        return self

    def score(self, dataset: Dataset) -> Dataset:
        """
        The probability of each class for each text.

        Args:
            dataset (`Dataset`): with `text` or `features`.

        Returns:
            `Dataset`: with `probs`, float32 `(rows, classes)`: 0 for a class that had no example; and `features`.

        Raises:
            `ModelError`: where the learner has not been fitted.
            `DataError`: where `features` has another width than the head.
        """
        weight, bias = self._head()
        prepared = self._with_features(dataset)
        return arrow.with_column(prepared, "probs", _probs(self._vectors(prepared), weight, bias))

    def sample(self, dataset: Dataset, draws: int = DRAWS) -> Dataset:
        """
        The probabilities by thinned-out copies of the head, each without a tenth of its inputs: the head has no
        dropout of its own, and 0.1 is what encoders are trained with. See `rarecase.learn.dropout`.

        Args:
            dataset (`Dataset`): with `text` or `features`, such as `score` gives.
            draws (`int`, *optional*, defaults to 10): how many copies.

        Returns:
            `Dataset`: with `mc_probs`, float32 `(rows, draws, classes)`: 0 for a class that had no example.

        Raises:
            `ModelError`: where the learner has not been fitted.
            `DataError`: where `features` has another width than the head.
        """
        weight, bias = self._head()
        vectors = self._vectors(self._with_features(dataset))
        found = np.zeros((len(dataset), draws, len(self.names)), np.float32)
        for draw in range(draws):
            mask = kept(weight.shape[1], DROPPED, self.seed, draw, "head")
            found[:, draw] = _probs(vectors, weight * mask, bias)
        return arrow.with_column(dataset, "mc_probs", found)

    def variants(self) -> Iterator[Self]:
        """Copies to choose from on dev, the first as it is; see `rarecase.learn.tuned`."""
        return copies(self, "C", STRENGTHS)

    def describe(self) -> Description:
        """How it was made; see `Learner.describe`."""
        settings: Settings = {"C": self.C, "class_weights": self.class_weights}
        return Description(self.learner, name_of(self.model), "fp32", self.seed, settings, self.names)

    def save(self, folder: Path | str, record: ModelRecord | None = None) -> None:
        """
        Writes `encoder/`, `head.safetensors`, `head.json` and the record, the whole folder or none of it.

        Args:
            folder (`Path` or `str`): the folder.
            record (`ModelRecord`, *optional*): written as `rarecase.json`.

        Raises:
            `ModelError`: where the learner has not been fitted, the encoder has no `save`, or `folder` holds something
                else.
        """
        from safetensors.numpy import save_file

        weight, bias = self._head()
        save_encoder: Any = getattr(self.encoder, "save", None)
        if save_encoder is None:
            raise ModelError(
                f"encoder {type(self.encoder).__name__}: has no save(folder), so the learner cannot be saved"
            )
        with write_learner_beside(Path(folder), record) as temporary:
            save_encoder(temporary / "encoder")
            save_file({"weight": weight, "bias": bias}, temporary / "head.safetensors")
            head = {"format": FORMAT, "learner": self.learner, "names": self.names, "encoder": name_of(self.model)}
            write_json(temporary / "head.json", head | {name: getattr(self, name) for name in self.saved})

    @classmethod
    def load(cls, folder: Path | str, *, seed: int = 0) -> Self:
        """
        Loads what `save` wrote, with the settings it was fitted with.

        Args:
            folder (`Path` or `str`): the folder.
            seed (`int`, *optional*, defaults to 0): see the class. A later `fit` of `setfit` starts from the encoder
                as it was saved, which is fine-tuned already.

        Raises:
            `ModelError`: where a file is missing, damaged, or of another format.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        place = Path(folder)
        try:
            head = json.loads((place / "head.json").read_text(encoding="utf-8"))
            tensors = load_file(place / "head.safetensors")
            names, weight, bias = head["names"], tensors["weight"], tensors["bias"]
            told = {"class_weights": head.get("class_weight"), **head}  # as it was called at first
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(
                f"{folder}: head.json or head.safetensors is missing or damaged ({type(error).__name__}); "
                "save the learner again"
            ) from error
        if head.get("format") != FORMAT or weight.shape[:1] != bias.shape or bias.shape != (len(names),):
            raise ModelError(f"{folder}: head.json does not fit head.safetensors; save the learner again")
        encoder = load_encoder(str(place / "encoder"))
        learner = cls(str(head.get("encoder", folder)), names, seed=seed, encoder=encoder)
        learner._weight, learner._bias = weight, bias
        for name in cls.saved:
            if name in told:
                setattr(learner, name, told[name])
        return learner

    def _with_features(self, dataset: Dataset) -> Dataset:
        if "features" in dataset.column_names:
            return dataset
        if self.shared and "embedding" in dataset.column_names:
            return arrow.with_column(dataset, "features", require_finite(dataset, "embedding"))
        return arrow.with_column(dataset, "features", encode(dataset, self.encoder))

    def _fit_head(self, vectors: np.ndarray, labels: np.ndarray) -> None:
        weight = np.zeros((len(self.names), vectors.shape[1]), np.float32)
        bias = np.full(len(self.names), -np.inf, np.float32)
        present = np.unique(labels)
        if len(present) == 1:  # nothing to tell apart: it is always this one
            bias[present] = 0.0
        else:
            from sklearn.linear_model import LogisticRegression

            # In double precision, and close to the optimum: vectors that differ in the last bit decide alike.
            weights = dict(enumerate(class_weights(labels, len(self.names), self.class_weights)))
            head = LogisticRegression(
                C=self.C, class_weight={place: weights[place] for place in present}, max_iter=5000, tol=1e-6
            )
            head.fit(vectors.astype(np.float64), labels)
            # Of two classes it has the logit of the second against a logit of 0.
            weight[present[-len(head.coef_) :]] = head.coef_
            bias[present] = head.intercept_ if len(present) > 2 else [0.0, head.intercept_[0]]
        self._weight, self._bias = weight, bias

    def _vectors(self, dataset: Dataset) -> np.ndarray:
        """`features`, of the width that the head reads."""
        vectors, (weight, _) = require_finite(dataset, "features"), self._head()
        if len(vectors) and vectors.shape[1] != weight.shape[1]:
            raise DataError(
                f"column 'features' has {vectors.shape[1]} numbers a row, the head was fitted on {weight.shape[1]}; "
                "leave the column out and it is computed anew"
            )
        return vectors

    def _head(self) -> tuple[np.ndarray, np.ndarray]:
        if self._weight is None or self._bias is None:
            raise ModelError(
                f"{self.model}: the learner has not been fitted; call fit(train, dev) or load_learner(path)"
            )
        return self._weight, self._bias


def learner_of(folder: Path) -> str:
    """
    Which learner a folder with a head is of; where that cannot be read, `frozen`, which says why when it is loaded.

    Example:
        >>> learner_of(Path("guard"))
        'setfit'
    """
    try:
        head = json.loads((folder / "head.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        head = None
    return str(head.get("learner", Frozen.learner)) if isinstance(head, dict) else Frozen.learner


def _probs(vectors: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The probabilities by a head, float32, shape `(rows, classes)`."""
    # einsum adds each row up by itself; a matrix product's last bits depend on the row's place in the table.
    logits = np.einsum("rd,cd->rc", vectors.reshape(-1, weight.shape[1]), weight) + bias
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
