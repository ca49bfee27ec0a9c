"""
Several processes, one learner: what happens under `accelerate launch` or `torchrun`.

Only the main process runs the program: it reads, chooses, asks for labels, generates and writes. The others are not
even told what the command is: they wait for a learner to fit, train it with the main process
(`rarecase.learn.training` shares every batch out), and wait again. So nothing outside `rarecase.learn` has to know how
many processes there are. With dropout each drops units of its own, so that another number of them comes to other
weights.

    accelerate launch --multi_gpu --num_processes 2 -m rarecase experiment …
    torchrun --standalone --nproc_per_node 2 -m rarecase experiment …

Both also work on a processor, where `accelerate launch --cpu` starts a single process unless there is an MPI.
"""

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rarecase.core.errors import ConfigError, ModelError, RarecaseError

if TYPE_CHECKING:
    import numpy as np

    from rarecase.learn.finetune import Finetune

Labeled = tuple[list[str], "np.ndarray"]  # texts, and their classes

# People may be asked for labels between two fits; the others wait for as long as that takes.
PATIENCE = timedelta(days=30)


def several() -> bool:
    """
    Whether this is one of several processes; true only where a launcher says so.

    Example:
        >>> several()
        False
    """
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_main() -> bool:
    """
    Whether this is the process that runs the program; joins the others when it is first asked.

    Raises:
        `ConfigError`: where the processes cannot work together, so that each would run the program.
    """
    import torch
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    # Without a GPU, accelerate would take every process for the only one unless it is told of the processor.
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU") or not torch.accelerator.is_available()
    state = PartialState(cpu=cpu, timeout=PATIENCE)
    if several() and state.num_processes == 1:
        raise ConfigError(
            f"{os.environ['WORLD_SIZE']} processes were started, and accelerate cannot join them on {state.device}; "
            "start one, or set ACCELERATE_USE_CPU=1"
        )
    return state.is_main_process


def require_main() -> None:
    """
    Raises:
        `ConfigError`: in a process that is to help: one that fits by itself and the main one, which sends it what to
            fit, would wait for each other for ever.
    """
    if several() and not is_main():
        raise ConfigError("only the main process fits; the others call rarecase.learn.workers.serve()")


def serve() -> None:
    """Helps to fit whatever the main process fits, until it sends everybody home; for the other processes."""
    import numpy as np
    from accelerate.utils import broadcast_object_list

    from rarecase.learn.finetune import Finetune
    from rarecase.learn.hyperparameters import FitOptions, Hyperparameters

    while (job := broadcast_object_list([None])[0]) is not None:
        told = json.loads(job)
        learner = Finetune(**told["learner"], options=FitOptions(precision=told["precision"]))
        learner.settings = Hyperparameters(**told["settings"])
        train, dev = ((texts, np.array(labels, np.int64)) for texts, labels in (told["train"], told["dev"]))
        # It failed in all, see `all_or_none`, and the main process says why.
        with contextlib.suppress(RarecaseError, RuntimeError, MemoryError):
            learner.fit_texts(train, dev)
    _part()


def send_home() -> None:
    """Ends `serve` in the other processes."""
    from accelerate.utils import broadcast_object_list

    broadcast_object_list([None])
    _part()


def together(fit_texts: Callable[["Finetune", Labeled, Labeled], "Finetune"]) -> Any:
    """Has the other processes do what the main one is about to do, with the same learner and texts."""

    @functools.wraps(fit_texts)
    def fit(learner: "Finetune", train: Labeled, dev: Labeled) -> "Finetune":
        if several() and is_main():
            _send(learner, train, dev)
        return fit_texts(learner, train, dev)

    return fit


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
    """
    What each process does by itself: where it fails in one it fails in all, or they would wait for that one for ever.

    Raises:
        `ModelError`: where another process met an error that a user can act on.
        `RuntimeError`: where another process met any other; with the words of that one.

    Example:
        >>> with all_or_none():
        ...     loss.backward()
    """
    error: Exception | None = None
    try:
        yield
    except Exception as raised:  # whatever it is, the others have to know
        if not several():
            raise
        error = raised
    if not several():
        return
    failed = _told_of_failure(error)
    if error is not None:
        raise error
    if failed:
        kind, words = failed[0]
        raise (ModelError if kind == "user" else RuntimeError)(words)


def _told_of_failure(error: Exception | None) -> list[tuple[str, str]]:
    """What failed in any process: whether a user can act on it, and its words; one number is all that costs if not."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import gather_object, reduce

    if not float(reduce(torch.tensor(float(error is not None), device=PartialState().device))):
        return []
    told = ("user", str(error)) if isinstance(error, RarecaseError) else ("other", f"{type(error).__name__}: {error}")
    return gather_object([] if error is None else [told])


def _send(learner: "Finetune", train: Labeled, dev: Labeled) -> None:
    from accelerate.utils import broadcast_object_list

    from rarecase.models.checkpoint import local_folder

    local_folder(learner.model)  # so that the others find it in the cache, and none is asked to load what is not there
    own = ("model", "names", "seed", "gradient_accumulation", "patience")
    made = {name: getattr(learner, name) for name in own}
    job = {
        "learner": made,
        "precision": learner.precision,
        "settings": asdict(learner.settings),
        "train": (train[0], train[1].tolist()),
        "dev": (dev[0], dev[1].tolist()),
    }
    broadcast_object_list([json.dumps(job)])


def _part() -> None:
    from accelerate import PartialState

    PartialState().destroy_process_group()
