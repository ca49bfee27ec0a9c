"""
Several processes, one learner: what happens under `accelerate launch` or `torchrun`.

Only the main process runs the program: it reads, chooses, asks for labels, generates and writes. The workers do not
know the command: they wait for a learner to fit, train it with the main process (`rarecase.learn.training` splits
every batch), and wait again. So nothing outside `rarecase.learn` has to know how many processes there are. With
dropout each process drops other units, so that another number of processes gives other weights.

    accelerate launch --multi_gpu --num_processes 2 -m rarecase experiment …
    torchrun --standalone --nproc_per_node 2 -m rarecase experiment …

Both also work on a processor, where `accelerate launch --cpu` starts a single process unless there is an MPI.
"""

import contextlib
import operator
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from rarecase.core.errors import ConfigError, ModelError, RarecaseError

Job = Callable[[], object]

# People may be asked for labels between two fits; the workers wait for as long as that takes.
TIMEOUT = timedelta(days=30)


def is_distributed() -> bool:
    """Whether this is one of several processes; true only under a launcher."""
    size = os.environ.get("WORLD_SIZE", "1")
    try:
        return int(size) > 1
    except ValueError:
        raise ConfigError(
            f"WORLD_SIZE {size!r:.40}: expected how many processes a launcher has started; unset it"
        ) from None


def is_main() -> bool:
    """Whether this is the process that runs the program; joins the process group when it is first asked."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    # Without a GPU, accelerate takes every process for the only one unless it is told to use the processor.
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    try:
        state = PartialState(cpu=cpu, timeout=TIMEOUT)
    except (ValueError, RuntimeError) as error:
        why = str(error).partition("\n")[0][:200]
        raise ConfigError(
            f"WORLD_SIZE, RANK, MASTER_ADDR and the like: the processes cannot be joined ({why}); unset them, or "
            "start by accelerate launch or torchrun"
        ) from error
    if is_distributed() and state.num_processes == 1:
        raise ConfigError(
            f"{os.environ['WORLD_SIZE']} processes were started, and accelerate cannot join them on {state.device}; "
            "start one, or set ACCELERATE_USE_CPU=1"
        )
    return state.is_main_process


def require_main() -> None:
    """Refuses to fit in a worker: it and the main process, which sends it what to fit, would wait for each other."""
    if is_distributed() and not is_main():
        raise ConfigError("only the main process fits; the others call rarecase.learn.workers.serve()")


def serve(run: Callable[[Job], object] = operator.call) -> None:
    """Runs each job that the main process sends, until it stops the workers."""
    while (job := from_main(None)) is not None:
        # A job that fails here fails in all processes, see `all_or_none`, and the main process prints the error.
        with contextlib.suppress(RarecaseError, RuntimeError, MemoryError):
            run(job)
    _leave()


def send(job: Job) -> None:
    """Has the workers run a job; the main process then does its own part."""
    from_main(job)


def stop_workers() -> None:
    """Ends `serve` in the workers."""
    from_main(None)
    _leave()


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
    """
    What each process does by itself: if it fails in one it fails in all, or they would wait for that one for ever.

    If another process failed, it raises a `ModelError` where that met a `RarecaseError`, else a `RuntimeError`, with
    the same message.
    """
    error: Exception | None = None
    try:
        yield
    except Exception as raised:  # of any type: the others have to know
        if not is_distributed():
            raise
        error = raised
    if not is_distributed():
        return
    failures = _failures(error)
    if error is not None:
        raise error
    if failures:
        by_user, message = failures[0]
        raise (ModelError if by_user else RuntimeError)(message)


def _failures(error: Exception | None) -> list[tuple[bool, str]]:
    """Of all processes that failed, whether a user can act on it, and the message; without any it costs one number."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import gather_object, reduce

    if not float(reduce(torch.tensor(float(error is not None), device=PartialState().device))):
        return []
    by_user = isinstance(error, RarecaseError)
    own = (by_user, str(error) if by_user else f"{type(error).__name__}: {error}")
    return gather_object([] if error is None else [own])


def from_main(value: Any) -> Any:
    """The value that the main process calls this with, in every process."""
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def _leave() -> None:
    from accelerate import PartialState

    PartialState().destroy_process_group()
