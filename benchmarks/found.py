"""
Draws docs/found.png, what 100 labels found, from the table of `frozen` in docs/results.md.

    python benchmarks/found.py
"""

import re
from pathlib import Path

from matplotlib.figure import Figure

DOCS = Path(__file__).parents[1] / "docs"
SHOWN = ("random", "cluster", "entropy", "rare")
GREY, COLOUR = "#9aa5b1", "#d55e00"


def found(page: str) -> dict[str, tuple[float, float, float]]:
    """Of each strategy: the emergencies among its labels, mean and interval; the last two columns of the table."""
    row = re.compile(r"\| (\w+) \|.*\| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|$", re.M)
    table = page.split("emergency-situation found | interval |", 1)[1].split("\n\n", 1)[0]
    return {name: (float(mean), float(low), float(high)) for name, mean, low, high in row.findall(table)}


def picture(means: dict[str, tuple[float, float, float]]) -> Figure:
    """A bar for each strategy, the last one in colour."""
    figure = Figure(figsize=(7.5, 2.6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for place, name in enumerate(reversed(SHOWN)):
        mean, low, high = means[name]
        axes.barh(place, mean, color=COLOUR if name == SHOWN[-1] else GREY, height=0.62)
        axes.plot([low, high], [place, place], color="#333333", linewidth=1.2)
        axes.text(high + 0.3, place, f"{mean:.1f}", va="center", fontsize=11)
    axes.set_yticks(range(len(SHOWN)), reversed(SHOWN), fontsize=11)
    axes.set_xlabel("emergencies found with 100 labels, out of about 50 in 1,630 titles")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    axes.set_xlim(0, 24)
    return figure


if __name__ == "__main__":
    picture(found((DOCS / "results.md").read_text(encoding="utf-8"))).savefig(DOCS / "found.png")
