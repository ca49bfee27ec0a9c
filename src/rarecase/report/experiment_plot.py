"""The picture of an experiment: macro-F1 of every strategy and setting, and Figure 3 of the paper as heat maps."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rarecase.evaluate.confusion import Pair
from rarecase.experiment.paper import short_name
from rarecase.report.colours import COLOURS
from rarecase.report.experiment import ExperimentReport
from rarecase.report.experiment_tables import results_of
from rarecase.report.fonts import fonts_for
from rarecase.report.tables import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CLASSES = 10  # that a heat map shows: those with the most errors


def picture_of_experiment(report: ExperimentReport) -> "Figure":
    """Macro-F1 with intervals and the paper's marks on the left; on the right 100 drawn errors of each strategy."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows, maps = results_of(report), report["figure3"]
    strategies = maps["strategies"] if maps else {}
    lines = _lines(rows)
    down = -(-len(strategies) // 2)
    height = max(1.6 + 0.28 * len(lines), 1.2 + 2.9 * down, 3.5)
    wide = max(6.4, 0.85 * height) if strategies else 0
    padded = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)  # else the edge cuts labels off
    figure: Any = Figure(figsize=(6.6 + wide, height), layout=padded)
    with fonts_for(report["classes"]) as shown:
        if maps and strategies:
            left, right = figure.subfigures(1, 2, width_ratios=[6.6, wide])
            _dots(left.subplots(), rows, lines, report["settings"])
            _heat_maps(right, maps, report["classes"], shown)
        else:
            _dots(figure.subplots(), rows, lines, report["settings"])
    return figure


def _lines(rows: list[Row]) -> dict[tuple[str, str], float]:
    """The height of every model and strategy, from the top; a gap between models."""
    models = dict.fromkeys(row["model"] for row in rows)
    strategies = dict.fromkeys(row["strategy"] for row in rows)
    there = {(row["model"], row["strategy"]) for row in rows}
    lines, height = {}, 0.0
    for model in models:
        for strategy in (s for s in strategies if (model, s) in there):
            lines[model, strategy] = height
            height += 1
        height += 0.9
    return lines


def _dots(axes: Any, rows: list[Row], lines: dict[tuple[str, str], float], settings: list[str]) -> None:
    """A line per model and strategy, a dot per setting, a hollow diamond for the paper's figure."""
    for place, (colour, setting) in enumerate(zip(COLOURS, settings, strict=False)):
        of = [row for row in rows if row["setting"] == setting]
        beside = 0.22 * (place - (len(settings) - 1) / 2)  # else one interval would hide the next
        at = np.array([lines[row["model"], row["strategy"]] for row in of])
        # The start set stands alone on its line.
        at = at + beside * np.array([row["strategy"] != "bootstrap" for row in of])
        f1 = np.array([row["macro_f1"] for row in of])
        low, high = np.array([row["macro_f1_interval"] for row in of]).T
        reach = np.maximum([f1 - low, high - f1], 0)
        axes.errorbar(f1, at, xerr=reach, fmt="o", color=colour, label=setting, markersize=4, elinewidth=1, capsize=2)
        marks = [(row["paper"]["macro_f1"], y) for row, y in zip(of, at, strict=True) if row["paper"]]
        if marks:
            axes.plot(*zip(*marks, strict=True), "D", color=colour, fillstyle="none", markersize=5)
    axes.set_yticks(list(lines.values()), [strategy for _, strategy in lines], fontsize=8)
    axes.set_ylim(max(lines.values()) + 0.7, -1.2)
    _models(axes, lines)
    axes.set_xlabel("macro-F1 on test (%), 95 % interval")
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    handles, names = axes.get_legend_handles_labels()
    if any(row["paper"] for row in rows):
        handles += axes.plot([], [], "D", color="0.3", fillstyle="none", markersize=5)
        names.append("the paper's")
    axes.legend(handles, names, fontsize=8, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))


def _models(axes: Any, lines: dict[tuple[str, str], float]) -> None:
    """The name of each model above its strategies, left of the axis."""
    for model in dict.fromkeys(model for model, _ in lines):
        at = (0, min(height for (of, _), height in lines.items() if of == model) - 0.62)
        axes.annotate(
            short_name(model),
            at,
            (-7, 0),  # as far off as the strategies
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=9,
            weight="bold",
            ha="right",
            va="center",
        )


def _heat_maps(part: Any, maps: Row, classes: list[str], shown: Mapping[str, str]) -> None:
    counts = {strategy: _matrix(drawn["pairs"], classes) for strategy, drawn in maps["strategies"].items()}
    total = np.sum(list(counts.values()), axis=0)
    most = np.sort(np.argsort(-(total.sum(axis=0) + total.sum(axis=1)), kind="stable")[:MOST_CLASSES])
    names = [shown[classes[place]] for place in most]
    top = max(1, max(int(count.max()) for count in counts.values()))
    title = f"{maps['drawn']} drawn errors by class pair: {short_name(maps['model'])}, {maps['setting']}"
    some = f"\nthe {MOST_CLASSES} of {len(classes)} classes with the most of them"
    part.suptitle(title + (some if len(classes) > MOST_CLASSES else ""), fontsize=10)
    columns = min(2, len(counts))
    grid = part.subplots(-(-len(counts) // columns), columns, squeeze=False, sharex=True, sharey=True)
    for axes, (strategy, count) in zip(grid.flat, counts.items(), strict=False):
        _heat_map(axes, count[np.ix_(most, most)], names, top)
        axes.set_title(strategy, fontsize=9)
    for axes in grid.flat[len(counts) :]:
        axes.set_visible(False)
    part.supxlabel("predicted", fontsize=9)
    part.supylabel("true", fontsize=9)


def _heat_map(axes: Any, shown: np.ndarray, names: list[str], top: int) -> None:
    """Counts as numbers on colours that are white at 0 and the same in every map; lines between the classes."""
    axes.imshow(np.ma.masked_equal(shown, 0), cmap="Blues", vmin=0, vmax=top)
    for (true, predicted), count in np.ndenumerate(shown):
        if count:
            colour = "white" if count > 0.6 * top else "black"
            axes.text(predicted, true, count, ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(names)) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names)) - 0.5, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


def _matrix(pairs: list[Pair], classes: list[str]) -> np.ndarray:
    """Counts by class pair, shape `(classes, classes)`: a row for each true class."""
    counts = np.zeros((len(classes), len(classes)), int)
    for pair in pairs:
        counts[classes.index(pair["true"]), classes.index(pair["predicted"])] = pair["count"]
    return counts
