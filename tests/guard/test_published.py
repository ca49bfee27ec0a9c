"""
What a guard of the published set finds: written in other ways, and as a sentence in a long text; `-s` prints it.
"""

from pathlib import Path

import numpy as np
import pytest
from guarded import Found, by_kind, needles
from perturbations import LATER, UNDONE
from places import PUBLISHED

from rarecase.data.arrow import matrix
from rarecase.data.read import read_argument
from rarecase.data.sets import with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.experiment.published import import_published
from rarecase.guard.behaviours import SENTENCES, judged
from rarecase.guard.guard import Guard
from rarecase.learn.record import ModelRecord
from rarecase.runs.train import train
from rarecase.settings.config import TrainConfig

pytestmark = [pytest.mark.slow, pytest.mark.published, pytest.mark.skipif(not PUBLISHED.exists(), reason="no data")]
CONFIGS = "bootstrap,random,topn,coreset,cluster"
FOREIGN = [
    *("Сегодня хорошая погода, идём гулять в парк", "Какой велосипед купить ребёнку?", "Рецепт супа из тыквы"),
    *("Мы переехали в новую квартиру", "Кто смотрел этот фильм?", "Кот спит на окне весь день"),
    *("الطقس جميل اليوم وسنذهب إلى الحديقة", "ما هي أفضل دراجة لطفل صغير؟", "وصفة حساء اليقطين"),
    *("انتقلنا إلى شقة جديدة", "من شاهد هذا الفيلم؟", "القطة نائمة على النافذة طوال اليوم"),
]


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "data"
    import_published(PUBLISHED, folder)
    return folder


@pytest.fixture(scope="module")
def model(release, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "guard"
    train(str(release), TrainConfig(config_name=CONFIGS, out=folder))
    return folder


@pytest.fixture(scope="module")
def guard(model) -> Guard:
    return Guard.from_pretrained(model)


def rows(release: Path, split: str) -> tuple[list[str], np.ndarray]:
    table = read_argument(f"{release}:bootstrap", split)
    return table["text"][:], matrix(with_classes(table, Taxonomy.default(), str), "label")


@pytest.fixture(scope="module")
def ways(guard, release) -> dict[str, Found]:
    found = by_kind(guard, *rows(release, "test"))
    for kind, one in found.items():
        lost = found["plain"].macro_recall - one.macro_recall
        print(f"\n{kind:14} recall {one.macro_recall:5.1f} (-{lost:4.1f})  alarm {one.alarm:5.1f}", end="")
    return found


@pytest.mark.parametrize("kind", [*UNDONE, *LATER])
def test_what_is_undone_costs_at_most_three_points_of_recall_and_one_of_alarm(ways, kind):
    assert ways[kind].macro_recall >= ways["plain"].macro_recall - 3
    assert ways[kind].alarm <= ways["plain"].alarm + 1


def test_texts_in_other_scripts_are_read_as_they_are(guard):
    plain = matrix(guard.learner.score(FOREIGN), "probs")
    assert np.allclose(guard.scores(FOREIGN).probs, plain, atol=1e-6)
    assert guard.scores(FOREIGN).script_other.all()


@pytest.mark.parametrize(("tokens", "every", "texts", "places"), [(1000, 60, 60, 10), (8000, 400, 10, 4)])
def test_long_texts_have_fewer_false_alarms_than_by_the_thresholds_of_short_ones(
    guard, release, tokens, every, texts, places
):
    """How often a sentence in one is found is printed, and held to nothing: docs/guard.md says what does not hold."""
    test, labels = rows(release, "test")
    harmless = [text for text, label in zip(test, labels, strict=True) if not guard.harmful[label]]
    harmful = [text for text, label in zip(test, labels, strict=True) if guard.harmful[label]][::every]
    found = needles(guard, harmless, harmful, tokens=tokens, texts=texts, places=places)
    print(f"\n{tokens:,} tokens: {found}")
    assert found.windows >= tokens / 150
    assert found.alone > 0
    assert found.alarm <= found.alarm_as_short
    assert tokens > 1000 or found.alarm < found.alarm_as_short / 2


def test_behaviours_are_reported(guard, model):
    """Printed by kind and class, as the card has them, and not held to anything."""
    record = ModelRecord.read(model)
    said = record.guard.behaviours
    assert said == judged([verdict.flagged for verdict in guard.check([one.text for one in SENTENCES])])
    for kind, by_class in said.items():
        for about, one in by_class.items():
            print(f"\n{kind:14} {about:20} {one.right} of {one.of} as they should be", end="")
    assert sum(map(len, said.values())) == 28
