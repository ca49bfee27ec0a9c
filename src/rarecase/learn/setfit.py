"""
A sentence encoder that is fine-tuned by contrast, and a logistic regression on top: the learner `setfit`.

Tunstall, Reimers, Jo, Bates, Korat, Wasserblat and Pereg (2022), *Efficient Few-Shot Learning Without Prompts*,
section 3: pairs of texts of one class are drawn together, pairs of two classes apart, and then a head is fitted on the
vectors.

The pairs are those of the library `setfit`. Its trainer, and that of `sentence-transformers` under it, is not used:
both seed Python's, numpy's and torch's generators for the whole process, keep training texts for a model card, write
bars and figures to the terminal where there is none, and under `accelerate launch` would wait for processes that have
no part in this (`rarecase.learn.workers`). What they do with the pairs is `contrast` below.
"""

import copy
import itertools
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset
from tqdm import tqdm
from transformers import get_linear_schedule_with_warmup

from rarecase.acquire.selection import rank_within
from rarecase.core.errors import ConfigError, ModelError
from rarecase.core.randomness import generator, integer, torch_seeded
from rarecase.data import schema
from rarecase.learn.batches import training_rows
from rarecase.learn.dropout import DRAWS
from rarecase.learn.frozen import Frozen
from rarecase.learn.hyperparameters import MAX_GRADIENT_NORM, WARMUP, FitOptions, Settings
from rarecase.learn.record import Description
from rarecase.learn.tuned import RATES, copies
from rarecase.models.encoder import Encoder, SentenceEncoder, load_encoder, require_finite

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# The library's own.
LEARNING_RATE = 2e-5
PAIRS = 16  # in a batch, half of them of one class
WEIGHT_DECAY = 0.01

UPDATES = 100  # at most, where none are asked for: the pairs of a set grow with its square
TEXTS = 2000  # at most, that pairs are made of: every two of them are held in memory


class SetFit(Frozen):
    """
    An encoder that `fit` starts from its pretrained weights each time, and the head of `Frozen`.

    The pairs, their order and dropout follow from the seed, the texts and their labels: rows in another order, or with
    other ids and sources, give the same weights to the last bit on the same machine's CPU. Several processes
    (`accelerate launch`) train it no faster: the main one does it alone.

    Args:
        model (`str`): the encoder to start from: `packaged`, a folder or a Hub id.
        names (`Sequence[str]`): the classes of the taxonomy, in order.
        options (`FitOptions`): `updates` are batches of 16 pairs, by default once through the pairs that the library
            makes (as many of one class as of two, the fewer ones repeated), but not more than 100; `precision` is
            that of training, texts are encoded in fp32; the learning rate is 2e-5 by default.
        seed (`int`): the seed of the run.
        encoder (`Encoder`, *optional*): one that is loaded already, instead of `model`; it stays as it is.

    Example:
        >>> learner = SetFit("packaged", taxonomy.names, seed=0).fit(train, dev)
        >>> scored = learner.score(pool)                    # with `probs` and `features`
    """

    learner = "setfit"
    saved = (*Frozen.saved, "precision", "updates", "updates_run", "learning_rate")

    def __init__(
        self,
        model: str,
        names: Sequence[str],
        options: FitOptions = FitOptions(),  # noqa: B008 - frozen
        *,
        seed: int,
        encoder: Encoder | None = None,
    ):
        super().__init__(model, names, options, seed=seed, encoder=encoder)
        self.precision = options.precision_or_best()
        self.updates = options.updates
        self.learning_rate = LEARNING_RATE if options.learning_rate is None else options.learning_rate
        self.updates_run = 0
        self._start = encoder

    def prepare(self, dataset: Dataset) -> Dataset:
        """No vector outlives a round: the table as it is."""
        return dataset

    def fit(self, train: Dataset, dev: Dataset) -> Self:
        """
        Fine-tunes the encoder from its pretrained weights, then fits the head.

        Args:
            train (`Dataset`): with `text` and `label`; a class may lack examples, and with a single class there is
                nothing to contrast.
            dev (`Dataset`): not used, as there is nothing to choose.

        Returns:
            `SetFit`: itself.

        Raises:
            `ConfigError`: where the library `setfit` is not installed.
            `DataError`: where there is no training row, a label is missing or the classes are others.
            `ModelError`: where the encoder cannot be loaded safely, or the loss is not finite.
        """
        rows, labels = training_rows(train, self.names)
        require_setfit()
        start = self._started()
        if not isinstance(start, SentenceEncoder):
            raise ModelError(
                f"encoder {type(start).__name__}: setfit can only fine-tune one that rarecase.load_encoder gives"
            )
        tuned, updates = start, 0
        if len(np.unique(labels)) > 1:
            tuned = SentenceEncoder(start.name, start.folder)
            tuned.model = copy.deepcopy(start.model)
            updates = self._contrast(tuned.model, schema.texts(rows), labels)
        self._encoder, self.updates_run = tuned, updates
        self._weight = self._bias = None  # they read the vectors of another encoder
        self._fit_head(require_finite(self._with_features(_without_features(rows)), "features"), labels)
        return self

    def score(self, dataset: Dataset) -> Dataset:
        """
        The probability of each class for each text.

        Args:
            dataset (`Dataset`): with `text`.

        Returns:
            `Dataset`: with `probs`, float32 `(rows, classes)`: 0 for a class that had no example; and `features`,
            float32 `(rows, dim)`: the vectors of the fine-tuned encoder.

        Raises:
            `ModelError`: where the learner has not been fitted.
        """
        return super().score(_without_features(dataset))

    def sample(self, dataset: Dataset, draws: int = DRAWS) -> Dataset:
        """See `Frozen.sample`; `features` are read where they stand beside `probs`, as `score` gives them."""
        return super().sample(dataset if "probs" in dataset.column_names else _without_features(dataset), draws)

    def variants(self) -> Iterator[Self]:
        """Copies to choose from on dev, the first as it is, which all start from one encoder."""
        self._started()
        return copies(self, "learning_rate", [factor * self.learning_rate for factor in RATES])

    def describe(self) -> Description:
        """How it was made; see `Learner.describe`."""
        described = super().describe()
        own: Settings = {
            "learning_rate": self.learning_rate,
            "updates": self.updates_run,
            "pairs": PAIRS,
            "warmup": WARMUP,
        }
        settings = {**described.settings, **own, "weight_decay": WEIGHT_DECAY}
        return replace(described, precision=self.precision, settings=settings)

    def _started(self) -> Encoder:
        """The encoder that `fit` starts from, loaded when it is first needed."""
        self._start = self._start or load_encoder(self.model)
        return self._start

    def _contrast(self, model: "SentenceTransformer", texts: list[str], labels: np.ndarray) -> int:
        """Trains `model` in place; how many updates it took."""
        pairs = pairs_of(texts, labels, (self.updates or UPDATES) * PAIRS, self.seed)
        updates = self.updates or math.ceil(len(pairs) / PAIRS)
        with torch_seeded(integer(self.seed, "setfit"), model.device):
            contrast(model, pairs, updates, learning_rate=self.learning_rate, precision=self.precision)
        return updates


def require_setfit() -> Any:
    """
    The sampler of the library `setfit`.

    Raises:
        `ConfigError`: where it is not installed.
    """
    try:
        with warnings.catch_warnings():  # on import it changes the filters of the whole process
            from setfit.sampler import ContrastiveDataset
    except ImportError as error:
        raise ConfigError("--learner setfit needs the library setfit; pip install 'rarecase[setfit]'") from error
    return ContrastiveDataset


def pairs_of(texts: Sequence[str], labels: np.ndarray, most: int, seed: int) -> list[dict[str, Any]]:
    """
    The pairs that `setfit` makes of labelled texts, of one class and of two in turn.

    Args:
        texts (`Sequence[str]`): in canonical order; of more than 2,000, as many are drawn, from all classes in turn,
            so that a rare one keeps all of its own.
        labels (`np.ndarray`): int64, shape `(len(texts),)`, of at least two classes.
        most (`int`): pairs at most.
        seed (`int`): the seed of the run: the library draws with a fixed one, from the texts as they stand.

    Returns:
        `list[dict]`: `sentence_1`, `sentence_2` and `label`: 1.0 for one class, 0.0 for two.

    Example:
        >>> pairs_of(["a", "b"], np.array([0, 1]), most=2, seed=0)[1]
        {'sentence_1': 'a', 'sentence_2': 'b', 'label': 0.0}
    """
    drawn = generator(seed, "pairs").permutation(len(texts))
    in_turn = np.argsort(rank_within(labels[drawn]), kind="stable")
    drawn = drawn[np.sort(in_turn[:TEXTS])]
    chosen = [texts[row] for row in drawn]
    return list(require_setfit()(chosen, labels[drawn].tolist(), multilabel=False, max_pairs=most))


def contrast(
    model: "SentenceTransformer",
    pairs: Sequence[dict[str, Any]],
    updates: int,
    *,
    learning_rate: float,
    precision: str,
) -> None:
    """
    Trains an encoder in place so that the cosine of the vectors of a pair comes close to its label: the mean of the
    squared differences is the loss, as in `sentence-transformers`' `CosineSimilarityLoss`.

    Args:
        model (`SentenceTransformer`): the encoder.
        pairs (`Sequence[dict]`): see `pairs_of`; begun anew when they are used up.
        updates (`int`): how many batches of 16 pairs.
        learning_rate (`float`): the peak, after warm-up.
        precision (`str`): `fp32`, or `bf16` for mixed precision.

    Raises:
        `ModelError`: where the loss is not finite.
    """
    fused = model.device.type in ("cpu", "cuda")
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY, fused=fused)
    scheduler = get_linear_schedule_with_warmup(optimizer, math.ceil(WARMUP * updates), updates)
    endless = itertools.cycle(pairs)
    model.train()
    for _ in tqdm(range(updates), desc="contrasting", delay=2, disable=None, leave=False, file=sys.stderr):
        batch = list(itertools.islice(endless, PAIRS))
        target = torch.tensor([pair["label"] for pair in batch], device=model.device)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bf16"):
            vectors = _vectors(model, [pair[side] for side in ("sentence_1", "sentence_2") for pair in batch])
        left, right = vectors.float().split(len(batch))
        loss = F.mse_loss(F.cosine_similarity(left, right), target)
        if not torch.isfinite(loss):
            raise ModelError("setfit: the training loss is not finite; lower --learning-rate, or give another --model")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    model.eval()


def _without_features(dataset: Dataset) -> Dataset:
    """Those that are there may be of an earlier fit."""
    return dataset.remove_columns([column for column in ("features",) if column in dataset.column_names])


def _vectors(model: "SentenceTransformer", texts: list[str]) -> torch.Tensor:
    """The vectors of a batch, shape `(len(texts), dim)`, with their gradients."""
    tokens = {
        name: value.to(model.device) if isinstance(value, torch.Tensor) else value
        for name, value in model.preprocess(texts).items()
    }
    return model(tokens)["sentence_embedding"]
