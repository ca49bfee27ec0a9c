"""No name is a box in a picture, whatever letters it has and whatever fonts the machine has."""

import warnings
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.font_manager import fontManager
from matplotlib.text import Text
from reports import boxes, grid_report, run_report

from rarecase.data.release import Config, Release, Split
from rarecase.data.release_class import ReleaseClass
from rarecase.publish.picture import class_counts_picture
from rarecase.report.fonts import fonts_for, sentence_of_numbers
from rarecase.report.plots import details_of_grid, picture_of_grid, picture_of_run

CHINESE = ("自伤", "医疗建议", "🚑 emergency", "🔥", "紧急 two", "$x$ & _y_")


@pytest.fixture
def bare(monkeypatch) -> None:
    """A machine that has no fonts but those of matplotlib."""
    own = str(Path(font_manager.__file__).parent)
    monkeypatch.setattr(fontManager, "ttflist", [font for font in fontManager.ttflist if font.fname.startswith(own)])


@pytest.fixture
def other_font(bare, tmp_path) -> str:
    """A font of some Chinese letters is installed."""
    return installed(tmp_path, "Letters For A Test", "护理助人")


def installed(folder: Path, family: str, letters: str) -> str:
    """A font whose letters are all one triangle, added to those of the machine."""
    glyphs = [".notdef", *(f"uni{ord(letter):X}" for letter in letters)]
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((250, 700))
    pen.lineTo((500, 0))
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap(dict(zip(map(ord, letters), glyphs[1:], strict=True)))
    builder.setupGlyf(dict.fromkeys(glyphs, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (500, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    builder.save(folder / "font.ttf")
    fontManager.addfont(folder / "font.ttf")
    return family


@pytest.mark.usefixtures("bare")
def test_where_no_font_has_a_letter_the_class_is_a_number_and_signs_are_left_out():
    with fonts_for(CHINESE) as shown:
        assert list(shown.values()) == ["class 1", "class 2", "emergency", "class 4", "class 5", "$x$ & _y_"]
    told = sentence_of_numbers(CHINESE)
    assert told.startswith(
        "In the picture, class 1 stands for 自伤, class 2 stands for 医疗建议, class 4 stands for 🔥,"
    )
    assert "emergency" not in told


@pytest.mark.usefixtures("bare")
def test_no_two_classes_look_alike():
    with fonts_for(["🚑 help", "🔥 help", "help me", "self-harm"]) as shown:
        assert list(shown.values()) == ["class 1", "class 2", "help me", "self-harm"]


def test_names_that_the_usual_font_has_are_drawn_in_it_alone():
    names = ["self-harm", "Übelkeit", "Ασθένεια", "скорая помощь"]
    with fonts_for(names) as shown:
        assert (list(shown), list(shown.values())) == (names, names)
        assert Text().get_fontproperties().get_family() == ["sans-serif"]
    assert sentence_of_numbers(names) == ""


def test_a_letter_that_another_font_of_the_machine_has_is_drawn_in_that(other_font):
    names = ["护理", "助人 to help", "火"]
    with fonts_for(names) as shown:
        assert list(shown.values()) == ["护理", "助人 to help", "class 3"]
        assert Text().get_fontproperties().get_family() == ["sans-serif", other_font]
    figure = picture_of_run(run_report(2, names))
    assert boxes(figure) == set()
    assert "护理" in {text.get_text() for text in figure.findobj(Text)}


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("picture", [picture_of_run, picture_of_grid, details_of_grid])
def test_no_picture_of_a_run_or_a_simulation_has_a_box(picture):
    report = run_report(2, CHINESE) if picture is picture_of_run else grid_report(["random", "cluster"], 2, CHINESE)
    figure = picture(report)
    assert boxes(figure) == set()
    assert any("class 5" in " ".join(text.get_text().split()) for text in figure.findobj(Text))


@pytest.mark.usefixtures("bare")
def test_the_picture_of_a_card_has_no_box():
    split = Split(6, dict.fromkeys(CHINESE, 1), 0.0, 6, 0, 0, 0, "train.parquet", 0, "")
    classes = tuple(ReleaseClass(name, "", "") for name in CHINESE)
    release = Release(
        title="Posts", default="random", classes=classes, configs={"random": Config(splits={"train": split})}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert class_counts_picture(release).startswith(b"\x89PNG")
