"""Learners by their kind: which settings go to which one."""

import pytest
import small

from rarecase.core.errors import ConfigError, ModelError
from rarecase.learn import load_learner, make_learner
from rarecase.learn.hyperparameters import KINDS, FitOptions
from rarecase.settings.config import FitConfig


@pytest.mark.parametrize("kind", KINDS)
def test_the_settings_of_a_command_that_says_nothing_give_the_learners_own(kind):
    learner = make_learner(kind, "packaged", ["a", "b"], FitOptions.of(FitConfig(learner=kind)), seed=0)
    settings = {name: learner.describe().settings.get(name) for name in ("class_weights", "learning_rate")}
    assert (
        settings
        == {
            "frozen": {"class_weights": "balanced", "learning_rate": None},
            "setfit": {"class_weights": "balanced", "learning_rate": 2e-5},
            "finetune": {"class_weights": "sqrt", "learning_rate": 1e-4},
        }[kind]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("said", "meant"), [("none", None), ("sqrt", "sqrt"), ("balanced", "balanced")])
def test_class_weights_go_to_every_learner(kind, said, meant):
    learner = make_learner(kind, "packaged", ["a", "b"], FitOptions(class_weights=said), seed=0)
    assert learner.describe().settings["class_weights"] == meant


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("frozen", "precision", "fp32"),
        ("frozen", "epochs", 3),
        ("frozen", "updates", 3),
        ("frozen", "learning_rate", 1e-3),
        ("setfit", "epochs", 3),
        ("setfit", "shared", True),
        ("finetune", "shared", True),
        ("finetune", "encoder", small.encoder),
    ],
)
def test_a_setting_of_another_learner_is_refused(kind, name, value):
    other = {name: value} if name in ("encoder", "shared") else {}
    options = FitOptions(**({} if other else {name: value}))
    with pytest.raises(ConfigError, match=f"{name} has no effect on the learner '{kind}'; leave it out"):
        make_learner(kind, "packaged", ["a", "b"], options, seed=0, **other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_takes_as_few_steps_as_there_can_be_and_keeps_what_does_not_count_them(kind):
    chosen = {"learning_rate": 1e-3, "updates": 500} if kind != "frozen" else {}
    options = FitOptions(**chosen, class_weights="sqrt", tune=True).shortest(kind)
    make_learner(kind, "packaged", ["a", "b"], options, seed=0)  # nothing of it is without effect
    assert (options.updates, options.tune, options.class_weights) == (None, False, "sqrt")
    assert options.epochs == (1 if kind == "finetune" else None)


def test_an_unknown_learner_names_the_near_one():
    with pytest.raises(ConfigError, match="'finetuned' is unknown; did you mean 'finetune'"):
        make_learner("finetuned", "packaged", ["a"], seed=0)


def test_an_encoder_without_a_head_is_no_learner():
    with pytest.raises(ModelError, match="packaged: an encoder without a trained head"):
        load_learner("packaged")
