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
from typing import TYPE_CHECKING, Any

from rarecase.core.errors import ConfigError, one_line
from rarecase.core.processes import is_main
from rarecase.core.progress import say
from rarecase.data.release import Metrics
from rarecase.data.schema import hash_of
from rarecase.evaluate.record import RoundRecord

if TYPE_CHECKING:
    from rarecase.learn.training import Epoch

PROJECT = "rarecase"
# W&B would also send what is printed, the command with its paths, and what has changed in a git repository that the
# working folder is in: a table of posts that is kept there, too.
_NOTHING_ELSE = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "save_code": False,
    "host": "unknown",
    "program": PROJECT,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}
Figures = dict[str, float]
Report = Callable[[Figures, int], object]  # figures, and the step that they are of


@contextmanager
def reporting(tracker: str, out: Path, key: str) -> Iterator[Report]:
    """
    Gives what reports figures to a tracker, `none` among them, until the block ends.

    What is reported under the same `key` is one run of the tracker, which is named after the folder `out`. A tracker
    that fails later is one warning, after which nothing is reported: a run does not end for it.
    """
    if tracker == "none" or not is_main():
        yield lambda figures, step: None
        return
    from accelerate import Accelerator

    name = out.resolve().name
    # Of the folder, too: what is begun alike in two folders is two runs. The hash tells nobody where they are.
    id_ = hash_of(f"{key} {out.resolve()}")
    options = {
        "trackio": {"name": f"{name}-{id_[:8]}", "resume": "allow", "private": True},  # a Space that it makes
        "wandb": {"name": name, "id": id_, "resume": "allow", "settings": _NOTHING_ELSE},
    }
    with redirect_stdout(sys.stderr):  # they print, and stdout is for data
        try:
            accelerator = Accelerator(log_with=tracker, project_dir=out.resolve().parent / "logs")
            accelerator.init_trackers(name if tracker == "tensorboard" else PROJECT, init_kwargs=options)
        except Exception as error:  # of any type: it is not ours
            raise ConfigError(
                f"--report-to {tracker} cannot begin ({_reason(error)}); leave it out, or set it up"
            ) from error
    works = True

    def attempt(call: Callable[..., object], *arguments: Any, **options: Any) -> None:
        nonlocal works
        try:
            with redirect_stdout(sys.stderr):
                call(*arguments, **options)
        except Exception as error:
            if works:
                say(f"warning: --report-to {tracker} fails ({_reason(error)}); going on without")
            works = False

    def report(figures: Figures, step: int) -> None:
        if works:
            attempt(accelerator.log, figures, step=step)

    try:
        yield report
    finally:
        for one in accelerator.trackers:  # `end_training` would end the other processes, too
            # The run of trackio alone would be finished again at the exit, and say so on stdout.
            attempt(import_module(tracker).finish if tracker == "trackio" else one.finish)


def _reason(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")[:200]


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
