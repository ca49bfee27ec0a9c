"""The threshold with the best F1 on validation, and its way into a model folder and back."""

import json
from dataclasses import replace

import numpy as np
import pytest
import releases
from small import NAMES

from rarecase.core.errors import ConfigError
from rarecase.data.taxonomy import Taxonomy
from rarecase.guard.guard import Guard
from rarecase.guard.normalize import VERSION
from rarecase.guard.thresholds import best_f1
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
    assert guard.taxonomy.classes[0].message == "No."
    assert guard.actions[0] == "block"
    assert guard.certificate is None
    other = Guard.from_pretrained(tmp_path / "m", taxonomy=Taxonomy.default())
    assert (other.actions[0], other.thresholds.tolist()) == ("route", guard.thresholds.tolist())
    with pytest.raises(ConfigError, match="the taxonomy has 1 classes"):
        Guard.from_pretrained(tmp_path / "m", taxonomy=Taxonomy.from_names(["one"]))
    (tmp_path / "m" / "rarecase.json").unlink()
    assert set(Guard.from_pretrained(tmp_path / "m").thresholds[:5]) == {0.5}
