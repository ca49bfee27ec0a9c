"""`rarecase.json`: one type, the same bytes, and checked whole."""

import json

import pytest

from rarecase.core.errors import ModelError
from rarecase.evaluate.metrics import all_metrics
from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.record import Description, GuardSettings, Judged, ModelRecord

from .conftest import NAMES, table

MEASURED = {"dev": all_metrics([0, 1, 2], [0, 1, 1], NAMES), "test": all_metrics([2], [2], NAMES)}


def described(learner: str, **settings) -> Description:
    return Description(learner, "packaged", "bf16", 3, settings, tuple(NAMES))


HALVES = dict.fromkeys(NAMES, 0.5)
GUARD = GuardSettings(1, dict.fromkeys(NAMES, "flag"), {}, HALVES, HALVES, {"idiom": {NAMES[0]: Judged(1, 2)}})


def record(learner: str = "frozen", **settings) -> ModelRecord:
    sets = {"train": table(), "dev": table().select([]), "test": table().select([4, 0])}
    made = described(learner, **settings)
    return ModelRecord.of(made, configs=["cluster"], **sets, measured=MEASURED, guard=GUARD)


def test_what_is_written_is_read_and_written_again_to_the_same_bytes(tmp_path):
    known = record("finetune", epochs=2, learning_rate=2e-5, class_weights=None)
    known.write(tmp_path)
    written = (tmp_path / "rarecase.json").read_bytes()
    again = ModelRecord.read(tmp_path)
    assert again == known
    again.write(tmp_path)
    assert (tmp_path / "rarecase.json").read_bytes() == written
    assert list(json.loads(written))[:7] == ["format", "learner", "model", "precision", "seed", "settings", "names"]
    assert json.loads(written)["data"]["class_counts"] == dict.fromkeys(NAMES, 10)


def test_a_record_of_an_earlier_version_says_nothing_of_a_guard(tmp_path):
    record().write(tmp_path)
    content = json.loads((tmp_path / "rarecase.json").read_text())
    del content["guard"]
    (tmp_path / "rarecase.json").write_text(json.dumps(content))
    assert ModelRecord.read(tmp_path).guard is None


def test_it_knows_what_was_trained_and_chosen_on_and_holds_no_text(tmp_path):
    half = table().select(range(0, 30, 2))
    sets = {"train": half, "dev": table().select([1]), "test": table()}
    record_of_half = ModelRecord.of(described("frozen"), configs=[], **sets, measured=MEASURED)
    texts = [text.upper() + " " for text in table()["text"][:]]
    assert record_of_half.data.among(texts) == [row % 2 == 0 or row == 1 for row in range(30)]
    record_of_half.write(tmp_path)
    written = (tmp_path / "rarecase.json").read_text()
    assert not any(text in written for text in table()["text"][:])
    content = json.loads(written)
    del content["data"]["texts"]  # as earlier versions wrote it
    (tmp_path / "rarecase.json").write_text(json.dumps(content))
    earlier = ModelRecord.read(tmp_path)
    assert earlier is not None
    assert earlier.data.among(texts) is None


def test_without_a_record_there_is_none(tmp_path):
    assert ModelRecord.read(tmp_path) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("names",), NAMES[:2]),
        (("data", "train_rows"), None),
        (("data", "class_counts"), {"garden": 1}),
        (("dev", "f1"), {}),
        (("test", "confusion"), [1]),
        (("test", "confusion"), [[1]]),
        (("test",), 3),
        (("settings",), None),
        (("settings",), {"learning_rate": "fast"}),
        (("settings",), {"epochs": -1}),
        (("seed",), "three"),
        (("test_digest",), None),
        (("guard", "actions"), {"garden": "flag"}),
        (("guard", "actions", "garden"), "shout"),
        (("guard", "thresholds", "lawn"), 0.5),
        (("guard", "long_thresholds", "lawn"), 0.5),
        (("guard", "normalizer"), "one"),
        (("guard", "behaviours", "idiom"), {"lawn": {"right": 1, "of": 2}}),
        (("guard", "behaviours", "idiom", NAMES[0]), 1),
    ],
)
def test_a_record_that_is_not_whole_is_one_line(tmp_path, path, value):
    record("finetune").write(tmp_path)
    content = json.loads((tmp_path / "rarecase.json").read_text())
    place = content
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    (tmp_path / "rarecase.json").write_text(json.dumps(content))
    with pytest.raises(
        ModelError, match=r"rarecase\.json.*: .*; train the model again, or delete this file"
    ) as raised:
        ModelRecord.read(tmp_path)
    assert "\n" not in str(raised.value)


def test_the_options_make_the_same_learner_again():
    weights = {"class_weights": "sqrt"}
    options = FitOptions(precision="bf16", epochs=4, learning_rate=1e-4, class_weights="sqrt")
    assert described("finetune", epochs=4, learning_rate=1e-4, tuned_on_dev=True, **weights).options() == options
    unweighted = FitOptions(precision="bf16", updates=7, class_weights="none")
    assert described("setfit", updates=7, class_weights=None).options() == unweighted
    assert described("setfit", updates=0, class_weights=None).options().updates is None
    assert described("frozen", C=3.0, tuned_on_dev=True, **weights).options() == FitOptions(
        class_weights="sqrt", tune=True
    )
    assert described("frozen", C=3.0, class_weight="sqrt").options() == FitOptions(class_weights="sqrt")
