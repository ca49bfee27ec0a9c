"""The figures of the demo page. They have no background of their own, so that they fit light and dark pages."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from datasets import Dataset
from plotly.colors import sample_colorscale

from rarecase.data.release import RoundScores
from rarecase.demo_space.data import rarest
from rarecase.report.colours import COLOURS

By = Literal["class", "round", "strategy"]
COLUMNS: dict[By, str] = {"class": "label", "round": "round", "strategy": "strategy"}

# Without black and yellow, which a dark or a light page swallows; a mark has a shape too.
MARKS = COLOURS[:6]
SHAPES = ("circle", "square", "diamond", "triangle-up", "x", "star", "triangle-down")
ROUNDS = ["#0072B2", "#CC79A7", "#E69F00"]  # early to late, and ever lighter
EDGE, REST, GRID = "rgba(90,90,90,0.9)", "rgba(128,134,142,0.38)", "rgba(128,128,128,0.25)"
UNKNOWN = "not stated"
LONGEST = 24  # characters of a name


def pool_map(points: Dataset, by: By, strategies: Sequence[str], names: Sequence[str] = ()) -> go.Figure:
    """The points of map.parquet, and among them what some strategies chose, coloured by class, round or strategy."""
    table = {column: np.array(points[column][:], dtype=object) for column in points.column_names}
    chosen = np.isin(table["strategy"].astype(str), list(strategies))
    figure = _figure(height=640)
    rest = {"name": f"other texts ({sum(~chosen):,})", "marker": {"color": REST, "size": 5}, "hoverinfo": "skip"}
    figure.add_scatter(**_points(table, ~chosen), **rest)
    kinds = _kinds(table[COLUMNS[by]][chosen], names)
    shades = sample_colorscale(ROUNDS, np.linspace(0, 1, max(len(kinds), 2))) if by == "round" else MARKS
    for place, kind in enumerate(kinds):
        these = chosen & (table[COLUMNS[by]] == kind)
        style = {"color": shades[place % len(shades)], "symbol": SHAPES[place % len(SHAPES)], "size": 9}
        figure.add_scatter(
            **_points(table, these),
            marker={**style, "line": {"color": EDGE, "width": 0.8}},
            name=f"{_label(kind, by)} ({sum(these):,})",
            text=[_hover(table, row) for row in np.flatnonzero(these).tolist()],
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_layout(legend={"yanchor": "top", "y": -0.02})  # below: above are the tools for zooming
    figure.update_xaxes(visible=False)
    return figure.update_yaxes(visible=False)


def class_bars(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """How many rows of each class every config has; `counts` by config and class."""
    names = list(next(iter(counts.values())))
    figure = _figure(height=90 + len(names) * (26 + 16 * len(counts)))
    for place, (config, found) in enumerate(counts.items()):
        values = [found[name] for name in names]
        figure.add_bar(
            y=list(range(len(names))),
            x=values,
            text=values,
            name=_short(config),
            customdata=[escape(name) for name in names],
            orientation="h",
            textposition="outside",
            cliponaxis=False,
            marker={"color": MARKS[place % len(MARKS)], "pattern": {"shape": ["", "/", "x"][place // len(MARKS) % 3]}},
            hovertemplate="%{customdata}: %{x}<extra></extra>",
        )
    most = max(max(found.values()) for found in counts.values())
    figure.update_xaxes(title_text="rows", range=[0, 1.15 * most])  # room for the numbers
    ticks = {"tickvals": list(range(len(names))), "ticktext": [f"{_short(name)} " for name in names]}
    return figure.update_yaxes(**ticks, autorange="reversed", showgrid=False)  # the first class on top


def round_curves(
    rounds: Mapping[str, Sequence[RoundScores]], counts: Mapping[str, Mapping[str, Mapping[str, int]]]
) -> go.Figure:
    """Macro-F1 on test after each round, and the F1 of the rarest class; `counts` by config, split and class."""
    figure = _figure(height=420)
    for place, (config, found) in enumerate(rounds.items()):
        least = rarest(counts[config])
        labels = [r["labels"] for r in found]
        curves = {
            "macro-F1": ([r["test"]["macro_f1"] for r in found], "solid", "circle"),
            f"F1 of {_short(least)}": ([r["test"]["f1"][least] for r in found], "dash", "square"),
        }
        for name, (values, dash, symbol) in curves.items():
            figure.add_scatter(
                x=labels,
                y=values,
                mode="lines+markers",
                name=f"{_short(config)}: {name}",
                line={"color": MARKS[place % len(MARKS)], "dash": dash, "width": 2.5},
                marker={"symbol": symbol, "size": 8},
                hovertemplate="%{x} labels: %{y:.1f}<extra></extra>",
            )
    last = max(1, *(r["labels"] for found in rounds.values() for r in found))
    figure.update_xaxes(title_text="labels after the start set", range=[-0.04 * last, 1.04 * last])
    return figure.update_yaxes(title_text="F1 on test (%)", range=[-3, 103])


def _figure(height: int) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 14},
        showlegend=True,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "itemsizing": "constant"},
        dragmode=False,  # else a finger that scrolls the page is caught by the figure
        modebar={
            "bgcolor": "rgba(0,0,0,0)",
            "color": "rgb(128,128,128)",
            "remove": ["select2d", "lasso2d", "toImage"],
        },
        barmode="group",
        bargap=0.22,
    )
    axis = {"gridcolor": GRID, "zeroline": False, "automargin": True, "title": {"font": {"size": 14}}}
    return figure.update_layout(xaxis=axis, yaxis=axis)


def _points(table: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, Any]:
    x, y = (table[axis][rows].astype(np.float32) for axis in "xy")
    return {"x": x, "y": y, "mode": "markers"}


def _kinds(values: np.ndarray, names: Sequence[str]) -> list[Any]:
    """The distinct values: classes in their order, everything else sorted, the unknown last."""
    order = {name: place for place, name in enumerate(names)}
    found = set(values.tolist())
    known = sorted(found - {None}, key=lambda kind: (order.get(kind, len(order)), kind))
    return [*known, *(found & {None})]


def _label(kind: Any, by: By) -> str:
    if by == "round":
        return "no round" if kind is None else f"round {kind}"  # of the start set, for one
    return UNKNOWN if kind is None else _short(kind)


def _short(name: str) -> str:
    """A name that a phone has room for, as a figure takes it, which would read tags and entities in it."""
    return escape(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")


def _hover(table: Mapping[str, np.ndarray], row: int) -> str:
    """What a point shows under the pointer; no text of the data, which the map does not have."""
    known = {by: table[column][row] for by, column in COLUMNS.items()}
    lines = [f"{by}: {escape(str(value))}" for by, value in known.items() if value is not None]
    return "<br>".join([*lines, *([f"id: {escape(table['id'][row])}"] if table["id"][row] else [])])
