"""
The training loop of a fine-tuned learner: plain Accelerate, to be read from top to bottom.

With several processes (`rarecase.core.processes`) each takes its share of every batch: without dropout the same
updates as with one process, whatever their number; with dropout the same batches, of which each drops other units.
"""

import copy
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch.utils.data import DataLoader

from rarecase.core.processes import from_main, on_main
from rarecase.core.progress import bar
from rarecase.learn.accelerated import (
    SHARDED,
    accelerator_of,
    loader_of,
    only_used,
    optimizer_of,
    plain,
    released,
    require_finite_loss,
)
from rarecase.learn.batches import LengthGrouped, Shares
from rarecase.learn.hyperparameters import MAX_GRADIENT_NORM, Hyperparameters
from rarecase.learn.weights import class_weights

EVALUATIONS = 8  # on dev, where the number of updates is given

Example = dict[str, Any]  # `input_ids`, `attention_mask`, … and `labels`
Collate = Callable[[list[Example]], Any]  # to a `BatchEncoding`


@dataclass(frozen=True)
class Epoch:
    """Mean training loss and dev macro-F1 (in percent) of an epoch, or of one eighth of a given number of updates."""

    loss: float
    dev_macro_f1: float | None  # None without dev rows


# Called with each epoch when it is over, in the process that sets it; no part of what a learner is.
ON_EPOCH: ContextVar[Callable[[Epoch], None] | None] = ContextVar("ON_EPOCH", default=None)


def train(
    network: torch.nn.Module,
    examples: list[Example],
    collate: Collate,
    settings: Hyperparameters,
    *,
    classes: int,
    seed: int,
    precision: str,
    dev_macro_f1: Callable[[torch.nn.Module], float] | None,
) -> tuple[torch.nn.Module, list[Epoch]]:
    """
    Trains `network`, and gives it with the weights of its best epoch on dev (of the last one without dev).

    The examples are in canonical order, which `seed` shuffles; dropout draws from torch's generator, which the caller
    seeds. With `settings.updates` nothing stops early, so that learners can be compared at equal optimiser steps.
    """
    accelerator = accelerator_of(precision, settings.gradient_accumulation)
    accumulation = accelerator.gradient_accumulation_steps
    labels = np.array([example["labels"] for example in examples])
    weights = torch.tensor(class_weights(labels, classes, settings.class_weights), dtype=torch.float32)
    batches = LengthGrouped(np.array([len(example["input_ids"]) for example in examples]), settings.batch_size, seed)

    def divisor(place: int, rows: list[int]) -> float:
        """The weight of a batch; the last update of an epoch may have fewer batches than the others."""
        in_update = min(accumulation, len(batches) - place // accumulation * accumulation)
        return float(weights[labels[rows]].sum()) * (in_update / accumulation)

    interval, total, patience = _schedule(math.ceil(len(batches) / accumulation), settings)
    shares = Shares(batches, divisor, accelerator.num_processes)
    loader = loader_of(lambda row, divisor: {**examples[row], "divisor": divisor}, shares, collate)
    whole = copy.deepcopy(network) if accelerator.distributed_type in SHARDED else None
    network.to(accelerator.device)
    weights = weights.to(accelerator.device)
    optimizer, scheduler = optimizer_of(network, settings.learning_rate, total, settings.warmup, 0.0)
    with only_used(network, lambda: network(**collate(examples[:1]).to(accelerator.device)).logits):
        model, optimizer, scheduler, loader = accelerator.prepare(network, optimizer, scheduler, loader)
    best, history = BestWeights(lambda: accelerator.get_state_dict(model), patience), list[Epoch]()
    steps = _steps(accelerator, model, optimizer, scheduler, batches, loader, weights)
    losses = torch.zeros((), device=accelerator.device)
    with bar(total, "fine-tuning", delay=2) as progress:
        for number, loss in enumerate(islice(steps, total), 1):
            losses += loss
            progress.update()
            if number % interval and number < total:
                continue
            mean = float(accelerator.reduce(losses)) / (number % interval or interval)
            losses.zero_()
            on_main(require_finite_loss, mean, settings.model, "model")
            # The main process's: if the last bit differed, two could stop at different epochs and wait for ever.
            with plain(network):
                score = from_main(dev_macro_f1(model if whole else network) if dev_macro_f1 else None)
            history.append(Epoch(loss=mean, dev_macro_f1=score))
            if tell := ON_EPOCH.get():
                tell(history[-1])
            if score is not None and best.is_past(score):
                break
    if whole:  # whose weights the main process has
        best.weights = from_main(accelerator.get_state_dict(model) if best.score < 0 else best.weights)
    trained = whole or released(network)
    if best.weights is not None:
        trained.load_state_dict(best.weights)
    return trained.to(accelerator.device).eval(), history


def _schedule(an_epoch: int, settings: Hyperparameters) -> tuple[int, int, int]:
    """Updates between two looks at dev, updates in all, and how many looks without a better one end it."""
    if settings.updates is None:
        return an_epoch, settings.epochs * an_epoch, settings.patience
    return math.ceil(settings.updates / EVALUATIONS), settings.updates, EVALUATIONS


def _steps(
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    batches: LengthGrouped,
    loader: DataLoader,
    weights: torch.Tensor,
) -> Iterator[torch.Tensor]:
    """Makes one step of the optimiser after the other, without end; gives this process's part of the loss of each."""
    for batches.epoch in count():
        part = torch.zeros((), device=accelerator.device)
        for batch in loader:
            model.train()
            target, divisor = batch.pop("labels"), batch.pop("divisor")[0]
            with accelerator.accumulate(model):
                logits = model(**batch).logits.float()
                loss = F.cross_entropy(logits, target, weight=weights, reduction="sum") / divisor
                accelerator.backward(loss * accelerator.num_processes)  # whose gradients are averaged
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
                optimizer.step()
                optimizer.zero_grad()
            part += loss.detach() / accelerator.gradient_accumulation_steps
            if accelerator.sync_gradients:
                scheduler.step()
                yield part
                part = torch.zeros((), device=accelerator.device)


class BestWeights:
    """The weights of the best epoch so far; past after `patience` epochs without a better one."""

    def __init__(self, now: Callable[[], dict[str, torch.Tensor]], patience: int):
        self.now, self.patience = now, patience
        self.score, self.epochs_since = -1.0, 0
        self.weights: dict[str, torch.Tensor] | None = None

    def is_past(self, score: float) -> bool:
        """Keeps the weights if this score is the best; whether there has been none for too long."""
        if score > self.score:
            self.score, self.epochs_since = score, 0
            self.weights = {name: value.detach().to("cpu", copy=True) for name, value in (self.now() or {}).items()}
        else:
            self.epochs_since += 1
        return self.epochs_since >= self.patience
