"""The pictures of a report: a PNG for every report there can be, and nothing hidden by a legend or a label."""

from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from reports import NAMES, RAREST, grid_report, run_report

from rarecase.report import plots

FOUR = ["random", "entropy", "coreset", "cluster"]
OWN = [*FOUR, "my_module:least_confident_first"]

MANY = [[f"TOPIC:class-{i}" for i in range(classes)] for classes in (3, 12, 50)]

REPORTS = {
    "a run, start set only": run_report(0),
    "a run, 5 rounds": run_report(5),
    "a run, 40 rounds": run_report(40),
    "1 strategy, start set only": grid_report(FOUR[:1], 0),
    "4 strategies, 5 rounds": grid_report(FOUR, 5),
    "a strategy of one's own": grid_report([*FOUR, "my_module:least_confident_first"], 1),
    "11 strategies": grid_report([f"strategy {i}" for i in range(11)], 1),
    **{f"a run, {len(names)} classes": run_report(5, names) for names in MANY},
    **{f"a grid, {len(names)} classes": grid_report(FOUR, 5, names) for names in MANY},
    "a run, long names": run_report(5, [f"a class with quite a long name, {i}" for i in range(9)]),
}


def draw(report: dict, path: Path) -> Figure:
    """The figure, once it is saved, to look into."""
    figure = (plots.picture_of_run if report["kind"] == "run" else plots.details_of_grid)(report)
    plots.save(figure, path)
    return figure


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_every_report_gives_a_png_in_which_no_label_and_no_legend_hides_anything(tmp_path, report):
    path = tmp_path / "report.png"
    figure = draw(report, path)
    height, width = imread(path).shape[:2]
    assert 500 < height < 1_000 < width < 2_500
    assert [p.name for p in tmp_path.iterdir()] == ["report.png"]
    for axes in figure.axes:
        ticks = [tick for tick in axes.get_xticklabels() if tick.get_text()]
        boxes = [tick.get_window_extent() for tick in ticks]
        rotated = any(tick.get_rotation() for tick in ticks)  # whose boxes overlap where their words do not
        assert rotated or all(a.x1 < b.x0 for a, b in pairwise(boxes))
        assert not [tick.get_text() for tick in ticks if "." in tick.get_text()], "half a round, half a label"
    (bars,) = [axes for axes in figure.axes if axes.patches]
    legend = bars.get_legend().get_window_extent()
    assert all(legend.y0 >= patch.get_window_extent().y1 for patch in bars.patches)
    assert legend.x1 <= bars.get_window_extent().x1
    told, classes = [text.get_text() for text in bars.get_legend().get_texts()], report["classes"]
    assert told == (classes if len(classes) <= 8 else [*classes[-2:-9:-1], f"{len(classes) - 7} others"])
    assert len({container[0].get_facecolor() for container in bars.containers}) == len(told)


def test_no_two_strategies_look_alike_and_of_many_the_legend_stands_above(tmp_path):
    macro, rare, _ = draw(grid_report([f"strategy {i}" for i in range(11)], 5), tmp_path / "report.png").axes
    assert len({(line.get_color(), line.get_linestyle()) for line in rare.lines}) == 11
    for axes in (macro, rare):
        assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


def test_the_bars_of_a_run_are_its_class_counts(tmp_path):
    report = run_report(3)
    bars = draw(report, tmp_path / "report.png").axes[0]
    for container, name in zip(bars.containers, NAMES, strict=True):
        assert [bar.get_height() for bar in container] == [r["class_counts"][name] for r in report["rounds"]]


def test_the_curves_of_a_grid_are_its_means_with_their_intervals(tmp_path):
    report = grid_report(FOUR, 3)
    macro, rare, _ = draw(report, tmp_path / "report.png").axes
    assert len(macro.containers) == len(rare.lines) == 4
    for container, strategy in zip(macro.containers, FOUR, strict=True):
        curve = report["strategies"][strategy]["curve"]
        line, _, (reach,) = container
        assert line.get_ydata().tolist() == [point["macro_f1"] for point in curve]
        ends = [sorted(segment[:, 1]) for segment in reach.get_segments()]
        assert ends == [pytest.approx(point["macro_f1_interval"]) for point in curve]
        assert line.get_xdata() == pytest.approx([point["labels"] for point in curve], abs=1)


def test_the_curves_of_a_run_lie_in_their_intervals_and_name_the_rows_of_the_rarest_class(tmp_path):
    report = run_report(3)
    curve = draw(report, tmp_path / "report.png").axes[1]
    bands = [band.get_paths()[0].vertices[:, 1] for band in curve.collections]
    for band, name in zip(bands, ("macro_f1_interval", f"f1_interval {RAREST}"), strict=True):
        key, _, label = name.partition(" ")
        ends = [r["test"][key][label] if label else r["test"][key] for r in report["rounds"]]
        assert (band.min(), band.max()) == (min(low for low, _ in ends), max(high for _, high in ends))
    assert [text.get_text() for text in curve.get_legend().get_texts()] == ["macro-F1", f"F1 {RAREST} (n=3)"]


@pytest.mark.parametrize(("runs", "says"), [((3, 3), "means of 3 runs,"), ((1, 3), "means of up to 3 runs,")])
def test_the_picture_of_a_grid_says_of_how_many_runs_its_means_are(runs, says):
    report = grid_report(["random", "cluster"], 2)
    for found, number in zip(report["strategies"].values(), runs, strict=True):
        found["runs"] = number
    (axes,) = plots.picture_of_grid(report).axes
    assert says in axes.get_xlabel()


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_picture_of_a_grid_is_how_many_of_the_rarest_class_each_strategy_found(tmp_path, seeds):
    report = {**grid_report(OWN, 2), "seeds": list(range(seeds))}
    for found in report["strategies"].values():
        found |= {"runs": seeds} | ({"found_interval": dict.fromkeys(NAMES)} if seeds == 1 else {})
    figure = plots.picture_of_grid(report)
    plots.save(figure, tmp_path / "report.png")
    figure.draw_without_rendering()  # at the resolution in which it is measured here
    (axes,) = figure.axes
    found = [of["found"][RAREST] for of in report["strategies"].values()]
    assert [bar.get_width() for bar in axes.patches] == found
    assert [text.get_text() for text in axes.texts] == [
        f"{count:.0f}" if seeds == 1 else f"{count:.1f}" for count in found
    ]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == OWN
    title = " ".join(axes.get_title(loc="left").split())
    assert title == f"Of 40 texts that each strategy chose, how many are {RAREST}, the rarest class?"
    assert ("a difference of a few may be chance" in axes.get_xlabel()) == (seeds == 1)
    assert len(axes.lines) == (0 if seeds == 1 else len(OWN))
    right = figure.bbox.x1
    assert all(text.get_window_extent().x1 <= right for text in [*axes.texts, axes.xaxis.label])


def test_an_interval_that_leaves_out_its_mean_is_drawn_all_the_same(tmp_path):
    report = grid_report(["random"], 1)
    report["strategies"]["random"]["curve"][1]["macro_f1_interval"] = [61.5, 63.0]
    draw(report, tmp_path / "report.png")
    assert (tmp_path / "report.png").exists()
