"""What cells measured, as one tidy frame: a row per cell, round, measure and class. Every report is made from it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from rarecase.report.intervals import mean_and_interval


class Measure(NamedTuple):
    """A row of the frame, on the test set where it is a score."""

    strategy: str
    seed: int
    measure: str
    value: float
    resampled: np.ndarray | None = None  # `(1 + RESAMPLES,)`; constant where no test row matters, None for no interval
    label: str = ""  # a class, or empty for all of them
    setting: str | None = None
    model: str | None = None
    round: int | None = None


def frame_of(measures: Iterable[Measure]) -> pd.DataFrame:
    """The frame of these rows."""
    return pd.DataFrame(list(measures), columns=list(Measure._fields))


def means_of(frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The mean of each measure and class over the rows, which are those of the seeds of one group."""
    groups = frame.groupby(["measure", "label"], sort=False)["value"]
    return {key: float(values.to_numpy(float).mean()) for key, values in groups}


def intervals_of(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[float, list[float]]]:
    """The mean and the 95 % interval of each measure and class over the rows, which are those of the seeds."""
    groups = frame.groupby(["measure", "label"], sort=False)["resampled"]
    return {key: mean_and_interval(np.stack(values)) for key, values in groups}
