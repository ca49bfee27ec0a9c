"""The picture of an experiment: dots, intervals and the paper's marks where they belong, and errors as heat maps."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from measured import DRAWS, FIXED, STRATEGIES, made, make_experiment
from reports import boxes

from rarecase.report.experiment import ExperimentReport, report_of_experiment
from rarecase.report.experiment_plot import picture_of_experiment
from rarecase.report.experiment_tables import results_of
from rarecase.report.plots import save


@pytest.fixture(scope="module")
def report() -> ExperimentReport:
    return report_of_experiment(made())


def draw(report: dict, folder: Path) -> Figure:
    """The figure, once it is saved, to look into."""
    figure = picture_of_experiment(report)
    save(figure, folder / "report.png")
    assert imread(folder / "report.png").shape[0] > 500
    return figure


def test_every_cell_of_the_tables_is_a_dot_with_its_interval_and_the_papers_mark(tmp_path, report):
    axes = draw(report, tmp_path).subfigs[0].axes[0]
    by_setting = {container.get_label(): container for container in axes.containers}
    assert list(by_setting) == report["settings"]
    for setting, container in by_setting.items():
        rows = [row for row in results_of(report) if row["setting"] == setting]
        line, _, (reach,) = container
        assert line.get_xdata() == pytest.approx([row["macro_f1"] for row in rows])
        ends = [sorted(segment[:, 0]) for segment in reach.get_segments()]
        for row, (low, high) in zip(rows, ends, strict=True):
            assert (low, high) == pytest.approx(tuple(row["macro_f1_interval"]), abs=1.5)
    marks = [x for line in axes.lines if line.get_marker() == "D" for x in line.get_xdata()]
    assert sorted(marks) == sorted(row["paper"]["macro_f1"] for row in results_of(report) if row["paper"])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [*report["settings"], "the paper's"]
    assert [text.get_text() for text in axes.texts] == ["roberta-base", FIXED]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["bootstrap", *STRATEGIES] * 2


def test_no_name_on_the_left_hides_another(tmp_path, report):
    figure = draw(report, tmp_path)
    figure.draw_without_rendering()  # at the resolution in which it is measured here
    axes = figure.subfigs[0].axes[0]
    boxes = sorted((t.get_window_extent() for t in axes.get_yticklabels() + axes.texts), key=lambda box: box.y0)
    left = [box for box in boxes if box.x0 < axes.get_window_extent().x0]
    assert all(one.y1 <= two.y0 for one, two in pairwise(left))
    assert min(box.x0 for box in boxes) >= 0
    assert all(text.get_window_extent().x1 < axes.get_window_extent().x0 for text in axes.texts)


def test_a_heat_map_of_each_strategy_shows_the_drawn_errors(tmp_path, report):
    maps = [axes for axes in draw(report, tmp_path).subfigs[1].axes if axes.get_visible()]
    assert [axes.get_title() for axes in maps] == list(STRATEGIES)
    for axes in maps:
        counts = np.ma.filled(axes.images[0].get_array(), 0)
        told = report["figure3"]["strategies"][axes.get_title()]["pairs"]
        expected = np.zeros((6, 6))
        for pair in told:
            expected[report["classes"].index(pair["true"]), report["classes"].index(pair["predicted"])] = pair["count"]
        assert counts.tolist() == expected.tolist()
        assert counts.sum() == 100
        assert sorted(int(text.get_text()) for text in axes.texts) == sorted(pair["count"] for pair in told)


def test_of_many_classes_those_with_the_most_errors_are_shown(tmp_path, report):
    classes = [f"class {i}" for i in range(40)]
    pairs = [{"true": classes[i], "predicted": classes[39], "count": i} for i in range(1, 30)]
    many = {**report, "classes": classes, "figure3": {**report["figure3"], "strategies": {"random": {"pairs": pairs}}}}
    _, right = draw(many, tmp_path).subfigs
    (axes,) = right.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [f"class {i}" for i in [*range(21, 30), 39]]
    assert right.get_suptitle().endswith("\nthe 10 of 40 classes with the most of them")


def test_no_name_is_a_box(report):
    new = dict(zip(report["classes"], ["自伤", "医疗建议", "🚑 emergency", "🔥", "紧急 two", "$x$"], strict=True))
    pairs = [
        {**pair, **{key: new[pair[key]] for key in ("true", "predicted")}}
        for pair in report["figure3"]["strategies"]["random"]["pairs"]
    ]
    figure3 = {**report["figure3"], "strategies": {"random": {"pairs": pairs}}}
    assert boxes(picture_of_experiment({**report, "classes": list(new.values()), "figure3": figure3})) == set()


def test_an_experiment_of_one_model_one_strategy_or_the_start_set_alone_has_a_picture(tmp_path):
    for place, (strategies, settings) in enumerate([(["random"], ["human"]), ([], ["bootstrap"])]):
        folder = make_experiment(
            tmp_path / str(place), models=[DRAWS], strategies=strategies, settings=settings, seeds=1
        )
        assert draw(report_of_experiment(folder), tmp_path).get_axes()
