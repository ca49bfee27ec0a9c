"""A terminal shows at once that something goes on, and what; a pipe gets none of it."""

import io
import re
import sys
from contextlib import nullcontext

import pytest
import small
from datasets import Dataset

from rarecase.cli.main import app, command
from rarecase.core.progress import Progress, doing, say
from rarecase.data.pool import make_pool
from rarecase.experiment.cells import Cell, Found
from rarecase.experiment.grid import run_grid
from rarecase.models.encoder import load_encoder

WORDS = [f"word {i}" for i in range(70)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch) -> Terminal:
    """What stderr shows from here on; as a fixture it would be set before pytest sets its own."""
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    return shown


class Interrupted:
    """Stops at the first import that takes time, which every command does."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "rarecase.hub.client":
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["run", "start", "train", "simulate", "pool", "export", "import-published"])
def test_a_command_says_that_it_begins_before_it_imports_what_takes_long(monkeypatch, name):
    shown = terminal(monkeypatch)
    monkeypatch.delitem(sys.modules, "rarecase.hub.client", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    assert command([name, "--out", "nowhere"]) == 130
    assert shown.getvalue().splitlines()[0] == f"rarecase {name}: loading the libraries"


def test_what_is_quick_and_what_is_no_command_say_nothing_more(monkeypatch, capsys):
    shown = terminal(monkeypatch)
    assert command(["taxonomy"]) == 0
    assert command(["run", "--help"]) == 0
    assert command(["rum"]) == 2
    assert "loading" not in shown.getvalue()
    assert "taxonomy" in [*app]


def test_a_pipe_gets_no_progress(capsys):
    assert command(["run", "--batch", "x"]) == 2
    with Progress(2) as progress, doing("drawing"):
        progress.step("reading")
        say("a line")
    small.encoder().encode(WORDS)
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 2
    assert err[1] == "a line"


def test_embedding_is_shown_before_the_model_is_loaded_and_counts_texts(monkeypatch):
    shown = terminal(monkeypatch)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rarecase.models.encoder.require_weights", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_encoder().encode([f"{word} shown" for word in WORDS])  # texts of no other test, see vectors.py
    assert "embedding:   0%" in shown.getvalue()


def test_each_text_that_is_embedded_is_counted(monkeypatch):
    class Counted:
        n, steps = 0, []

        def update(self, texts: int) -> None:
            self.n += texts
            self.steps.append(texts)

    monkeypatch.setattr("rarecase.models.encoder.bar", lambda *_, **__: nullcontext(Counted()))
    small.encoder().encode([f"{word} counted" for word in WORDS])  # texts of no other test, see vectors.py
    assert Counted.steps == [64, 6]


def test_reading_cells_and_what_cannot_be_counted_are_named(monkeypatch, tmp_path):
    shown = terminal(monkeypatch)
    make_pool([Dataset.from_dict({"text": ["one", "two"]})])
    run_grid(tmp_path, [Cell("random", 3)], lambda cell, place: Found())
    with doing("drawing the map"):
        pass
    for description in ("reading:   0%", "random-3:   0%", "drawing the map …"):
        assert description in shown.getvalue()


def test_a_line_stands_above_the_bar(monkeypatch):
    shown = terminal(monkeypatch)
    with Progress(2) as progress:
        progress.step("reading")
        say("round 0: 5 labels")
        progress.step("learning")
    assert re.search(r"\r *\rround 0: 5 labels\n", shown.getvalue())
