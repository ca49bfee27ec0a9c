"""What a training loop hands to `accelerator.prepare`: for the loops of `finetune` and `setfit`."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, DistributedType, GradientAccumulationPlugin
from torch.utils.data import DataLoader
from transformers import get_linear_schedule_with_warmup

from rarecase.core.errors import ConfigError, ModelError
from rarecase.core.processes import is_distributed, join
from rarecase.learn.batches import Shares

_ADDED = ("forward", "_original_forward", "_is_accelerate_prepared")
SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED)  # no process has the whole network


def accelerator_of(precision: str, accumulation: int = 1) -> Accelerator:
    """What trains in this precision, with so many batches in an update, over all processes."""
    if join().num_processes > 1 and not is_distributed():  # it would wait for the others
        raise ConfigError(
            "all processes share out a fit; call it in each, not in what the main one is asked for alone"
        )
    mixed = "bf16" if precision == "bf16" else "no"
    # The precision is global to a process, and a second one is refused: two learners could not differ in it.
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()
    return Accelerator(
        mixed_precision=mixed,
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=accumulation),
        dataloader_config=DataLoaderConfiguration(even_batches=False),  # no row is read twice
        step_scheduler_with_optimizer=False,  # it would make a step for each process
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True)],  # which spares a copy
    )


@contextmanager
def only_used(network: torch.nn.Module, output: Callable[[], torch.Tensor]) -> Iterator[None]:
    """In the block, weights that `output` does not depend on are frozen: DDP waits for the gradient of every other."""
    frozen: list[torch.nn.Parameter] = []
    if join().distributed_type not in (DistributedType.NO, *SHARDED):
        network.eval()  # which draws nothing
        output().sum().backward()
        frozen = [weight for weight in network.parameters() if weight.requires_grad and weight.grad is None]
        network.zero_grad()
    for weight in frozen:
        weight.requires_grad_(False)
    yield
    for weight in frozen:
        weight.requires_grad_(True)


def require_finite_loss(loss: float, name: str, model: str) -> None:
    """Raises a `ModelError` of this learner, which says what to give another of."""
    if not math.isfinite(loss):
        raise ModelError(f"{name}: the training loss is not finite; lower --learning-rate, or give another {model}")


def released(network: torch.nn.Module) -> torch.nn.Module:
    """The network without what `accelerator.prepare` has added to it."""
    for name in _ADDED:
        network.__dict__.pop(name, None)
    return network


@contextmanager
def plain(network: torch.nn.Module) -> Iterator[None]:
    """In the block, a prepared network computes in the precision of its weights."""
    added = {name: network.__dict__[name] for name in _ADDED if name in network.__dict__}
    released(network)
    yield
    network.__dict__.update(added)


def loader_of(item: Callable[[int, float], Any], shares: Shares, collate: Callable[[list[Any]], Any]) -> DataLoader:
    """The loader of shares of batches, of which `item` gives a row with its divisor."""

    class Items(torch.utils.data.Dataset):
        def __getitem__(self, place: tuple[int, float]) -> Any:
            return item(*place)

    # With a generator of its own, since it draws from one: dropout draws what it would without a loader.
    return DataLoader(Items(), batch_sampler=shares, collate_fn=collate, generator=torch.Generator())


def optimizer_of(
    network: torch.nn.Module, learning_rate: float, steps: int, warmup: float, weight_decay: float
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW, and a learning rate that rises linearly over the share `warmup` of all steps, then falls to 0."""
    fused = next(network.parameters()).device.type in ("cpu", "cuda")
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=fused)
    return optimizer, get_linear_schedule_with_warmup(optimizer, math.ceil(warmup * steps), steps)
