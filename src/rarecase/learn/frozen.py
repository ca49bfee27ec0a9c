"""A sentence encoder that stays as it is, and a logistic regression on top: the learner `frozen`."""

import copy
import functools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from datasets import Dataset

from rarecase.core.errors import DataError, ModelError
from rarecase.data import arrow, schema
from rarecase.hub.ids import name_of
from rarecase.learn.batches import training_rows
from rarecase.learn.dropout import DRAWS, dropout_mask
from rarecase.learn.folders import Head, not_fitted, require_kind, write_learner_beside
from rarecase.learn.head import encoder_folder, head_files, read_head
from rarecase.learn.hyperparameters import ClassWeights, FitOptions, Kind, Settings
from rarecase.learn.learner import Learner
from rarecase.learn.record import Description, ModelRecord
from rarecase.learn.tuned import copies
from rarecase.learn.weights import class_weights
from rarecase.models.checkpoint import local_folder
from rarecase.models.encoder import Encoder, SavableEncoder, SentenceEncoder, encode, load_encoder, require_finite
from rarecase.models.lengths import Reader

C = 10.0
STRENGTHS = (C, 0.1, 0.3, 1.0, 3.0, 30.0)  # what there is to choose from on dev
CLASS_WEIGHTS: ClassWeights = "balanced"
DROPPED = 0.1  # of the inputs of the head, in `sample`: it has no dropout, and encoders are trained with 0.1


class Frozen(Learner):
    """
    Embeddings computed once, and a logistic head: the learner for a laptop and for the first rounds.

    Args:
        model (`str`): the encoder: `packaged`, a folder or a Hub id.
        names (`Sequence[str]`): the classes of the taxonomy, in order.
        options (`FitOptions`, *optional*): its class weights are the head's, by default `balanced`; `max_length` is
            that of `model`.
        seed (`int`): the seed of the run; only `sample` draws.
        C (`float`, *optional*, defaults to 10): the inverse strength of the head's regularization.
        encoder (`Encoder`, *optional*): one that is loaded already, instead of `model`.
        shared (`bool`, *optional*, defaults to `False`): the column `embedding` was made by this encoder, so it is
            taken as it is instead of encoding the texts a second time.

    Raises:
        `ModelError`: by its methods, if the encoder cannot be loaded safely or returns a vector that is not finite.

    Example:
        >>> learner = Frozen("packaged", taxonomy.names, seed=0)
        >>> pool, train = learner.prepare(pool), learner.prepare(train)      # once: the slow part
        >>> scored = learner.fit(train, dev).score(pool)
    """

    kind: Kind = "frozen"
    saved: tuple[str, ...] = ("C", "class_weights", "max_length")  # the attributes written to head.json

    def __init__(
        self,
        model: str,
        names: Sequence[str],
        options: FitOptions = FitOptions(),
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
        self.max_length = options.max_length
        # Loaded when it is first needed, and then for all copies of this learner.
        self._pretrained = functools.cache(
            lambda: load_encoder(model, options.max_length) if encoder is None else encoder
        )
        # float32, (classes, dim) and (classes,); the bias is -inf for a class without an example
        self._weight_and_bias: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded when it is first needed."""
        return self._pretrained()

    def reader(self) -> Reader | None:
        """See `Learner.reader`; that of the encoder, which is not known of a user's own."""
        return self.encoder.reader() if isinstance(self.encoder, SentenceEncoder) else None

    def prepare(self, dataset: Dataset) -> Dataset:
        """See `Learner.prepare`: the column `features` holds the vectors that the head reads."""
        return self._with_features(dataset)

    def fit(self, train: Dataset, dev: Dataset) -> Self:
        """See `Learner.fit`; `train` may have `features` instead of `text`, and `dev` is not used."""
        rows, labels = training_rows(train, self.names)
        return self._with_head(require_finite(self._with_features(rows), "features"), labels)

    def score(self, dataset: Dataset | Sequence[str]) -> Dataset:
        """See `Learner.score`; the probability is 0 for a class that had no example."""
        weight, bias = self._head()
        prepared = self._with_features(schema.as_table(dataset))
        return arrow.with_column(prepared, "probs", _probs(self._vectors(prepared), weight, bias))

    def sample(self, dataset: Dataset, draws: int = DRAWS) -> Dataset:
        """See `Learner.sample`; each sample of the head lacks a tenth of its inputs."""
        weight, bias = self._head()
        vectors = self._vectors(self._with_features(dataset))
        found = np.zeros((len(dataset), draws, len(self.names)), np.float32)
        for draw in range(draws):
            mask = dropout_mask(weight.shape[1], DROPPED, self.seed, draw, "head")
            found[:, draw] = _probs(vectors, weight * mask, bias)
        return arrow.with_column(dataset, "mc_probs", found)

    def variants(self) -> Iterator[Self]:
        """See `Learner.variants`; they differ in C."""
        return copies(self, "C", STRENGTHS)

    def describe(self) -> Description:
        """See `Learner.describe`."""
        settings: Settings = {"C": self.C, "class_weights": self.class_weights}
        if self.max_length is not None and (reader := self.reader()):
            settings["max_length"] = reader.tokens
        return Description(self.kind, name_of(self.model), "fp32", self.seed, settings, self.names)

    def save(self, folder: Path | str, record: ModelRecord | None = None) -> None:
        """
        See `Learner.save`: a sentence-transformers model whose last module is the head, and `head.json`; the encoder
        must have `save(folder)`.
        """
        weight, bias = self._head()
        if not isinstance(self.encoder, SavableEncoder):
            raise ModelError(
                f"encoder {type(self.encoder).__name__}: has no save(folder), so the learner cannot be saved"
            )
        with write_learner_beside(Path(folder), record) as temporary:
            if isinstance(self.encoder, SentenceEncoder):
                self.encoder.save(temporary)
            else:  # what it wrote is saved once more as sentence-transformers saves what it reads
                with tempfile.TemporaryDirectory() as own:
                    self.encoder.save(Path(own) / "encoder")
                    load_encoder(f"{own}/encoder").save(temporary)
            for name, content in head_files(temporary, weight, bias).items():
                (temporary / name).parent.mkdir(exist_ok=True)
                (temporary / name).write_bytes(content)
            settings = {name: getattr(self, name) for name in self.saved}
            Head(self.kind, self.names, name_of(self.model), settings).write(temporary)

    @classmethod
    def from_pretrained(cls, model: Path | str, *, max_length: int | None = None, seed: int = 0) -> Self:
        """
        Loads what `save` wrote, with the settings it was fitted with; see `load_learner`.

        Args:
            model (`Path` or `str`): a folder or a Hub id, also `ORG/NAME@REVISION`.
            max_length (`int`, *optional*): tokens of a text that its encoder reads; by default as many as in training.
            seed (`int`, *optional*, defaults to 0): see the class. A later `fit` of `setfit` starts from the encoder
                as it was saved, which is fine-tuned already.

        Raises:
            `ModelError`: if a file is missing, damaged, or of another format, or the learner is of another kind.

        Example:
            >>> Frozen.from_pretrained("runs/first/learner").predict(["How do I fix a flat tyre?"])
            ['not-harmful']
        """
        from safetensors import SafetensorError

        options = FitOptions(max_length=max_length)
        source = local_folder(str(model))
        require_kind(source, model, cls.kind)
        head = Head.read(source)
        try:
            weight, bias = read_head(source)
        except (OSError, LookupError, TypeError, ValueError, SafetensorError) as error:
            raise ModelError(
                f"{model}: the weights of its head are missing or damaged ({type(error).__name__}); "
                "save the learner again"
            ) from error
        fits = weight.ndim == 2 and weight.shape[:1] == bias.shape == (len(head.names),)
        # The bias of a class without an example is -inf.
        finite = fits and np.isfinite(weight).all() and (bias < np.inf).all() and np.isfinite(bias).any()
        if not finite or weight.dtype != np.float32 or bias.dtype != np.float32:
            raise ModelError(f"{model}: head.json does not fit the weights of its head; save the learner again")
        encoder = load_encoder(str(encoder_folder(source)), max_length)
        learner = cls(head.encoder or str(model), head.names, options, seed=seed, encoder=encoder)
        learner._weight_and_bias = weight, bias
        settings = head.settings | ({} if max_length is None else {"max_length": max_length})
        for name in cls.saved:
            if name in settings:
                setattr(learner, name, settings[name])
        return learner

    def _with_features(self, dataset: Dataset) -> Dataset:
        if "features" in dataset.column_names:
            return dataset
        if self.shared and "embedding" in dataset.column_names:
            return arrow.with_column(dataset, "features", require_finite(dataset, "embedding"))
        return arrow.with_column(dataset, "features", encode(dataset, self.encoder))

    def _with_head(self, vectors: np.ndarray, labels: np.ndarray) -> Self:
        """A copy whose head is fitted on these vectors, float32 `(rows, dim)`."""
        weight = np.zeros((len(self.names), vectors.shape[1]), np.float32)
        bias = np.full(len(self.names), -np.inf, np.float32)
        present = np.unique(labels)
        if len(present) == 1:  # nothing to tell apart: it is always this one
            bias[present] = 0.0
        else:
            from sklearn.linear_model import LogisticRegression

            # In double precision, and close to the optimum: the last bit of a vector changes no decision.
            weights = dict(enumerate(class_weights(labels, len(self.names), self.class_weights)))
            head = LogisticRegression(
                C=self.C, class_weight={label: weights[label] for label in present}, max_iter=5000, tol=1e-6
            )
            head.fit(vectors.astype(np.float64), labels)
            # Of two classes it has the logit of the second against a logit of 0.
            weight[present[-len(head.coef_) :]] = head.coef_
            bias[present] = head.intercept_ if len(present) > 2 else [0.0, head.intercept_[0]]
        fitted = copy.copy(self)
        fitted._weight_and_bias = weight, bias
        return fitted

    def _vectors(self, dataset: Dataset) -> np.ndarray:
        """`features`, of the width that the head reads."""
        vectors, (weight, _) = require_finite(dataset, "features"), self._head()
        if len(vectors) and vectors.shape[1] != weight.shape[1]:
            raise DataError(
                f"column 'features' has {vectors.shape[1]} numbers a row, the head was fitted on {weight.shape[1]}; "
                "remove the column to have it computed again"
            )
        return vectors

    def _head(self) -> tuple[np.ndarray, np.ndarray]:
        if self._weight_and_bias is None:
            raise not_fitted(self.model)
        return self._weight_and_bias


def _probs(vectors: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The probabilities by a head, float32, shape `(rows, classes)`."""
    # einsum adds each row up by itself; a matrix product's last bits depend on the row's position in the table.
    logits = np.einsum("rd,cd->rc", vectors.reshape(-1, weight.shape[1]), weight) + bias
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
