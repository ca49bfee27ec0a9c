"""
The training loop of a fine-tuned learner: plain Accelerate, to be read from top to bottom.

With several processes (`accelerate launch`, see `rarecase.learn.workers`) each takes its share of every batch, the
loss is divided by the weight of the whole batch, and the gradients are added up: without dropout the same updates as
with one process, whatever their number; with dropout the same batches, of which each process drops units of its own.
They are added up here and not by a wrapper of the model, so that a process which fails on its way, out of memory,
leaves no other waiting for its part.
"""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list
from torch.nn.utils import clip_grad_norm_, parameters_to_vector, vector_to_parameters
from tqdm import tqdm
from transformers import get_linear_schedule_with_warmup

from rarecase.core.errors import ModelError
from rarecase.learn.batches import LengthGrouped
from rarecase.learn.hyperparameters import MAX_GRADIENT_NORM, WARMUP, Hyperparameters
from rarecase.learn.weights import class_weights
from rarecase.learn.workers import all_or_none, several

LOOKS = 8  # at dev, where the number of updates is given

Example = dict[str, Any]
Collate = Callable[[list[Example]], dict[str, torch.Tensor]]


@dataclass(frozen=True)
class Epoch:
    """
    What one epoch came to, or where the number of updates is given, one eighth of them.

    Args:
        loss (`float`): mean training loss over the batches.
        dev_macro_f1 (`float`, *optional*): in percent; None without dev rows.
    """

    loss: float
    dev_macro_f1: float | None


def train(
    network: torch.nn.Module,
    examples: list[Example],
    collate: Collate,
    settings: Hyperparameters,
    *,
    classes: int,
    seed: int,
    precision: str,
    gradient_accumulation: int,
    patience: int,
    dev_macro_f1: Callable[[], float] | None,
) -> list[Epoch]:
    """
    Trains `network` in place and leaves it with the weights of its best epoch on dev (the last one without dev).

    Args:
        network (`torch.nn.Module`): a `transformers` sequence classifier.
        examples (`list[dict]`): `input_ids`, `attention_mask`, … and `labels` of each row, in canonical order.
        collate (`Callable`): pads examples to the longest of a batch.
        settings (`Hyperparameters`): learning rate, batch size, class weights, and for how long: `epochs`, which stop
            early, or `updates`, which do not, so that learners can be compared at equal optimiser steps.
        classes (`int`): how many there are, with or without an example.
        seed (`int`): for the order of the batches; dropout draws from torch's generator, which the caller seeds.
        precision (`str`): `fp32`, or `bf16` for mixed precision.
        gradient_accumulation (`int`): batches whose gradients make one update.
        patience (`int`): epochs without a better dev macro-F1 before it stops.
        dev_macro_f1 (`Callable`, *optional*): measures the network as it stands.

    Returns:
        `list[Epoch]`: the epochs that were run.

    Raises:
        `ModelError`: where the loss is not finite.
    """
    accelerator = _accelerator(precision)
    labels = np.array([example["labels"] for example in examples])
    batches = LengthGrouped(np.array([len(example["input_ids"]) for example in examples]), settings.batch_size, seed)
    an_epoch = math.ceil(len(batches) / gradient_accumulation)
    total, look = settings.epochs * an_epoch, an_epoch
    if settings.updates is not None:
        total, look, patience = settings.updates, math.ceil(settings.updates / LOOKS), LOOKS
    with all_or_none():
        network.to(accelerator.device)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=0.0,
        fused=accelerator.device.type in ("cpu", "cuda"),
    )
    scheduler = get_linear_schedule_with_warmup(optimizer, math.ceil(WARMUP * total), total)
    weighed = class_weights(labels, classes, settings.class_weights)
    weights = torch.tensor(weighed, dtype=torch.float32, device=accelerator.device)

    history: list[Epoch] = []
    best = _Best(network, patience, keeps=accelerator.is_main_process)
    updates = islice(_updates(batches, gradient_accumulation), total)
    quiet = None if accelerator.is_main_process else True
    with tqdm(total=total, desc="fine-tuning", delay=2, disable=quiet, leave=False, file=sys.stderr) as bar:
        while epoch := list(islice(updates, look)):
            network.train()
            losses = torch.zeros((), device=accelerator.device)
            for update in epoch:
                losses += _update(accelerator, network, optimizer, update, examples, collate, weights)
                scheduler.step()
                bar.update()
            loss = float(accelerator.reduce(losses)) / len(epoch)
            if not math.isfinite(loss):
                raise ModelError(
                    f"{settings.model}: the training loss is not finite; lower --learning-rate, or give another model"
                )
            score = _look(dev_macro_f1) if dev_macro_f1 else None
            history.append(Epoch(loss=loss, dev_macro_f1=score))
            with all_or_none():
                past = score is not None and best.is_past(score)
            if past:
                break
    best.restore()
    network.eval()
    return history


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
            batch = {
                name: tensor.to(accelerator.device) for name, tensor in collate([examples[r] for r in share]).items()
            }
            target = batch.pop("labels")
            with accelerator.autocast():
                logits = network(**batch).logits.float()
            losses = F.cross_entropy(logits, target, weight=weights, reduction="sum")
            whole = weights[[examples[r]["labels"] for r in rows]].sum()
            loss = counts * losses / whole / len(update)
            accelerator.backward(loss)
            part += loss.detach()
    if several():
        _add_up([parameter.grad for parameter in network.parameters() if parameter.grad is not None])
    with all_or_none():  # the first step takes the memory of the moments
        clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad()
    return part


def _add_up(gradients: list[torch.Tensor]) -> None:
    """Puts the sum over all processes in place of each gradient."""
    with all_or_none():
        vector = parameters_to_vector(gradients)
    torch.distributed.all_reduce(vector)
    vector_to_parameters(vector, gradients)


def _look(dev_macro_f1: Callable[[], float]) -> float:
    """At dev; the main process's: with another last bit, two could stop at different epochs and wait for ever."""
    with all_or_none():
        score = dev_macro_f1()
    return broadcast_object_list([score])[0]


class _Best:
    """
    The weights of the best epoch so far.

    Args:
        network (`torch.nn.Module`): whose weights.
        patience (`int`): epochs in a row without a better score before it is past.
        keeps (`bool`): whether the weights are wanted: those of the main process are.
    """

    def __init__(self, network: torch.nn.Module, patience: int, keeps: bool):
        self.network, self.patience, self.keeps = network, patience, keeps
        self.score, self.since = -1.0, 0
        self.weights: dict[str, torch.Tensor] | None = None

    def is_past(self, score: float) -> bool:
        """Keeps the weights where this score is the best; whether there has been none for too long."""
        if score > self.score:
            self.score, self.since = score, 0
            if self.keeps:
                state = self.network.state_dict()
                self.weights = {name: value.detach().to("cpu", copy=True) for name, value in state.items()}
        else:
            self.since += 1
        return self.since >= self.patience

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
