"""The notebooks run from top to bottom, and are stored without what they showed."""

import json
import os
import sys
from pathlib import Path

import pytest
from places import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What a person types, where a notebook asks.
PERSON = """
import csv, pathlib, rarecase

def input(prompt):
    text, choices, _ = prompt.split("\\n")
    with (pathlib.Path(rarecase.__file__).parent / "sample" / "pool.csv").open(encoding="utf-8") as file:
        label = next(row["label"] for row in csv.DictReader(file) if row["text"] == text)
    return next(choice.split()[0] for choice in choices.split("  ") if choice.endswith(label))
"""
named = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@named
def test_a_notebook_is_stored_without_outputs(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.slow
@named
def test_a_notebook_runs_from_top_to_bottom(path, hub, tmp_path):
    nbformat, nbclient = (
        pytest.importorskip(name, reason="needs pip install 'rarecase[docs]', as `make notebooks` does")
        for name in ("nbformat", "nbclient")
    )
    hub.reset()
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(PERSON))
    here = {"metadata": {"path": str(tmp_path)}}
    found_first = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # our `rarecase`
    nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", resources=here).execute(
        env={**hub.environment, "PATH": found_first}
    )
    if path.stem == "publishing":
        kinds = {(kind, name) for kind, name in hub.app.state.repos}
        assert kinds == {
            ("dataset", "alice/rarecase-sample"),
            ("model", "alice/rarecase-sample-guard"),
            ("space", "alice/rarecase-sample-demo"),
        }
        assert notebook.cells[-1]["outputs"][0]["data"]["text/plain"] == "1"
