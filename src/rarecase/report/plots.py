"""The pictures of a report, as PNG files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rarecase.core.files import write_beside
from rarecase.data.counts import shown_classes, sum_groups
from rarecase.report.colours import COLOURS
from rarecase.report.run import RunReport
from rarecase.report.simulation import GridReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDEST = 26  # letters of a class, so that two of them stand side by side in a legend
OTHERS = "#BBBBBB"
LINES = ("o-", "s--", "^:")  # of strategies, once the colours come again


def picture_of_run(report: RunReport) -> "Figure":
    """Class counts of each round as stacked bars, and macro-F1 and the rarest class's F1 as curves."""
    figure = _figure(2)
    counts, curve = figure.subplots(1, 2)
    rounds = report["rounds"]
    labels = [r["labels"] for r in rounds]
    _stack(counts, [r["round"] for r in rounds], [r["class_counts"] for r in rounds], report["test_class_counts"])
    counts.set_xlabel("round")
    _whole_numbers(counts)
    curve.plot(labels, [r["test"]["macro_f1"] for r in rounds], "o-", color=COLOURS[0], label="macro-F1")
    least = report["rarest"]
    curve.plot(labels, [r["test"]["f1"][least] for r in rounds], "s--", color=COLOURS[1], label=f"F1 {least}")
    _finish(curve, "F1 on test (%)")
    return figure


def picture_of_grid(report: GridReport) -> "Figure":
    """Learning curves of every strategy with their intervals, the rarest class's F1, and what was acquired at last."""
    figure = _figure(3)
    macro, rare, counts = figure.subplots(1, 3)
    least, strategies = str(report["rarest"]), report["strategies"]
    for place, (strategy, found) in enumerate(strategies.items()):
        curve, colour = found["curve"], COLOURS[place % len(COLOURS)]
        line = LINES[place // len(COLOURS) % len(LINES)]
        labels = np.array([p["labels"] for p in curve])
        beside = 0.01 * labels.max() * (place - (len(strategies) - 1) / 2)  # else one interval would hide the next
        f1 = np.array([p["macro_f1"] for p in curve])
        low, high = np.array([p["macro_f1_interval"] for p in curve]).T
        # A resampling interval need not hold the mean; matplotlib takes no negative length.
        reach = np.maximum([f1 - low, high - f1], 0)
        macro.errorbar(
            labels + beside, f1, reach, fmt=line, color=colour, label=strategy, markersize=4, elinewidth=1, capsize=2
        )
        rare.plot(labels, [p["f1"][least] for p in curve], line, color=colour, label=strategy, markersize=4)
    _finish(macro, "macro-F1 on test (%), 95 % interval")
    _finish(rare, f"F1 of {least} (%)")
    rare.set_ylim(0, max(rare.get_ylim()[1], 5))  # also where nothing of the class is recognised yet
    acquired = [found["final"]["class_counts"] for found in strategies.values()]
    _stack(counts, list(strategies), acquired, report["test_class_counts"] or {})
    if len("  ".join(strategies)) > 50 or max(map(len, strategies)) > 12:  # a user's own, as module:function
        counts.set_xticks(range(len(strategies)), list(strategies), rotation=20, ha="right")
    return figure


def _figure(panels: int) -> "Figure":
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    return Figure(figsize=(5.2 * panels, 4.2), layout="constrained")


def _stack(axes: Any, bars: Sequence[object], counts: Sequence[dict[str, float]], test: dict[str, int]) -> None:
    """A bar of all classes for each count, of at most eight colours; see `shown_classes`."""
    shown = shown_classes(test)
    summed = [sum_groups(count, shown) for count in counts]
    floor = np.zeros(len(bars))
    for colour, (name, classes) in zip(COLOURS, shown.items(), strict=False):
        heights = np.array([count[name] for count in summed], dtype=float)
        colour = colour if len(classes) == 1 else OTHERS
        axes.bar(bars, heights, bottom=floor, color=colour, label=name, width=0.7)
        floor += heights
    axes.set_ylabel("texts acquired, variations included")
    columns = 2 if max(map(len, shown)) <= WIDEST else 1
    legend = 0.1 + 0.05 * -(-len(shown) // columns)  # the share of the height that its lines take
    axes.set_ylim(0, max(floor.max() / (1 - legend), 1))
    axes.legend(fontsize=8, ncols=columns, loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _finish(axes: Any, title: str) -> None:
    axes.set_xlabel("human labels after the start set")
    axes.set_ylabel(title)
    _whole_numbers(axes)
    axes.grid(alpha=0.25)
    if len(axes.get_legend_handles_labels()[0]) > 6:  # above, where no line can be
        axes.legend(fontsize=8, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    else:
        axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _whole_numbers(axes: Any) -> None:
    """Rounds and labels are counted: no tick stands between two of them."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def save(figure: "Figure", path: Path) -> None:
    """Writes a figure as PNG, whole or not at all."""
    with write_beside(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
