"""The picture of a data set's card: every count in sight, whatever the number of configs and the length of names."""

import io
from itertools import pairwise

import matplotlib.figure
import pytest
from matplotlib.image import imread
from small import NAMES

from rarecase.data.release import Config, Release, Split
from rarecase.data.release_class import ReleaseClass
from rarecase.publish.picture import class_counts_picture

LONG = (
    "coordination-of-violent-extremism-and-recruitment",
    "encouragement-of-disordered-eating-and-self-starvation",
    "a $^$ is no formula",
    "x",
)


def drawn(configs: int, names: tuple[str, ...] = NAMES, times: int = 1) -> Release:
    """A release with nothing in it but what is drawn."""
    counts = [{name: (37 * i + 91 * k) % 400 * times for k, name in enumerate(names)} for i in range(configs)]
    title = "strategy_of_my_own_" * (times > 1)
    return Release(
        title="",
        default=f"{title}0",
        classes=tuple(ReleaseClass(name, "", "") for name in names),
        configs={f"{title}{i}": Config(splits={"train": train(found)}) for i, found in enumerate(counts)},
    )


def train(counts: dict[str, int]) -> Split:
    return Split(sum(counts.values()), counts, 0.0, 0, 0, 0, 0, "train.parquet", 0, "")


PICTURES = {
    "one config": drawn(1),
    "two configs": drawn(2),
    "eight configs": drawn(8),
    "more configs than colours": drawn(11),
    "one config, long names": drawn(1, LONG, 1_000),
    "eight configs, long names": drawn(8, LONG, 1_000),
    "no text of one class": drawn(1, ("x",)),
}


@pytest.mark.parametrize("release", PICTURES.values(), ids=PICTURES)
def test_the_picture_shows_every_count_and_hides_nothing(monkeypatch, release):
    figures: list[matplotlib.figure.Figure] = []
    save = matplotlib.figure.Figure.savefig
    monkeypatch.setattr(
        matplotlib.figure.Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k))
    )
    png = class_counts_picture(release)
    height, width = imread(io.BytesIO(png)).shape[:2]
    assert width == 1_200
    assert 200 < height < 3_000
    (axes,) = figures[0].axes
    counts, names = [config.train.class_counts for config in release.configs.values()], release.names
    assert [bar.get_width() for bar in axes.patches] == [found[name] for found in counts for name in names]
    assert [text.get_text() for text in axes.texts] == [f"{found[name]:,}" for found in counts for name in names]
    assert axes.get_position().width > 0.6, "names leave room for the bars"
    whole, (legend,) = figures[0].bbox, figures[0].legends
    ticks = [[t.get_window_extent() for t in side.get_ticklabels()] for side in (axes.xaxis, axes.yaxis)]
    labels = [*(text.get_window_extent() for text in axes.texts), *ticks[1], legend.get_window_extent()]
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 and box.y1 <= whole.y1 for box in labels)
    assert all(a.x1 < b.x0 for a, b in pairwise(ticks[0])), "numbers of the axis"
    assert all(a.y0 > b.y1 for a, b in pairwise(ticks[1])), "names of the classes"
    places = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: -box.y0)
    assert all(a.y0 > b.y1 - 1 for a, b in pairwise(places)), "numbers of the bars"
    assert legend.get_window_extent().y0 >= axes.get_window_extent().y1
    assert [text.get_text() for text in legend.get_texts()] == list(release.configs)


def test_the_picture_is_a_function_of_the_counts():
    png = class_counts_picture(drawn(2))
    assert png == class_counts_picture(drawn(2))
    assert b"Matplotlib" not in png, "a version of a library would be a new picture"
    other = drawn(2)
    other.configs["1"].train.class_counts["self-harm"] += 1
    assert png != class_counts_picture(other)
