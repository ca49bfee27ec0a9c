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
level of 5 % in 2 to 6 %. A sign-flip test over S seeds knows no p below 2 / 2^S (0.25 for three seeds), and flipping
test rows alone takes one lucky training for a better method. Two or three seeds that differ let only large differences
count, which is right: what would have counted is told beside each (`detectable`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from rarecase.experiment.intervals import mean_and_interval

LEVEL = 0.05
_NODES = 800  # of the integral over the t distribution, the closer the farther out


@dataclass(frozen=True)
class PairedTest:
    """
    What a paired test found.

    Args:
        p (`float`): two-sided.
        standard_error (`float`): of the mean difference, in its unit.
        by_seed (`bool`): whether the seeds had a part in it; else p says nothing of other trainings.
        detectable (`float`): the smallest mean difference that has a p of 0.05, before any correction.
    """

    p: float
    standard_error: float
    by_seed: bool
    detectable: float


def paired_test(differences: np.ndarray) -> PairedTest:
    """
    Tests whether a mean difference over seeds is zero, given how it varies with seeds and with test rows.

    Args:
        differences (`np.ndarray`): shape `(seeds, 1 + RESAMPLES)`, a difference of two arrays of
            `rarecase.experiment.intervals`, whose rows stand for the same seeds; place 0 of the second axis is the
            test set as it is.

    Returns:
        `PairedTest`: p is 1 where the two never differ.

    Example:
        >>> paired_test(resampled_macro_f1(cluster, 6) - resampled_macro_f1(random, 6)).p
        0.031
    """
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
    """How often `trainings` times a t variable and `rows` times a normal one come to more than `size`, either way."""
    from scipy.stats import norm, t

    if not rows:
        return float(2 * t.sf(size / trainings, df))
    if not trainings:
        return float(2 * norm.sf(size / rows))
    drawn, weights = _t_nodes(df)
    return float(2 * weights @ norm.sf((size - trainings * drawn) / rows))


@lru_cache(maxsize=16)
def _t_nodes(df: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of a t variable and how often they come (Gauss and Legendre's, over its quantiles)."""
    from scipy.stats import t

    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return t.ppf((1 + nodes) / 2, df), weights / 2


def holm(p_values: Sequence[float]) -> list[float]:
    """
    P-values corrected for their number (Holm, 1979, "A simple sequentially rejective multiple test procedure"): the
    chance of even one false finding among all of them stays below the level.

    Args:
        p_values (`Sequence[float]`): of all that is compared, in any order.

    Returns:
        `list[float]`: in that order, at most 1.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.asarray(p_values, float)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return corrected.tolist()


# What one cell scored: by seed, the figure with the test rows as they are and resampled, shape `(1 + RESAMPLES,)`.
BySeed = dict[int, np.ndarray]


def averaged(parts: Sequence[BySeed]) -> BySeed:
    """The mean of several, by seed, of the seeds that all of them have."""
    common = set.intersection(*(set(part) for part in parts)) if parts else set()
    return {seed: np.mean([part[seed] for part in parts], axis=0) for seed in sorted(common)}


def compared(pairs: Iterable[tuple[dict[str, Any], BySeed, BySeed]], figure: str = "macro_f1") -> list[dict[str, Any]]:
    """
    Tests every pair on the seeds that both have, and corrects all p-values together.

    Args:
        pairs (`Iterable`): what each is called, as keys of its row, and what the one and the other scored.
        figure (`str`): the name of the figure.

    Returns:
        `list[dict]`: of each pair with a common seed: its keys, the mean difference (the one minus the other) under
        `figure` and its `_interval`, `seeds` (how many), `varies` (`seeds and rows`, or `rows` where the p-value
        says nothing of other trainings), `p`, `p_corrected`, `standard_error`, `detectable` (see `PairedTest`).

    Example:
        >>> compared([({"model": "packaged", "this": "cluster", "to": "random"}, cluster, random)])[0]["p_corrected"]
        0.031
    """
    found = []
    for keys, one, other in pairs:
        seeds = sorted(set(one) & set(other))
        if not seeds:
            continue
        differences = np.array([one[seed] - other[seed] for seed in seeds])
        mean, interval = mean_and_interval(differences)
        test = paired_test(differences)
        found.append(
            {
                **keys,
                figure: mean,
                f"{figure}_interval": interval,
                "seeds": len(seeds),
                "varies": "seeds and rows" if test.by_seed else "rows",
                "p": test.p,
                "standard_error": test.standard_error,
                "detectable": test.detectable,
            }
        )
    corrected = holm([row["p"] for row in found])
    return [{**row, "p_corrected": p} for row, p in zip(found, corrected, strict=True)]
