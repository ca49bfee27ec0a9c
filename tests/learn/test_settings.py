import pytest

from rarecase.core.errors import ConfigError
from rarecase.learn.finetune import Finetune
from rarecase.learn.frozen import Frozen
from rarecase.learn.setfit import SetFit
from rarecase.learn.settings import copies, precision_or_best

KINDS = {"frozen": Frozen, "setfit": SetFit, "finetune": Finetune}


REFUSED = {
    ("class_weights", "none"): (("frozen", "setfit", "finetune"), "'none': expected 'balanced', 'sqrt' or None"),
    ("precision", "fp16"): (("setfit", "finetune"), "'fp16': expected 'fp32' or 'bf16'"),
    ("updates", 0): (("setfit", "finetune"), "= 0: expected at least 1"),
    ("epochs", 0): (("finetune",), "= 0: expected at least 1"),
    ("gradient_accumulation", -1): (("finetune",), "= -1: expected at least 1"),
}


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_what_no_learner_can_do_is_refused_by_each(name, value):
    kinds, says = REFUSED[name, value]
    for kind in kinds:
        with pytest.raises(ConfigError, match=f"{name} {says}"):
            KINDS[kind]("packaged", ["a", "b"], seed=0, **{name: value})


def test_bf16_is_taken_by_itself_where_a_gpu_has_it(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for has, taken in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda has=has: has)
        assert precision_or_best(None) == taken
        assert precision_or_best("fp32") == "fp32"


def test_copies_differ_in_one_setting_and_leave_the_learner_as_it_is():
    learner = Frozen("packaged", ["a", "b"], seed=0)
    found = list(copies(learner, "C", [1.0, 3.0]))
    assert [(copy.C, copy.names) for copy in found] == [(1.0, ("a", "b")), (3.0, ("a", "b"))]
    assert learner.C == 10.0
