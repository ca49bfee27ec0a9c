"""The picture of a data set's card: class counts of every config."""

import io
import textwrap

import numpy as np

from rarecase.data.release import Release
from rarecase.report.colours import COLOURS
from rarecase.report.fonts import fonts_for


def class_counts_picture(release: Release) -> bytes:
    """How many texts of each class every config has to learn from, as a PNG."""
    from matplotlib.figure import Figure  # without pyplot: no display, no global state
    from matplotlib.ticker import MaxNLocator

    names = release.names
    counts = {name: config.train.class_counts for name, config in release.configs.items()}
    with fonts_for(names) as shown:
        titles = [textwrap.fill(shown[name], 24) for name in names]
        high = max(0.2 + 0.16 * len(counts), 0.2 * max(title.count("\n") + 1 for title in titles))  # inches of a class
        figure = Figure(figsize=(8, 1.2 + high * len(names)), dpi=150, layout="constrained")
        thick = 0.84 / len(counts)
        axes = figure.subplots()
        for place, (config, found) in enumerate(counts.items()):
            middle = np.arange(len(names)) + thick * (place - (len(counts) - 1) / 2)
            colour, hatch = COLOURS[place % len(COLOURS)], "///" * (place // len(COLOURS))  # a ninth is not the first
            lengths = [found[name] for name in names]
            bars = axes.barh(middle, lengths, 0.9 * thick, color=colour, hatch=hatch, edgecolor="white", label=config)
            axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
        axes.set_yticks(range(len(names)), titles)
        axes.set_ylim(len(names) - 0.5, -0.5)  # the first class on top
        axes.set_xlim(0, max(1, *(found[name] for found in counts.values() for name in names)))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("texts to learn from, variations included")
        axes.spines[["top", "right"]].set_visible(False)
        columns = max(1, 100 // (6 + max(map(len, counts))))  # of a hundred letters, a name's colour takes some six
        lines = -(-len(counts) // columns)
        figure.legend(loc="outside upper left", ncols=-(-len(counts) // lines), fontsize=8, frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
