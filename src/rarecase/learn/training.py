"""The training loop of a fine-tuned learner: plain Accelerate, to be read from top to bottom."""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import get_linear_schedule_with_warmup

from rarecase.errors import ModelError
from rarecase.learn.batches import LengthGrouped
from rarecase.models import ClassWeights, Hyperparameters

WARMUP = 0.1  # of all updates
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Epoch:
    """
    What one epoch came to.

    Args:
        loss (`float`): mean training loss over the batches.
        dev_macro_f1 (`float`, *optional*): in percent; None without dev rows.
    """

    loss: float
    dev_macro_f1: float | None


def train(
    network: torch.nn.Module,
    examples: list[dict[str, Any]],
    collate: Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]],
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
        settings (`Hyperparameters`): learning rate, batch size, epochs, class weights.
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
    accelerator = _accelerator(precision, gradient_accumulation)
    labels = np.array([example["labels"] for example in examples])
    batches = LengthGrouped(np.array([len(example["input_ids"]) for example in examples]), settings.batch_size, seed)
    loader: Any = DataLoader(examples, batch_sampler=batches, collate_fn=collate)  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=0.0,
        fused=accelerator.device.type in ("cpu", "cuda"),
    )
    # Counted before `prepare`, which shares the batches out: its scheduler then steps once for each process.
    updates = settings.epochs * math.ceil(len(batches) / gradient_accumulation)
    scheduler = get_linear_schedule_with_warmup(optimizer, math.ceil(WARMUP * updates), updates)
    model, optimizer, loader, scheduler = accelerator.prepare(network, optimizer, loader, scheduler)
    weights = class_weights(labels, classes, settings.class_weights).to(accelerator.device)

    history: list[Epoch] = []
    best = _Best(network, patience)
    bar = tqdm(
        total=settings.epochs * len(loader), desc="fine-tuning", delay=2, disable=None, leave=False, file=sys.stderr
    )
    with bar:
        for epoch in range(settings.epochs):
            batches.epoch = epoch
            loss = _epoch(accelerator, model, loader, optimizer, scheduler, weights, bar)
            if not math.isfinite(loss):
                raise ModelError(
                    f"{settings.model}: the training loss is not finite; lower --learning-rate, or give another model"
                )
            score = dev_macro_f1() if dev_macro_f1 else None
            history.append(Epoch(loss=loss, dev_macro_f1=score))
            if score is not None and best.is_past(score):
                break
    accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # takes the autocast off `network.forward` again
    accelerator.free_memory()
    best.restore()
    network.eval()
    return history


def _epoch(
    accelerator: Accelerator, model: Any, loader: Any, optimizer: Any, scheduler: Any, weights: torch.Tensor, bar: tqdm
) -> float:
    """One pass over the batches; the mean of their losses."""
    model.train()
    total = torch.zeros((), device=accelerator.device)
    accumulated = accelerator.gradient_accumulation_steps
    for step, batch in enumerate(loader):
        # Accelerate divides by the full number also where the epoch ends with fewer batches.
        first = step - step % accumulated
        share = accumulated / min(accumulated, len(loader) - first)
        with accelerator.accumulate(model):
            target = batch.pop("labels")
            loss = F.cross_entropy(model(**batch).logits.float(), target, weight=weights)
            accelerator.backward(loss * share)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        total += loss.detach()
        bar.update()
    return float(total) / len(loader)


class _Best:
    """
    The weights of the best epoch so far.

    Args:
        network (`torch.nn.Module`): whose weights.
        patience (`int`): epochs in a row without a better score before it is past.
    """

    def __init__(self, network: torch.nn.Module, patience: int):
        self.network, self.patience = network, patience
        self.score, self.since = -1.0, 0
        self.weights: dict[str, torch.Tensor] | None = None

    def is_past(self, score: float) -> bool:
        """Keeps the weights where this score is the best; whether there has been none for too long."""
        if score > self.score:
            self.score, self.since = score, 0
            state = self.network.state_dict()
            self.weights = {name: value.detach().to("cpu", copy=True) for name, value in state.items()}
        else:
            self.since += 1
        return self.since >= self.patience

    def restore(self) -> None:
        """Puts them back; without a score the last ones stay."""
        if self.weights is not None:
            self.network.load_state_dict(self.weights)


def class_weights(labels: np.ndarray, classes: int, kind: ClassWeights) -> torch.Tensor:
    """
    The weight of each class in the loss.

    Args:
        labels (`np.ndarray`): the class of each training row, shape `(rows,)`.
        classes (`int`): how many there are; one without an example weighs 1, which nothing reads.
        kind (`str`, *optional*): `balanced` (rows / (classes present · count), as in scikit-learn), `sqrt` (its
            root) or None (all 1).

    Returns:
        `torch.Tensor`: float32, shape `(classes,)`.

    Example:
        >>> class_weights(np.array([0, 0, 0, 1]), 2, "balanced")
        tensor([0.6667, 2.0000])
    """
    count = np.bincount(labels, minlength=classes)
    present = count > 0
    weights = np.ones(classes)
    weights[present] = len(labels) / (present.sum() * count[present])
    power = {"balanced": 1.0, "sqrt": 0.5, None: 0.0}[kind]
    return torch.tensor(weights**power, dtype=torch.float32)


def _accelerator(precision: str, gradient_accumulation: int) -> Accelerator:
    mixed = "bf16" if precision == "bf16" else "no"
    # The precision is global to a process, and a second one is refused: two learners could not differ in it.
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()
    return Accelerator(mixed_precision=mixed, gradient_accumulation_steps=gradient_accumulation)
