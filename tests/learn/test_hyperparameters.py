"""What may be chosen of a fit, and the table of models."""

from dataclasses import replace

import pytest

from rarecase.core.errors import ConfigError
from rarecase.learn.hyperparameters import MODELS, FitOptions, hyperparameters

PAPER = [
    "google-bert/bert-base-cased",
    "google-bert/bert-base-uncased",
    "FacebookAI/roberta-base",
    "distilbert/distilbert-base-cased",
    "distilbert/distilbert-base-uncased",
]


def test_the_papers_models_have_the_papers_hyperparameters():
    for model in [*PAPER, "somebody/unknown"]:
        row = hyperparameters(model)
        assert (row.model, row.learning_rate, row.batch_size) == (model, 2e-5, 16)
        assert row.max_length is None  # its 50 tokens are for its experiment alone
        assert (row.epochs, row.class_weights) == (10, None)
    assert [*PAPER, "packaged"] == list(MODELS)
    assert (hyperparameters("packaged").learning_rate, hyperparameters("packaged").class_weights) == (1e-4, "sqrt")


def test_what_is_chosen_counts():
    assert hyperparameters("packaged", FitOptions(max_length=30, epochs=2)).max_length == 30


def test_a_revision_changes_no_hyperparameter():
    assert hyperparameters("packaged@v2") == replace(hyperparameters("packaged"), model="packaged@v2")


REFUSED = {
    ("class_weights", "heavy"): "'heavy': expected one of none, sqrt, balanced",
    ("precision", "fp16"): "'fp16': expected one of fp32, bf16",
    ("updates", 0): "= 0: expected at least 1",
    ("epochs", 0): "= 0: expected at least 1",
    ("learning_rate", -1.0): "= -1.0: expected at least 0",
    ("learning_rate", float("nan")): "= nan: expected at least 0",
}


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_what_no_learner_can_do_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} {REFUSED[name, value]}"):
        FitOptions(**{name: value})


@pytest.mark.parametrize("value", [0.0, 1e-3])
def test_an_option_without_effect_is_refused_whatever_its_value(value):
    with pytest.raises(ConfigError, match="learning_rate has no effect on the learner 'frozen'"):
        FitOptions(learning_rate=value).require_effect("frozen")


def test_bf16_is_taken_by_itself_where_a_gpu_has_it(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for has, taken in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda has=has: has)
        assert FitOptions().precision_or_best() == taken
        assert FitOptions(precision="fp32").precision_or_best() == "fp32"
