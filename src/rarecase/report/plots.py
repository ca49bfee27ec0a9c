"""The pictures of a report, as PNG files."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rarecase.core.files import write_beside
from rarecase.data.counts import shown_classes, sum_groups
from rarecase.report.colours import COLOURS
from rarecase.report.fonts import fonts_for
from rarecase.report.results import BASELINE
from rarecase.report.run import RunReport
from rarecase.report.simulation import GridReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDEST = 26  # letters of a class, so that two of them stand side by side in a legend
OTHERS = "#BBBBBB"
LINES = ("o-", "s--", "^:")  # of strategies, once the colours come again


def picture_of_run(report: RunReport) -> "Figure":
    """Class counts of each round as stacked bars; macro-F1 and the rarest class's F1 as curves in their intervals."""
    figure = _figure(2)
    with fonts_for(report["classes"]) as shown:
        counts, curve = figure.subplots(1, 2)
        rounds, test = report["rounds"], report["test_class_counts"]
        _stack(counts, [r["round"] for r in rounds], [r["class_counts"] for r in rounds], test, shown)
        counts.set_xlabel("round")
        _whole_numbers(counts)
        labels, measured, least = [r["labels"] for r in rounds], [r["test"] for r in rounds], report["rarest"]
        _curve(curve, labels, [(m["macro_f1"], m.get("macro_f1_interval")) for m in measured], "macro-F1", 0)
        rare = [(m["f1"][least], m.get("f1_interval", {}).get(least)) for m in measured]
        _curve(curve, labels, rare, f"F1 {shown[least]} (n={test[least]})", 1)
        _finish(curve, "F1 on test (%), 95 % interval")
    return figure


def _curve(axes: Any, labels: Sequence[int], points: Sequence[tuple[float, Any]], name: str, place: int) -> None:
    """A line in a band of its intervals, where they are known."""
    colour = COLOURS[place]
    axes.plot(labels, [value for value, _ in points], ("o-", "s--")[place], color=colour, label=name)
    if all(interval for _, interval in points):
        low, high = np.array([interval for _, interval in points]).T
        if len(points) > 1:
            axes.fill_between(labels, low, high, color=colour, alpha=0.15, linewidth=0)
        else:
            axes.vlines(labels, low, high, color=colour, alpha=0.5)


def picture_of_grid(report: GridReport) -> "Figure":
    """How many texts of the rarest class each strategy found; one thing, which needs no other to be understood."""
    from matplotlib.figure import Figure

    strategies, least = report["strategies"], str(report["rarest"])
    runs = sorted(of["runs"] for of in strategies.values())
    figure = Figure(figsize=(7.2, 1.9 + 0.42 * len(strategies)), layout="constrained")
    with fonts_for(report["classes"]) as shown:
        axes = figure.subplots()
        found = [of["found"][least] for of in strategies.values()]
        ends = [
            of["found_interval"][least] or [count, count] for of, count in zip(strategies.values(), found, strict=True)
        ]
        colours = ["0.6" if name == BASELINE else COLOURS[0] for name in strategies]
        axes.barh(range(len(found)), found, 0.62, color=colours)
        for place, (count, (low, high)) in enumerate(zip(found, ends, strict=True)):
            if high > low:
                axes.plot([low, high], [place, place], color="0.2", linewidth=1.2)
            told = f"{count:.0f}" if runs[-1] == 1 else f"{count:.1f}"
            axes.annotate(
                told, (max(count, high), place), (5, 0), textcoords="offset points", va="center", weight="bold"
            )
        axes.set_xlim(0, 1.12 * max(1, *found, *(high for _, high in ends)))
        axes.set_ylim(len(found) - 0.5, -0.5)  # the first strategy on top
        axes.set_yticks(range(len(found)), list(strategies))
        axes.tick_params(axis="y", length=0)
        _whole_numbers(axes)
        axes.set_title(_question(report, shown[least]), loc="left", weight="bold", fontsize=11)
        axes.set_xlabel(_answered_by(runs))
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _question(report: GridReport, least: str) -> str:
    spent = sorted(found["final"]["labels"] for found in report["strategies"].values())
    labels = f"{spent[0]:.0f}" if spent[0] == spent[-1] else f"{spent[0]:.0f} to {spent[-1]:.0f}"
    question = f"Of {labels} texts that each strategy chose, how many are {least}, the rarest class?"
    return textwrap.fill(question, 56)


def _answered_by(runs: Sequence[int]) -> str:
    """Of how many runs the bars are means; `runs` are those of the strategies, the fewest first."""
    if runs[-1] == 1:
        return "texts found\n(one run of each: a difference of a few may be chance)"
    most = f"{runs[-1]}" if runs[0] == runs[-1] else f"up to {runs[-1]}"
    return f"texts found\n(means of {most} runs, and lines for their 95 % intervals)"


def details_of_grid(report: GridReport) -> "Figure":
    """Learning curves of every strategy with their intervals, the rarest class's F1, and what was acquired at last."""
    figure = _figure(3)
    with fonts_for(report["classes"]) as shown:
        macro, rare, counts = figure.subplots(1, 3)
        _curves(macro, rare, report, shown)
        strategies = report["strategies"]
        acquired = [found["final"]["class_counts"] for found in strategies.values()]
        _stack(counts, list(strategies), acquired, report["test_class_counts"] or {}, shown)
        if len("  ".join(strategies)) > 50 or max(map(len, strategies)) > 12:  # a user's own, as module:function
            counts.set_xticks(range(len(strategies)), list(strategies), rotation=20, ha="right")
    return figure


def _curves(macro: Any, rare: Any, report: GridReport, shown: Mapping[str, str]) -> None:
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
    _finish(rare, f"F1 of {shown[least]} (%)")
    rare.set_ylim(0, max(rare.get_ylim()[1], 5))  # also where nothing of the class is recognised yet


def _figure(panels: int) -> "Figure":
    from matplotlib.figure import Figure  # without pyplot: no display, no global state

    return Figure(figsize=(5.2 * panels, 4.2), layout="constrained")


def _stack(
    axes: Any,
    bars: Sequence[object],
    counts: Sequence[dict[str, float]],
    test: dict[str, int],
    names: Mapping[str, str],
) -> None:
    """A bar of all classes for each count, of at most eight colours; see `shown_classes`."""
    shown = shown_classes(test)
    told = {name: names.get(name, name) for name in shown}  # a group of others is no class
    summed = [sum_groups(count, shown) for count in counts]
    floor = np.zeros(len(bars))
    for colour, (name, classes) in zip(COLOURS, shown.items(), strict=False):
        heights = np.array([count[name] for count in summed], dtype=float)
        colour = colour if len(classes) == 1 else OTHERS
        axes.bar(bars, heights, bottom=floor, color=colour, label=told[name], width=0.7)
        floor += heights
    axes.set_ylabel("texts acquired, variations included")
    columns = 2 if max(map(len, told.values())) <= WIDEST else 1
    legend = 0.1 + 0.05 * -(-len(shown) // columns)  # the share of the height that its lines take
    axes.set_ylim(0, max(floor.max() / (1 - legend), 1))
    axes.legend(fontsize=8, ncols=columns, loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _finish(axes: Any, title: str) -> None:
    axes.set_xlabel("labels after the start set")
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
