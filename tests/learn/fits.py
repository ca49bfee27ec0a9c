"""
Fits, vectors and scores, for tests: what several processes of this program come to, and one alone.

    torchrun --standalone --nproc_per_node 2 tests/learn/fits.py MODEL OUT

Writes what each fit came to, OUT/NAME.safetensors with weights, scores and vectors, and how many updates it made.
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from datasets import ClassLabel, Dataset, Features, Value
from safetensors.torch import save_file
from torch.optim.optimizer import register_optimizer_step_post_hook

from rarecase.cli.together import end
from rarecase.core.processes import is_main, leave
from rarecase.data.arrow import matrix, rows
from rarecase.learn.finetune import Finetune
from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.setfit import SetFit

NAMES = ("garden", "bicycle", "kitchen")
TEXTS = [
    f"{kind} {number}" + " and more" * (number % 3)
    for number in range(70)
    for kind in ("the old apple tree", "a wheel", "bread and jam")
]
TABLE = Dataset.from_dict(
    {"id": [str(row) for row in range(len(TEXTS))], "text": TEXTS, "label": [0, 1, 2] * 70},
    features=Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=list(NAMES))}),
)
# Rows, rows in a batch, batches in an update, precision; of 17 rows, the last batch is one row for all processes.
SETS = [(21, 16, 1, "fp32"), (17, 16, 1, "fp32"), (17, 4, 2, "fp32"), (17, 4, 2, "bf16")]
BF16 = "3"


def fit(model: str, size: int, batch: int, accumulation: int, precision: Any, updates: int | None = None) -> Finetune:
    """Fits on the first rows; dev is 30 of all."""
    options = FitOptions(precision=precision, epochs=3, learning_rate=1e-3, class_weights="balanced")
    learner = Finetune(model, NAMES, options, seed=0)
    settings = replace(learner.settings, batch_size=batch, gradient_accumulation=accumulation, updates=updates)
    learner.settings = settings
    return learner.fit(rows(TABLE, range(size)), rows(TABLE, range(30)))


@contextlib.contextmanager
def counted() -> Iterator[list[int]]:
    """How many steps optimisers make."""
    steps: list[int] = []
    hook = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    try:
        yield steps
    finally:
        hook.remove()


def all_fits(model: str) -> dict[str, tuple[int, dict[str, torch.Tensor]]]:
    """Of each of the sets, and of five updates, how many updates there were, and what they came to."""
    found = {}
    for place, settings in enumerate([*SETS, (*SETS[-2], 5)]):
        with counted() as steps:
            learner = fit(model, *settings)
        scored = learner.score(TABLE)
        tensors = {name: value.contiguous() for name, value in learner.network.state_dict().items()}
        tensors |= {name: torch.tensor(matrix(scored, name)) for name in ("probs", "features")}
        found[str(place)] = (len(steps), tensors)
    with counted() as steps:
        contrasted = SetFit(model, NAMES, FitOptions(precision="fp32", updates=3), seed=0)
        few = contrasted.fit(rows(TABLE, range(12)), rows(TABLE, []))
    vectors = torch.tensor(few.encoder.encode(TEXTS))
    found["setfit"] = (len(steps), {"probs": torch.tensor(matrix(few.score(TABLE), "probs")), "vectors": vectors})
    return found


def main(model: str, out: Path) -> None:
    found = all_fits(model)
    if is_main():
        for place, (_, tensors) in found.items():
            save_file(tensors, out / f"{place}.safetensors")
        (out / "updates.json").write_text(json.dumps({place: steps for place, (steps, _) in found.items()}))
    leave()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
    end(0)
