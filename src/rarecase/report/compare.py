"""
Which differences are real: paired tests over seeds and test rows together, corrected for their number.

Two things decide a figure besides what is compared: the seed of the training and the rows of the test set. All cells
of an experiment share seeds and test rows, which is how radiologists are compared who read the same images: several
readers (here the seeds), each reading every case (the test rows) under two conditions. The model is that of Obuchowski
and Rockette (1995, "Hypothesis testing of diagnostic accuracy for multiple readers and multiple tests"), which takes
any figure of merit, such as macro-F1. The mean of the differences D_s of S seeds has the variance

    var(D) / S  +  cov

with `cov` the covariance of two seeds' differences over resampled test rows. The first part is estimated from S seeds
and has their S - 1 degrees of freedom, the second from a thousand resamples; if nothing differs, the mean is spread as
the sum of a t and a normal variable of these sizes (Fisher, 1935, "The fiducial argument in statistical inference";
the problem of Behrens and Fisher). Its limits are the plain tests:

- where each seed had test rows of its own (`cov` = 0) it is the paired t-test;
- where the seeds change nothing, as for a learner without randomness, or where there is one seed, the test rows alone
  decide, and the p-value says nothing of other trainings.

In simulations without any difference, of 2 to 10 seeds that matter much, little or not at all, it finds one at the
level of 5 % in 2 to 6 %. A sign-flip test over S seeds has no p below 2 / 2^S (0.25 for three seeds), and flipping
test rows alone takes one lucky training for a better method. With two or three seeds that differ, only large
differences are significant, which is right: the minimum detectable difference is given for each (`detectable`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import pandas as pd

from rarecase.report.intervals import mean_and_interval
from rarecase.report.tables import Row

LEVEL = 0.05
_NODES = 800  # of the integral over the t distribution, the closer the farther out

# A figure by seed: a row per seed, column 0 with the test rows as they are, the others resampled.
BySeed: TypeAlias = pd.DataFrame


@dataclass(frozen=True)
class PairedTest:
    """What a paired test of a mean difference found."""

    p: float  # two-sided
    standard_error: float
    by_seed: bool  # whether the seeds contributed; otherwise p says nothing of other trainings
    detectable: float  # the smallest mean difference with a p of 0.05


def paired_test(differences: np.ndarray) -> PairedTest:
    """Tests whether a mean difference over seeds is zero; `differences` has the shape `(seeds, 1 + RESAMPLES)`."""
    from scipy.optimize import brentq

    seeds, found = len(differences), differences[:, 0]
    # Of seeds that are drawn alike, the covariance is that of any pair; of one seed it is the variance.
    over_rows = np.atleast_2d(np.cov(differences[:, 1:]))
    apart = ~np.eye(seeds, dtype=bool) if seeds > 1 else np.ones((1, 1), dtype=bool)
    rows = max(float(over_rows[apart].mean()), 0.0) ** 0.5
    trainings = float(found.std(ddof=1)) / seeds**0.5 if seeds > 1 else 0.0
    mean, error = abs(float(found.mean())), math.hypot(trainings, rows)
    # Of equal numbers rounding leaves a spread that is none.
    trainings, rows = (part if part > 1e-9 * error else 0.0 for part in (trainings, rows))
    if error <= 1e-9 * mean or not error:
        return PairedTest(float(mean == 0), 0.0, False, 0.0)

    def p(size: float) -> float:
        return _two_sided(size, trainings, rows, seeds - 1)

    most = error
    while p(most) > LEVEL:
        most *= 2
    return PairedTest(p(mean), error, trainings > 0, float(brentq(lambda size: p(size) - LEVEL, 0, most)))


def _two_sided(size: float, trainings: float, rows: float, df: int) -> float:
    """The probability that `trainings` times a t variable plus `rows` times a normal one exceeds `size` either way."""
    from scipy.stats import norm, t

    if not rows:
        return float(2 * t.sf(size / trainings, df))
    if not trainings:
        return float(2 * norm.sf(size / rows))
    drawn, weights = _t_nodes(df)
    return float(2 * weights @ norm.sf((size - trainings * drawn) / rows))


@lru_cache(maxsize=16)
def _t_nodes(df: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of a t variable and their weights (Gauss and Legendre's, over its quantiles)."""
    from scipy.stats import t

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return t.ppf((1 + nodes) / 2, df), weights / 2


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm, 1979): the chance of even one false finding stays below the level."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.asarray(p_values, float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return corrected.tolist()


def averaged(parts: Sequence[BySeed]) -> BySeed:
    """The mean of several, at least one, over the seeds that all of them have."""
    return (sum(parts[1:], parts[0]) / len(parts)).dropna()


def compared(pairs: Iterable[tuple[Row, BySeed, BySeed]], figure: str = "macro_f1") -> list[Row]:
    """
    Tests every pair (the keys of its row, and two figures) on the seeds that both have, all p-values corrected
    together. A row has the first minus the second under `figure`; `varies` is `rows` where p says nothing of other
    trainings.
    """
    found: list[Row] = []
    for keys, one, other in pairs:
        differences = np.ascontiguousarray((one - other).dropna())  # sums depend on the layout, in the last digit
        if not len(differences):
            continue
        mean, interval = mean_and_interval(differences)
        test = paired_test(differences)
        found.append(
            {
                **keys,
                figure: mean,
                f"{figure}_interval": interval,
                "seeds": len(differences),
                "varies": "seeds and rows" if test.by_seed else "rows",
                "p": test.p,
                "standard_error": test.standard_error,
                "detectable": test.detectable,
            }
        )
    corrected = holm([row["p"] for row in found])
    return [{**row, "p_corrected": p} for row, p in zip(found, corrected, strict=True)]
