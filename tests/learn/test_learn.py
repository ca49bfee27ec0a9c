"""`make_learner`: which settings go to which learner."""

import pytest
import small

from rarecase.core.errors import ConfigError
from rarecase.learn import KINDS, make_learner
from rarecase.settings.config import FitConfig, fit_settings


@pytest.mark.parametrize("kind", KINDS)
def test_the_settings_of_a_command_that_says_nothing_give_the_learners_own(kind):
    learner = make_learner(kind, "packaged", ["a", "b"], seed=0, **fit_settings(FitConfig(learner=kind)))
    settings = {name: learner.describe()["settings"].get(name) for name in ("class_weights", "learning_rate")}
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
    learner = make_learner(kind, "packaged", ["a", "b"], seed=0, class_weights=said)
    assert learner.describe()["settings"]["class_weights"] == meant


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        ("frozen", {"precision": "fp32"}),
        ("frozen", {"updates": 3}),
        ("frozen", {"learning_rate": 1e-3}),
        ("setfit", {"shared": True}),
        ("finetune", {"shared": True}),
        ("finetune", {"encoder": small.encoder}),
    ],
)
def test_a_setting_of_another_learner_is_refused(kind, setting):
    (name,) = setting
    with pytest.raises(ConfigError, match=f"{name} has no effect on the learner '{kind}'; leave it out"):
        make_learner(kind, "packaged", ["a", "b"], seed=0, **setting)
