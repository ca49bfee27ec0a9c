"""Several processes come to what one comes to: updates, weights, scores and vectors."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from launched import launched
from safetensors.numpy import load_file

from . import fits

# The gradient of a key's bias is zero but for rounding, of which AdamW makes whole steps; no output depends on it.
WITHOUT_GRADIENT = "key.bias"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny BERT without dropout."""
    return tiny_models.without_dropout(tmp_path_factory.mktemp("models") / "still")


@pytest.fixture(scope="module")
def alone(model):
    return fits.all_fits(model)


@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_come_to_the_weights_scores_and_vectors_of_one(model, alone, tmp_path, processes):
    done = launched([str(Path(fits.__file__)), model, str(tmp_path)], cwd=tmp_path, processes=processes)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "updates.json").read_text()) == {place: steps for place, (steps, _) in alone.items()}
    for place, (_, tensors) in alone.items():
        found = load_file(tmp_path / f"{place}.safetensors")
        assert found.keys() == tensors.keys()
        far = {n: float(np.abs(found[n] - w.numpy()).max()) for n, w in tensors.items() if WITHOUT_GRADIENT not in n}
        most = 0.1 if place == fits.BF16 else 1e-5  # of numbers with eight bits
        assert max(far.values()) < most, (place, max(far, key=lambda name: far[name]))


OWN = """
import sys

from accelerate import PartialState
from datasets import ClassLabel, Dataset, Features, Value

from rarecase.learn import make_learner
from rarecase.learn.hyperparameters import FitOptions

features = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b"])})
table = Dataset.from_dict({"text": ["one", "two", "three"], "label": [0, 1, 0]}, features=features)


learner = make_learner("finetune", sys.argv[1], ["a", "b"], FitOptions(epochs=1), seed=0).fit(table, table)
guesses = learner.predict(["one", "two"])
if PartialState().is_main_process:
    print(learner.processes, len(guesses), flush=True)
"""


@pytest.mark.slow
def test_a_script_that_fits_in_every_process_needs_no_word_of_ours(model, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    done = launched(["own.py", model], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "2 2\n"), done.stderr
