"""
Several processes of one program, as `accelerate launch`, `torchrun` and `notebook_launcher` start them.

Each process runs the whole program, and computes a share of what takes long (`share`, `from_all`, and fits, which
`accelerator.prepare` shares out). What reaches people, language models, files and the terminal is done by the main
process alone, and the others receive what it came to (`on_main`). Every process must call `on_main`, `from_all`, `fit`
and `score`, in the same order; else the others wait for ever.

    accelerate launch --multi_gpu --num_processes 2 -m rarecase experiment …
    torchrun --standalone --nproc_per_node 2 -m rarecase experiment …
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from rarecase.core.errors import ConfigError, ProcessEndedError, RarecaseError, WaitingForLabels

T = TypeVar("T")

# People may be asked for labels between two shared computations; the others wait for as long as that takes.
TIMEOUT = timedelta(days=30)
# How many blocks of `alone` this process is in; whatever its thread.
_alone = 0
_IN_ALL = "_in_all"


def started() -> int:
    """How many processes a launcher has started; 1 without one."""
    given = os.environ.get("WORLD_SIZE", "1")
    try:
        return int(given)
    except ValueError:
        raise ConfigError(
            f"WORLD_SIZE {given!r:.40}: expected how many processes a launcher has started; unset it"
        ) from None


def is_distributed() -> bool:
    """Whether work is shared out: under a launcher, but for what one process does alone."""
    return started() > 1 and not _alone


def is_main() -> bool:
    """Whether this is the main process, or the only one; joins the others when it is first asked."""
    return not is_distributed() or join().is_main_process


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """What one process does by itself in the block: nothing is shared out."""
    global _alone
    _alone += 1
    try:
        yield
    finally:
        _alone -= 1


def on_main(function: Callable[..., T], *arguments: Any) -> T:
    """
    What a function returns, or raises, in the main process, which alone calls it; in every process.

    Of an unexpected error the others get a `ProcessEndedError`; `is_in_all` is true of one that all get.
    """
    if not is_distributed():
        return function(*arguments)
    value: Any = None
    error: Exception | None = None
    if is_main():
        try:
            with alone():
                value = function(*arguments)
        except Exception as met:  # of any type: the others have to know
            error = met
    told = error if isinstance(error, RarecaseError | WaitingForLabels | None) else ProcessEndedError()
    from accelerate.utils import broadcast_object_list

    value, told = _collective(broadcast_object_list, [value, told])
    if raised := error or told:
        raised.__dict__[_IN_ALL] = True
        raise raised
    return value


def is_in_all(error: BaseException) -> bool:
    """Whether every process meets this error, so that all may go on; of others, some may have met none, and wait."""
    return not is_distributed() or _IN_ALL in error.__dict__


def from_main(value: T) -> T:
    """The value that the main process calls this with, in every process."""
    return on_main(lambda: value)


def share(parts: int) -> list[int]:
    """
    Which of so many parts this process computes; all of them in the only one.

    Each process has as many, some of them the first ones again: a sharded model computes in all processes at once.

    Example:
        >>> share(3)
        [0, 1, 2]
    """
    if not is_distributed() or not parts:
        return list(range(parts))
    own, processes = join().process_index, size()
    return [(own + turn * processes) % parts for turn in range(-(-parts // processes))]


def size() -> int:
    """How many processes share out their work."""
    return join().num_processes if is_distributed() else 1


def from_all(value: T) -> list[T]:
    """The values of all processes, in every process."""
    if not is_distributed():
        return [value]
    from accelerate.utils import gather_object

    return _collective(gather_object, [value])


def leave() -> None:
    """Leaves the others, once nothing is shared any more."""
    if is_distributed():
        join().destroy_process_group()


@contextlib.contextmanager
def in_touch() -> Iterator[None]:
    """What is computed together in the block; where another process is lost, raises a `ProcessEndedError`."""
    try:
        yield
    except RuntimeError as error:  # torch has a type for some of them
        if is_distributed() and any(name in str(error) for name in ("gloo", "NCCL", "by peer", "Connection")):
            raise ProcessEndedError from error
        raise


def join() -> Any:
    """Accelerate's `PartialState`, once the processes have found each other."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    if started() <= 1:
        return PartialState()
    # Without a GPU, accelerate takes every process for the only one unless it is made to use the processor.
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    for plugin in ("FSDP", "DEEPSPEED"):
        if cpu and parse_flag_from_env(f"ACCELERATE_USE_{plugin}"):
            raise ConfigError(
                f"ACCELERATE_USE_{plugin} shards a model over GPUs, and this machine computes on its processor; run "
                "accelerate config again, and choose neither FSDP nor DeepSpeed"
            )
    try:
        state = PartialState(cpu=cpu, timeout=TIMEOUT)
    except (ValueError, RuntimeError) as error:
        why = str(error).partition("\n")[0][:200]
        raise ConfigError(
            f"WORLD_SIZE, RANK, MASTER_ADDR and the like: the processes cannot be joined ({why}); unset them, or "
            "start by accelerate launch or torchrun"
        ) from error
    if state.num_processes == 1:
        raise ConfigError(
            f"{os.environ['WORLD_SIZE']} processes were started, and accelerate cannot join them on {state.device}; "
            "start one, or set ACCELERATE_USE_CPU=1"
        )
    return state


def _collective(function: Callable[[list[Any]], list[Any]], values: list[Any]) -> list[Any]:
    join()
    with in_touch():
        return function(values)
