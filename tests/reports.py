"""Reports of the right shape, made by hand: of a run, and of a grid; and what a picture lacks."""

import io
import warnings
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text

from rarecase.data.counts import rarest
from rarecase.data.taxonomy import Taxonomy

NAMES = Taxonomy.default().names
RAREST = "emergency-situation"
TEST = dict(zip(NAMES, (16, 18, 19, 18, 3, 26), strict=True))


def rows_of_test(classes: Sequence[str]) -> dict[str, int]:
    """Rows of the test set: fewer from class to class, none of the last."""
    return TEST if classes == NAMES else {name: len(classes) - 1 - i for i, name in enumerate(classes)}


def run_report(rounds: int, classes: Sequence[str] = NAMES) -> dict[str, Any]:
    test = rows_of_test(classes)

    def record(number: int) -> dict[str, Any]:
        measured: dict[str, Any] = {
            "accuracy": min(100.0, 60.0 + number),
            "macro_f1": min(100.0, 55.04 + 2 * number),
            "f1": {name: min(100.0, 40.0 + 3 * number + i) for i, name in enumerate(classes)},
        }
        intervals: dict[str, Any] = {
            "accuracy_interval": [50.0, 70.0],
            "macro_f1_interval": [measured["macro_f1"] - 4.04, measured["macro_f1"] + 3],
            "f1_interval": {name: [0.0, measured["f1"][name] + 20.04] for name in classes},
        }
        return {
            "round": number,
            "chosen": [f"p{number}-{i}" for i in range(20 if number else 0)],
            "labels": 20 * number,
            "class_counts": {name: number * (7 * i + 4) for i, name in enumerate(classes)},
            "class_count_std": 13.06 * number,
            "found": {name: number * i for i, name in enumerate(classes)},
            "dev": measured,
            "test": {**measured, **intervals},
        }

    made = [record(n) for n in range(rounds + 1)]
    return {
        "kind": "run",
        "classes": list(classes),
        "test_class_counts": test,
        "rarest": rarest(test),
        "notes": [],
        "variations": {},
        "cost_per_rare": 5.0 if rounds else None,
        "seconds_per_rare": 2.0 if rounds else None,
        "generation": None,
        "annotator": None,
        "rounds": made,
    }


def grid_report(strategies: list[str], rounds: int, classes: Sequence[str] = NAMES) -> dict[str, Any]:
    test = rows_of_test(classes)

    def found(place: int, strategy: str) -> dict[str, Any]:
        curve = [
            {
                "round": n,
                "labels": 20.0 * n,
                "macro_f1": 60 + n + place,
                "macro_f1_interval": [58.96 + n + place, 61.0 + n + place],
                "accuracy": 70.0,
                "f1": {name: 30.0 + 4 * n + 2 * place + i for i, name in enumerate(classes)},
                "class_counts": {name: n * (7.0 * i + 4 + place) for i, name in enumerate(classes)},
                "class_count_std": 12.5 * n,
            }
            for n in range(rounds + 1)
        ]
        answer: dict[str, Any] = {
            "runs": 3,
            "curve": curve,
            "final": {key: value for key, value in curve[-1].items() if key != "round"},
            "found": {name: 2.44 * (i + place) for i, name in enumerate(classes)},
            "found_interval": {
                name: [2.44 * (i + place) - 1, 2.44 * (i + place) + 1.1] for i, name in enumerate(classes)
            },
        }
        answer |= {"cost_per_rare": 40 / (9.76 + 2.44 * place), "cost_per_rare_interval": [3.0, 5.0]}
        if "random" in strategies and strategy != "random":
            answer["difference"] = {"macro_f1": place - 0.26, "macro_f1_interval": [-0.5, 1.54], "to": "random"}
        return answer

    return {
        "kind": "grid",
        "classes": list(classes),
        "test_class_counts": test,
        "rarest": rarest(test),
        "notes": [],
        "seeds": [0, 1, 2],
        "strategies": {strategy: found(place, strategy) for place, strategy in enumerate(strategies)},
    }


def boxes(figure: Figure) -> set[str]:
    """The characters of a picture that none of their fonts has."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's, of a glyph that is missing
        figure.savefig(io.BytesIO(), format="png")
    found = set()
    for text in figure.findobj(Text):
        fonts = [get_font(findfont(FontProperties([name]))) for name in text.get_fontproperties().get_family()]
        known = set().union(*(font.get_charmap() for font in fonts))
        found |= {letter for letter in text.get_text() if ord(letter) not in known | {10}}
    return found
