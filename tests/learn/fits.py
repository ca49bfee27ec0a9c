"""
Fits in several processes, for tests: started once for each, with RANK and WORLD_SIZE as a launcher would set them.

    python tests/learn/fits.py MODEL OUT

The main process fits what `main` says and writes weights and updates to OUT; the others help. Each prints what the
errors said that it met.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from safetensors.torch import save_file
from torch.optim.optimizer import register_optimizer_step_post_hook

from rarecase.core.errors import ModelError
from rarecase.learn import finetune, training, workers
from rarecase.learn.finetune import Finetune
from rarecase.learn.hyperparameters import FitOptions

NAMES = ("garden", "bicycle", "kitchen")
TEXTS = [f"{kind} {number}" for number in range(7) for kind in ("the old apple tree", "a wheel", "bread and jam")]
LABELS = np.array([0, 1, 2] * 7, np.int64)
FAULTS = {  # what fails, by name: where a fit of one process is broken
    "loading": (finetune.AutoTokenizer, "from_pretrained"),
    "a batch": (training.F, "cross_entropy"),
    "a sum": (training, "parameters_to_vector"),
    "a step": (training, "clip_grad_norm_"),
    "a look": (finetune, "metrics"),
    "the best": (training.BestWeights, "is_past"),
}
OF_USER = "loading"  # which of them fails with what a user can act on
# Rows, rows in a batch, batches in an update; of 17 rows, the last batch is one row for two processes.
SETS = [(21, 16, 1), (17, 16, 1), (17, 4, 2)]


def fit(model: str, rows: int = 21, batch: int = 16, accumulation: int = 1) -> Finetune:
    """Fits on the first rows; dev is all of them."""
    learner = Finetune(
        model,
        NAMES,
        FitOptions(precision="fp32", epochs=3, learning_rate=1e-3, class_weights="balanced"),
        seed=0,
    )
    learner.settings = replace(learner.settings, batch_size=batch, gradient_accumulation=accumulation)
    return learner.fit_texts((TEXTS[:rows], LABELS[:rows]), (TEXTS, LABELS))


@contextlib.contextmanager
def counted() -> Iterator[list[int]]:
    """How many steps optimisers make."""
    steps: list[int] = []
    hook = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    try:
        yield steps
    finally:
        hook.remove()


@contextlib.contextmanager
def failing(name: str) -> Iterator[None]:
    """A stage of a fit that finds no memory, or no model."""
    error = (ModelError if name == OF_USER else MemoryError)(f"none left for {name}")
    with mock.patch.object(*FAULTS[name], side_effect=error):
        yield


def all_sets(model: str) -> dict[str, tuple[int, dict[str, torch.Tensor]]]:
    """For each of the sets, how many updates there were, and the weights they came to."""
    found = {}
    for place, settings in enumerate(SETS):
        with counted() as steps:
            learner: Any = fit(model, *settings)
        found[str(place)] = (len(steps), learner.network.state_dict())
    return found


def main(model: str, out: Path) -> None:
    for name in FAULTS:  # here
        with failing(name), contextlib.suppress(MemoryError, ModelError):
            fit(model)
    for _ in FAULTS:  # there, see `helper`
        try:
            fit(model)
        except (RuntimeError, ModelError) as error:
            print(error, flush=True)
    found = all_sets(model)
    for place, (_, weights) in found.items():
        save_file({name: value.contiguous() for name, value in weights.items()}, out / f"{place}.safetensors")
    (out / "updates.json").write_text(json.dumps({place: steps for place, (steps, _) in found.items()}))
    workers.stop_workers()


def helper() -> None:
    """Helps, and fails in each of the stages in turn once the main process has."""
    names, fits = list(FAULTS), iter(range(10**9))

    def with_fault(job: workers.Job) -> None:
        place = next(fits) - len(names)
        with failing(names[place]) if 0 <= place < len(names) else contextlib.nullcontext():
            job()

    with counted() as steps:
        workers.serve(with_fault)
    print(len(steps), flush=True)


if __name__ == "__main__":
    if workers.is_main():
        main(sys.argv[1], Path(sys.argv[2]))
    else:
        helper()
