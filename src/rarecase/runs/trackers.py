"""
`--report-to`: figures to an experiment tracker, through accelerate, as soon as they are there.

A tracker gets numbers, the names of classes and the name of the folder: no text, no path and no setting.
"""

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from rarecase.core.errors import ConfigError, one_line
from rarecase.data.release import Metrics
from rarecase.evaluate.record import RoundRecord

if TYPE_CHECKING:
    from rarecase.learn.training import Epoch

PROJECT = "rarecase"
Figures = dict[str, float]
Report = Callable[[Figures, int], object]  # figures, and the step that they are of


@contextmanager
def reporting(tracker: str, out: Path, key: str) -> Iterator[Report]:
    """
    Gives what reports figures to a tracker, `none` among them, until the block ends.

    What is reported under the same `key` is one run of the tracker, which is named after the folder `out`.
    """
    if tracker == "none":
        yield lambda figures, step: None
        return
    from accelerate import Accelerator

    name = out.resolve().name
    options = {
        "trackio": {"name": f"{name}-{key[:8]}", "resume": "allow"},
        "wandb": {"name": name, "id": key, "resume": "allow"},
    }
    with redirect_stdout(sys.stderr):  # they print, and stdout is for data
        try:
            accelerator = Accelerator(log_with=tracker, project_dir=out.resolve().parent / "logs")
            accelerator.init_trackers(name if tracker == "tensorboard" else PROJECT, init_kwargs=options)
        except Exception as error:  # of any type: it is not ours
            reason = one_line(f"{type(error).__name__}: {error}")[:200]
            raise ConfigError(f"--report-to {tracker} cannot begin ({reason}); leave it out, or set it up") from error

    def report(figures: Figures, step: int) -> None:
        with redirect_stdout(sys.stderr):
            accelerator.log(figures, step=step)

    try:
        yield report
    finally:
        with redirect_stdout(sys.stderr):
            for one in accelerator.trackers:  # `end_training` would end the other processes, too
                if tracker == "trackio":  # its run alone would be finished again at the exit, and say so on stdout
                    import_module(tracker).finish()
                else:
                    one.finish()


@contextmanager
def epochs_reported(report: Report) -> Iterator[Iterator[int]]:
    """Reports each epoch of a fit in the block, at the steps 1, 2, …; gives the steps that follow."""
    from rarecase.learn.training import ON_EPOCH

    steps = itertools.count(1)

    def tell(epoch: "Epoch") -> None:
        figures = {"loss": epoch.loss, "dev_macro_f1": epoch.dev_macro_f1}
        report({f"epoch/{name}": value for name, value in figures.items() if value is not None}, next(steps))

    before = ON_EPOCH.set(tell)
    try:
        yield steps
    finally:
        ON_EPOCH.reset(before)


def figures_of(measured: Mapping[str, Metrics]) -> Figures:
    """Accuracy and F1 on each set, in percent."""
    return {
        f"{name}/{figure}": value
        for name, found in measured.items()
        for figure, value in {
            "accuracy": found["accuracy"],
            "macro_f1": found["macro_f1"],
            **{f"f1/{label}": f1 for label, f1 in found["f1"].items()},
        }.items()
    }


def figures_of_round(record: RoundRecord) -> Figures:
    """How many labels there are, those of each class, and how well the learner does."""
    found = {f"found/{label}": float(count) for label, count in record.found.items()}
    return {"labels": float(record.labels), **found, **figures_of({"dev": record.dev, "test": record.test})}
