"""`rarecase guard serve`: what it refuses before a model is loaded."""

import sys
import threading

import numpy as np
import pytest
from by_word import OWN, ByWord

from rarecase.cli.main import command
from rarecase.core.errors import ModelError
from rarecase.data.arrow import with_column
from rarecase.guard.guard import Guard
from rarecase.serve.server import Serving, serve

KEY = "RARECASE_API_KEY"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--max-body", "1 bit"], "--max-body"),
        (["--max-body", "0"], "--max-body"),
        (["--max-body", "9MiB"], "--max-body '9MiB': expected at most 8MiB"),
        (["--port", "70000"], "--port 70000"),
        (["--audit", "no/such/folder/audit.jsonl"], "--audit no/such/folder/audit.jsonl"),
        (["--host", "0.0.0.0"], KEY),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(more, named, monkeypatch, capsys):
    monkeypatch.delenv(KEY, raising=False)
    assert command(["guard", "serve", "guard-that-is-not-there", *more]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert named in said[0]


def test_without_its_packages_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    for name in [name for name in sys.modules if name.startswith("rarecase.serve")]:
        monkeypatch.delitem(sys.modules, name)
    assert command(["guard", "serve", "guard-that-is-not-there"]) == 2
    assert "pip install 'rarecase[serve]'" in capsys.readouterr().err


class NotFinite(ByWord):
    """Has a NaN among its weights; keeps the threads that score."""

    def __init__(self):
        super().__init__()
        self.threads = []

    def score(self, dataset):
        self.threads.append(threading.current_thread())
        scored = super().score(dataset)
        return with_column(scored, "probs", np.full((len(scored), len(self.names)), np.nan, np.float32))


def test_a_model_that_cannot_score_is_not_served(capsys):
    model = NotFinite()
    with pytest.raises(ModelError, match="the model gives scores that are not finite"):
        serve(lambda: Guard(model, OWN), "guard", Serving(port=0))
    assert capsys.readouterr().err == ""
    assert [thread.is_alive() for thread in model.threads] == [False]  # one that stays slows down all requests
