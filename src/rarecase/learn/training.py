"""
The training loop of a fine-tuned learner: plain Accelerate, to be read from top to bottom.

With several processes (`accelerate launch`, see `rarecase.learn.workers`) each takes its share of every batch, the
loss is divided by the weight of the whole batch, and the gradients are summed: without dropout the same updates as
with one process, whatever their number; with dropout the same batches, of which each process drops other units. They
are summed here and not by a wrapper of the model, so that a process which fails halfway, out of memory, leaves no
other waiting for its part.
"""

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
from accelerate.state import AcceleratorState
from torch.nn.utils import clip_grad_norm_, parameters_to_vector, vector_to_parameters
from transformers import get_linear_schedule_with_warmup

from rarecase.core.errors import ModelError
from rarecase.core.progress import bar
from rarecase.learn.batches import LengthGrouped
from rarecase.learn.hyperparameters import MAX_GRADIENT_NORM, Hyperparameters
from rarecase.learn.weights import class_weights
from rarecase.learn.workers import all_or_none, from_main, is_distributed

EVALUATIONS = 8  # on dev, where the number of updates is given

Example = dict[str, Any]
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
    dev_macro_f1: Callable[[], float] | None,
) -> list[Epoch]:
    """
    Trains `network` in place and leaves it with the weights of its best epoch on dev (the last one without dev).

    The examples (`input_ids`, `attention_mask`, … and `labels`) are in canonical order, which `seed` shuffles; dropout
    draws from torch's generator, which the caller seeds. With `settings.updates` nothing stops early, so that learners
    can be compared at equal optimiser steps.
    """
    accelerator = _accelerator(precision)
    labels = np.array([example["labels"] for example in examples])
    batches = LengthGrouped(np.array([len(example["input_ids"]) for example in examples]), settings.batch_size, seed)
    an_epoch = math.ceil(len(batches) / settings.gradient_accumulation)
    total, interval, patience = settings.epochs * an_epoch, an_epoch, settings.patience
    if settings.updates is not None:
        total, interval, patience = settings.updates, math.ceil(settings.updates / EVALUATIONS), EVALUATIONS
    with all_or_none():
        network.to(accelerator.device)
    optimizer, scheduler = optimizer_of(network, settings.learning_rate, total, settings.warmup, 0.0)
    weighed = class_weights(labels, classes, settings.class_weights)
    weights = torch.tensor(weighed, dtype=torch.float32, device=accelerator.device)

    history: list[Epoch] = []
    best = BestWeights(network, patience, keep=accelerator.is_main_process)
    updates = islice(_updates(batches, settings.gradient_accumulation), total)
    quiet = None if accelerator.is_main_process else True
    with bar(total, "fine-tuning", delay=2, disable=quiet) as progress:
        while epoch := list(islice(updates, interval)):
            network.train()
            losses = torch.zeros((), device=accelerator.device)
            for update in epoch:
                losses += _update(accelerator, network, optimizer, update, examples, collate, weights)
                scheduler.step()
                progress.update()
            loss = float(accelerator.reduce(losses)) / len(epoch)
            if not math.isfinite(loss):
                raise ModelError(
                    f"{settings.model}: the training loss is not finite; lower --learning-rate, or give another model"
                )
            score = _evaluate(dev_macro_f1) if dev_macro_f1 else None
            history.append(Epoch(loss=loss, dev_macro_f1=score))
            if tell := ON_EPOCH.get():
                tell(history[-1])
            with all_or_none():
                past = score is not None and best.is_past(score)
            if past:
                break
    best.restore()
    network.eval()
    return history


def optimizer_of(
    network: torch.nn.Module, learning_rate: float, updates: int, warmup: float, weight_decay: float
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW, and a learning rate that rises linearly over the share `warmup` of all updates, then falls to 0."""
    fused = next(network.parameters()).device.type in ("cpu", "cuda")
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=fused)
    return optimizer, get_linear_schedule_with_warmup(optimizer, math.ceil(warmup * updates), updates)


def _updates(batches: LengthGrouped, gradient_accumulation: int) -> Iterator[list[list[int]]]:
    """The batches of each update, epoch after epoch without end; the last update of an epoch may have fewer."""
    for epoch in count():
        batches.epoch = epoch
        drawn = list(batches)
        for start in range(0, len(drawn), gradient_accumulation):
            yield drawn[start : start + gradient_accumulation]


def _update(
    accelerator: Accelerator,
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    update: list[list[int]],
    examples: list[Example],
    collate: Collate,
    weights: torch.Tensor,
) -> torch.Tensor:
    """One step of the optimiser; this process's part of the mean loss of its batches."""
    part = torch.zeros((), device=accelerator.device)
    processes, own = accelerator.num_processes, accelerator.process_index
    with all_or_none():
        for rows in update:
            # A process without a row in this batch takes the first with no weight: every one has to have gradients.
            share, counts = (rows[own::processes], 1.0) if own < len(rows) else (rows[:1], 0.0)
            batch = collate([examples[r] for r in share]).to(accelerator.device)
            target = batch.pop("labels")
            with accelerator.autocast():
                logits = network(**batch).logits.float()
            losses = F.cross_entropy(logits, target, weight=weights, reduction="sum")
            whole = weights[[examples[r]["labels"] for r in rows]].sum()
            loss = counts * losses / whole / len(update)
            accelerator.backward(loss)
            part += loss.detach()
    if is_distributed():
        _sum_over_processes([parameter.grad for parameter in network.parameters() if parameter.grad is not None])
    with all_or_none():  # the first step takes the memory of the moments
        clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad()
    return part


def _sum_over_processes(gradients: list[torch.Tensor]) -> None:
    """Replaces each gradient by the sum over all processes."""
    with all_or_none():
        vector = parameters_to_vector(gradients)
    torch.distributed.all_reduce(vector)
    vector_to_parameters(vector, gradients)


def _evaluate(dev_macro_f1: Callable[[], float]) -> float:
    """The main process's score: if the last bit differed, two could stop at different epochs and wait for ever."""
    with all_or_none():
        score = dev_macro_f1()
    return from_main(score)


class BestWeights:
    """The weights of the best epoch so far, kept if `keep`; past after `patience` epochs without a better one."""

    def __init__(self, network: torch.nn.Module, patience: int, keep: bool):
        self.network, self.patience, self.keep = network, patience, keep
        self.score, self.epochs_since = -1.0, 0
        self.weights: dict[str, torch.Tensor] | None = None

    def is_past(self, score: float) -> bool:
        """Keeps the weights if this score is the best; whether there has been none for too long."""
        if score > self.score:
            self.score, self.epochs_since = score, 0
            if self.keep:
                state = self.network.state_dict()
                self.weights = {name: value.detach().to("cpu", copy=True) for name, value in state.items()}
        else:
            self.epochs_since += 1
        return self.epochs_since >= self.patience

    def restore(self) -> None:
        """Puts them back; without a score the last ones stay."""
        if self.weights is not None:
            self.network.load_state_dict(self.weights)


def _accelerator(precision: str) -> Accelerator:
    mixed = "bf16" if precision == "bf16" else "no"
    # The precision is global to a process, and a second one is refused: two learners could not differ in it.
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=mixed)
