"""The threshold with the best F1 on validation, and its way into a model folder and back."""

import json
from dataclasses import replace

import numpy as np
import pytest
import releases
import small
from datasets import Dataset
from small import NAMES

from rarecase.core.errors import ConfigError
from rarecase.data.arrow import with_column
from rarecase.data.schema import as_table
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.guard.guard import Guard
from rarecase.guard.normalize import VERSION
from rarecase.guard.thresholds import IN_A_ROW, LEAST, best_f1, for_long_texts
from rarecase.learn import Learner
from rarecase.learn.frozen import Frozen
from rarecase.models.encoder import load_encoder
from rarecase.runs.train import train
from rarecase.settings.config import TrainConfig


def f1(flagged: np.ndarray, is_positive: np.ndarray) -> float:
    return 2 * (flagged & is_positive).sum() / (flagged.sum() + is_positive.sum())


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_has_a_better_f1(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 40)
    scores = np.round(rng.random((40, 3)) * 0.6 + 0.4 * (labels[:, None] == np.arange(3)), 1)  # with ties
    for place, threshold in enumerate(best_f1(scores, labels)):
        reached = [f1(scores[:, place] >= t, labels == place) for t in [threshold, *np.arange(0, 1.05, 0.05)]]
        assert reached[0] == max(reached)


def test_a_class_without_a_row_keeps_a_half_and_ties_go_to_the_lower_threshold():
    assert best_f1(np.array([[0.9, 0.9], [0.1, 0.2]]), np.array([0, 0])).tolist() == [0.05, 0.5]
    assert best_f1(np.array([[0.9], [0.4], [0.3], [0.2]]), np.array([0, 1, 0, 1])).tolist() == [0.25]


def test_a_class_without_a_training_row_flags_no_text():
    train = small.table("bootstrap")
    label = NAMES.index("legal-advice")
    learner = Frozen("packaged", NAMES, seed=0, encoder=small.encoder(), shared=True)
    guard = Guard(learner.fit(train.filter(lambda row: row["label"] != label), train))
    settings = guard.settings(train)  # which has rows of it
    assert settings.thresholds["legal-advice"] == 0.5
    assert best_f1(np.array([[0.2], [0.0], [0.0], [0.0]]), np.array([0, 0, 0, 1])).tolist() == [0.1]


@pytest.mark.parametrize("seed", range(20))
def test_of_texts_of_several_windows_a_tenth_are_flagged_and_with_one_more_of_each_class_it_would_be_more(seed):
    rng = np.random.default_rng(seed)
    windows = np.round(rng.random((int(rng.integers(LEAST, 150)), 3)), int(rng.integers(1, 4)))  # with ties
    texts = np.array([windows[i : i + IN_A_ROW].max(axis=0) for i in range(len(windows) - IN_A_ROW + 1)])

    def alarm(thresholds: np.ndarray) -> float:
        return (texts >= thresholds).any(axis=1).mean()

    thresholds = for_long_texts(windows)
    lower = np.where(texts < thresholds, texts, 0).max(axis=0)
    assert alarm(thresholds) <= 0.1 < alarm(lower)


class ByShare(Learner):
    """The probability of the first class is the share of words that are `bad`."""

    names = ("threat", "fine")

    def reader(self):
        return load_encoder().reader()

    def score(self, dataset):
        found = [text.split().count("bad") / len(text.split()) for text in as_table(dataset)["text"][:]]
        return with_column(as_table(dataset), "probs", np.array([[p, 1 - p] for p in found], np.float32))


OWN = Taxonomy((Category("threat", action="block"), Category("fine", action="allow")))


def dev(times: int) -> Dataset:
    """Harmful rows with a tenth of bad words, and harmless ones of which every other has a fifth."""
    every = [("bad " * 3 + "tree " * 27 + f"{i}", 0) for i in range(times)]
    every += [("bad " * 6 + "tree " * 24 + f"{i}", 1) for i in range(times)]
    every += [("tree " * 30 + f"{i}", 1) for i in range(times)]
    return Dataset.from_dict({"text": [text for text, _ in every], "label": [label for _, label in every]})


def test_thresholds_of_long_texts_are_those_of_harmless_rows_put_together():
    settings = Guard(ByShare(), OWN).settings(dev(10))
    assert settings.thresholds["threat"] < 0.06
    assert 0.1 < settings.long_thresholds["threat"] < 0.2
    assert Guard(ByShare(), OWN).settings(dev(10).select(range(29, -1, -1))) == settings
    few = Guard(ByShare(), OWN).settings(dev(2))
    assert few.long_thresholds == few.thresholds
    never = Guard(ByShare(), OWN).settings(dev(10).select([*range(10), *range(20, 30)]))
    assert never.long_thresholds == never.thresholds  # at least as high


def test_a_verdict_is_by_the_threshold_of_the_length_of_its_text():
    guard = Guard(ByShare(), OWN, [0.06, 0.5])
    guard.long_thresholds = np.array([0.3, np.inf])
    texts = [("bad " + "tree " * 9) * times for times in (1, 100)]
    found = guard.check(texts)
    assert [(one.windows > 1, one.flagged, one.thresholds) for one in found] == [
        (False, True, {"threat": 0.06}),
        (True, False, {"threat": 0.3}),
    ]


def test_a_trained_model_is_a_guard_with_these_thresholds_and_the_actions_of_its_classes(tmp_path):
    release = releases.write(tmp_path / "data")
    first, *others = Taxonomy.default().classes
    own = Taxonomy((replace(first, action="block", message="No."), *others))
    own.save(tmp_path / "own.yaml")
    train(str(release), TrainConfig(config_name="bootstrap", taxonomy=str(tmp_path / "own.yaml"), out=tmp_path / "m"))
    guard, said = Guard.from_pretrained(tmp_path / "m"), json.loads((tmp_path / "m" / "rarecase.json").read_text())
    assert said["guard"]["normalizer"] == VERSION
    assert list(said["guard"]["thresholds"]) == [*NAMES[:5]]
    assert said["guard"]["thresholds"] == dict(zip(NAMES[:5], guard.thresholds[:5].tolist(), strict=True))
    assert set(guard.thresholds[:5]) != {0.5}
    assert said["guard"]["long_thresholds"] == dict(zip(NAMES[:5], guard.long_thresholds[:5].tolist(), strict=True))
    assert guard.taxonomy.classes[0].message == "No."
    assert guard.actions[0] == "block"
    assert guard.certificate is None
    other = Guard.from_pretrained(tmp_path / "m", taxonomy=Taxonomy.default())
    assert (other.actions[0], other.thresholds.tolist()) == ("route", guard.thresholds.tolist())
    with pytest.raises(ConfigError, match="the taxonomy has 1 classes"):
        Guard.from_pretrained(tmp_path / "m", taxonomy=Taxonomy.from_names(["one"]))
    (tmp_path / "m" / "rarecase.json").unlink()
    assert set(Guard.from_pretrained(tmp_path / "m").thresholds[:5]) == {0.5}
