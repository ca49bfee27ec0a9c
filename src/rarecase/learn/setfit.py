"""
A sentence encoder that is fine-tuned by contrast, and a logistic regression on top: the learner `setfit`.

Tunstall, Reimers, Jo, Bates, Korat, Wasserblat and Pereg (2022), *Efficient Few-Shot Learning Without Prompts*,
section 3: pairs of texts of one class are drawn together, pairs of two classes apart, and then a head is fitted on the
vectors.

The pairs are those of the library `setfit`. Its trainer, and that of `sentence-transformers` under it, is not used:
both seed Python's, numpy's and torch's generators for the whole process, keep training texts for a model card, and
write bars and figures to the terminal where there is none. What they do with the pairs is `contrast` below.
"""

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset

from rarecase.acquire.selection import rank_within
from rarecase.core.errors import ConfigError, ModelError
from rarecase.core.processes import in_touch, join, on_main
from rarecase.core.progress import bar
from rarecase.core.randomness import generator, integer, torch_seeded
from rarecase.data import schema
from rarecase.learn.accelerated import (
    SHARDED,
    accelerator_of,
    loader_of,
    only_used,
    optimizer_of,
    released,
    require_finite_loss,
)
from rarecase.learn.batches import Shares, training_rows
from rarecase.learn.dropout import DRAWS
from rarecase.learn.frozen import Frozen
from rarecase.learn.hyperparameters import MAX_GRADIENT_NORM, WARMUP, FitOptions, Settings
from rarecase.learn.record import Description
from rarecase.learn.tuned import RATES, copies
from rarecase.models.encoder import Encoder, SentenceEncoder, encode

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# The library's own.
LEARNING_RATE = 2e-5
PAIRS = 16  # in a batch, half of them of one class
WEIGHT_DECAY = 0.01

UPDATES = 100  # at most, where none are asked for: the pairs of a set grow with its square
TEXTS = 2000  # at most, that pairs are made of: every two of them are held in memory

Pair = dict[str, Any]  # `sentence_1`, `sentence_2` and `label`: 1.0 for one class, 0.0 for two
Sampler = Callable[..., Iterator[Pair]]


class SetFit(Frozen):
    """
    An encoder that `fit` starts from its pretrained weights each time, and the head of `Frozen`.

    The pairs, their order and dropout follow from the seed, the texts and their labels: rows in another order, or with
    other ids and sources, give the same weights to the last bit on the same machine's CPU. Several processes
    (`accelerate launch`) share out fits and scoring, so each has to call them.

    Args:
        model (`str`): the encoder to start from: `packaged`, a folder or a Hub id.
        names (`Sequence[str]`): the classes of the taxonomy, in order.
        options (`FitOptions`, *optional*): `updates` are batches of 16 pairs, by default once through the pairs that
            the library makes (as many of one class as of two, the fewer ones repeated), but not more than 100;
            `precision` is that of training, texts are encoded in fp32; the learning rate is 2e-5 by default, and the
            class weights of the head `balanced`.
        seed (`int`): the seed of the run.
        encoder (`Encoder`, *optional*): one that is loaded already, instead of `model`; it stays as it is.

    Raises:
        `ConfigError`: by `fit`, if the library `setfit` is not installed.

    Example:
        >>> learner = SetFit("packaged", taxonomy.names, FitOptions(updates=2), seed=0).fit(train, dev)
        >>> scored = learner.score(pool)                    # with `probs` and `features`
    """

    kind = "setfit"
    saved = (*Frozen.saved, "precision", "updates", "updates_run", "learning_rate")

    def __init__(
        self,
        model: str,
        names: Sequence[str],
        options: FitOptions = FitOptions(),
        *,
        seed: int,
        encoder: Encoder | None = None,
    ):
        super().__init__(model, names, options, seed=seed, encoder=encoder)
        self.precision = options.precision_or_best()
        self.updates = options.updates
        self.learning_rate = LEARNING_RATE if options.learning_rate is None else options.learning_rate
        self.updates_run = 0
        self._fine_tuned: SentenceEncoder | None = None

    @property
    def encoder(self) -> Encoder:
        """The fine-tuned encoder; before a fit the one to start from."""
        return self._fine_tuned or super().encoder

    def prepare(self, dataset: Dataset) -> Dataset:
        """See `Learner.prepare`; no vector outlives a fit."""
        return dataset

    def fit(self, train: Dataset, dev: Dataset) -> Self:
        """See `Learner.fit`; with a single class in `train` there is nothing to contrast, and `dev` is not used."""
        rows, labels = training_rows(train, self.names)
        require_setfit()
        start = super().encoder
        if not isinstance(start, SentenceEncoder):
            raise ModelError(
                f"encoder {type(start).__name__}: setfit can only fine-tune one that rarecase.load_encoder returns"
            )
        fitted = copy.copy(self)
        fitted._fine_tuned, fitted.updates_run = start, 0
        if len(np.unique(labels)) > 1:
            # Under another name: it has other weights, which errors (and what tests remember by name) must not mix up.
            fitted._fine_tuned = SentenceEncoder(f"{start.name}, fine-tuned", start.folder)
            fitted._fine_tuned.model = copy.deepcopy(start.model)
            fitted.updates_run = self._contrast(fitted._fine_tuned.model, schema.texts(rows), labels)
        return fitted._with_head(encode(rows, fitted._fine_tuned), labels)

    def score(self, dataset: Dataset | Sequence[str]) -> Dataset:
        """See `Learner.score`; `features` are the vectors of the fine-tuned encoder."""
        return super().score(_without_features(schema.as_table(dataset)))

    def sample(self, dataset: Dataset, draws: int = DRAWS) -> Dataset:
        """See `Learner.sample`; `features` are read only beside `probs`, where `score` put them."""
        return super().sample(dataset if "probs" in dataset.column_names else _without_features(dataset), draws)

    def variants(self) -> Iterator[Self]:
        """See `Learner.variants`; they differ in the learning rate."""
        return copies(self, "learning_rate", [factor * self.learning_rate for factor in RATES])

    def describe(self) -> Description:
        """See `Learner.describe`."""
        described = super().describe()
        settings: Settings = {
            **described.settings,
            "learning_rate": self.learning_rate,
            "updates": self.updates_run,
            "pairs": PAIRS,
            "warmup": WARMUP,
            "weight_decay": WEIGHT_DECAY,
        }
        return replace(described, precision=self.precision, settings=settings)

    def _contrast(self, model: "SentenceTransformer", texts: list[str], labels: np.ndarray) -> int:
        """Trains `model` in place; returns the number of updates."""
        pairs = pairs_of(texts, labels, (self.updates or UPDATES) * PAIRS, self.seed)
        updates = self.updates or math.ceil(len(pairs) / PAIRS)
        process = join().process_index
        with torch_seeded(integer(self.seed, "setfit", *([process] if process else [])), model.device), in_touch():
            contrast(model, pairs, updates, learning_rate=self.learning_rate, precision=self.precision)
        return updates


def require_setfit() -> Sampler:
    """The sampler of the library `setfit`; an error if it is not installed."""
    try:
        with warnings.catch_warnings():  # on import it changes the filters of the whole process
            from setfit.sampler import ContrastiveDataset
    except ImportError as error:
        raise ConfigError("--learner setfit needs the library setfit; pip install 'rarecase[setfit]'") from error
    return ContrastiveDataset


def pairs_of(texts: Sequence[str], labels: np.ndarray, most: int, seed: int) -> list[Pair]:
    """
    At most `most` pairs that `setfit` makes of labelled texts of two classes or more, of one class and of two in turn.

    The texts are in canonical order. Of more than 2,000, as many are drawn, from all classes in turn, so that a rare
    one keeps all of its own. The seed decides the order of the texts: the library draws with a fixed one.
    """
    drawn = generator(seed, "pairs").permutation(len(texts))
    in_turn = np.argsort(rank_within(labels[drawn]), kind="stable")
    drawn = drawn[np.sort(in_turn[:TEXTS])]
    chosen = [texts[row] for row in drawn]
    return list(require_setfit()(chosen, labels[drawn].tolist(), multilabel=False, max_pairs=most))


def contrast(
    model: "SentenceTransformer", pairs: Sequence[Pair], updates: int, *, learning_rate: float, precision: str
) -> None:
    """
    Trains an encoder in place so that the cosine of the vectors of a pair comes close to its label: the mean of the
    squared differences is the loss, as in `sentence-transformers`' `CosineSimilarityLoss`. An update reads 16 pairs,
    which begin again when they are used up.
    """
    from sentence_transformers.util import batch_to_device

    accelerator = accelerator_of(precision)
    if accelerator.distributed_type in SHARDED:
        raise ConfigError("--learner setfit is not sharded by FSDP or DeepSpeed; choose neither by accelerate config")
    places = np.resize(np.arange(len(pairs)), updates * PAIRS).reshape(updates, PAIRS).tolist()
    loader = loader_of(
        lambda place, divisor: (pairs[place], divisor),
        Shares(places, lambda *_: PAIRS, accelerator.num_processes),
        list,
    )
    preprocess, device = model.preprocess, accelerator.device
    optimizer, scheduler = optimizer_of(model.to(device), learning_rate, updates, WARMUP, WEIGHT_DECAY)
    one = batch_to_device(preprocess([pairs[0]["sentence_1"]]), device)
    with only_used(model, lambda: model(one)["sentence_embedding"]):
        network, optimizer, scheduler, loader = accelerator.prepare(model, optimizer, scheduler, loader)
    network.train()
    for batch in bar(updates, "contrasting", iterable=loader, delay=2):
        target = torch.tensor([pair["label"] for pair, _ in batch], device=device)
        texts = [pair[side] for side in ("sentence_1", "sentence_2") for pair, _ in batch]
        vectors = network(batch_to_device(preprocess(texts), device))["sentence_embedding"]
        left, right = vectors.float().split(len(batch))
        loss = F.mse_loss(F.cosine_similarity(left, right), target, reduction="sum") / batch[0][1]
        on_main(require_finite_loss, float(accelerator.reduce(loss.detach())), "setfit", "--model")
        with accelerator.accumulate(network):
            accelerator.backward(loss * accelerator.num_processes)  # whose gradients are averaged
            accelerator.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()
    released(model).eval()


def _without_features(dataset: Dataset) -> Dataset:
    """Without those that are there: they may be of an earlier fit."""
    return dataset.remove_columns("features") if "features" in dataset.column_names else dataset
