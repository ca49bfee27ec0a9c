"""The figures of the demo page hold the numbers they are given, and no more."""

import pytest
from datasets import Dataset

from rarecase.demo_space.plots import REST, class_bars, pool_map, round_curves

POINTS = Dataset.from_dict(
    {
        "x": [0.0, 1.0, 2.0, 3.0, 4.0],
        "y": [0.5, 1.5, 2.5, 3.5, 4.5],
        "id": [None, "a", "b", "c", "d"],
        "label": [None, "rare", "<b>odd</b>", "rare", "rare"],
        "strategy": [None, "cluster", "cluster", "random", "bootstrap"],
        "round": [None, 2, 1, None, None],
    }
)


def entries(figure) -> dict[str, list[float]]:
    return {trace.name: list(trace.x) for trace in figure.data}


def test_what_is_not_asked_for_is_grey():
    figure = pool_map(POINTS, "class", ["cluster"], ["rare", "<b>odd</b>"])
    assert entries(figure) == {"other texts (3)": [0, 3, 4], "rare (1)": [1], "&lt;b&gt;odd&lt;/b&gt; (1)": [2]}
    assert [trace.marker.color == REST for trace in figure.data] == [True, False, False]


def test_classes_come_in_their_order_and_rounds_by_number_the_unknown_last():
    by_class = pool_map(POINTS, "class", ["cluster", "random"], ["<b>odd</b>", "rare"])
    assert list(entries(by_class)) == ["other texts (2)", "&lt;b&gt;odd&lt;/b&gt; (1)", "rare (2)"]
    by_round = pool_map(POINTS, "round", ["cluster", "random"])
    assert entries(by_round) == {
        "other texts (2)": [0, 4],
        "round 1 (1)": [2],
        "round 2 (1)": [1],
        "no round (1)": [3],
    }
    assert list(entries(pool_map(POINTS, "strategy", ["cluster", "random"]))) == [
        "other texts (2)",
        "cluster (2)",
        "random (1)",
    ]


def test_what_is_told_apart_differs_in_colour_and_in_shape():
    figure = pool_map(POINTS, "strategy", ["cluster", "random", "bootstrap"])
    styles = [(trace.marker.color, trace.marker.symbol) for trace in figure.data[1:]]
    assert len({colour for colour, _ in styles}) == len({shape for _, shape in styles}) == 3


def test_a_mark_tells_where_it_comes_from_in_words_that_are_no_markup():
    figure = pool_map(POINTS, "class", ["cluster"], ["rare", "<b>odd</b>"])
    assert list(figure.data[1].text) == ["class: rare<br>round: 2<br>strategy: cluster<br>id: a"]
    assert list(figure.data[2].text) == ["class: &lt;b&gt;odd&lt;/b&gt;<br>round: 1<br>strategy: cluster<br>id: b"]


def test_bars_are_the_counts_of_each_config():
    long = "a class whose name no phone has room for"
    figure = class_bars({"random": {"rare": 1, long: 9}, "cluster": {"rare": 4, long: 6}})
    assert {bar.name: dict(zip(bar.customdata, bar.x, strict=True)) for bar in figure.data} == {
        "random": {"rare": 1, long: 9},
        "cluster": {"rare": 4, long: 6},
    }
    assert list(figure.data[0].y) == list(figure.layout.yaxis.tickvals) == [0, 1]
    assert list(figure.layout.yaxis.ticktext) == ["rare ", "a class whose name no p… "]


@pytest.mark.parametrize("labels", [[0], [0, 20, 40]])
def test_curves_are_macro_f1_and_the_f1_of_the_class_that_is_rarest_in_test(labels):
    rounds = [{"labels": n, "test": {"macro_f1": 50.0 + n, "f1": {"rare": n, "common": 90.0}}} for n in labels]
    counts = {"cluster": {"train": {"rare": 9, "common": 1}, "test": {"rare": 2, "common": 8}}}
    figure = round_curves({"cluster": rounds}, counts)
    assert {line.name: list(line.y) for line in figure.data} == {
        "cluster: macro-F1": [50.0 + n for n in labels],
        "cluster: F1 of rare": labels,
    }
    assert {tuple(line.x) for line in figure.data} == {tuple(labels)}
    low, high = figure.layout.xaxis.range
    assert low < 0
    assert high > max(labels)
