"""
What somebody has who never saw this checkout: a wheel, the Hub, and later not even the wheel.

    make test-slow

An environment of its own gets the built wheel; in it the published set is imported, one strategy is run, the five
models are trained, and all of it is published. Then rarecase is uninstalled, and what is on the Hub is loaded.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_models

ROOT = Path(__file__).parents[1]
PUBLISHED = Path(os.environ.get("RARECASE_PUBLISHED", ROOT / ".." / "shared" / "published")).resolve()
MODELS = {
    "bert-cased": "google-bert/bert-base-cased",
    "bert-uncased": "google-bert/bert-base-uncased",
    "roberta": "FacebookAI/roberta-base",
    "distilbert-cased": "distilbert/distilbert-base-cased",
    "distilbert-uncased": "distilbert/distilbert-base-uncased",
}
WITH = """
import json, sys
from datasets import load_dataset
from rarecase import load_learner
from rarecase.data.arrow import matrix

texts = load_dataset("safety", "cluster", split="test").select(range(40))
json.dump({name: matrix(load_learner(name).score(texts), "probs").tolist() for name in sys.argv[1:]}, sys.stdout)
"""
WITHOUT = """
import importlib.util, json, sys
from datasets import load_dataset
from transformers import pipeline

assert importlib.util.find_spec("rarecase") is None
for config in ("bootstrap", "random", "topn", "coreset", "cluster"):
    for split in ("train", "validation", "test"):
        pushed = load_dataset("safety", config, split=split, cache_dir="cache")
        loaded = load_dataset("acme/safety", config, split=split)
        assert loaded.features == pushed.features
        assert loaded.to_dict() == pushed.to_dict()
        assert list(load_dataset("acme/safety", config, split=split, streaming=True)) == list(pushed)
texts = load_dataset("safety", "cluster", split="test").select(range(40))["text"][:]
scores = {}
for name in sys.argv[1:]:
    guard = pipeline("text-classification", f"acme/safety-{name}", truncation=True, top_k=None)
    names = [guard.model.config.id2label[i] for i in range(guard.model.config.num_labels)]
    rows = [{row["label"]: row["score"] for row in found} for found in guard(texts)]
    scores[name] = [[row[label] for label in names] for row in rows]
json.dump(scores, sys.stdout)
"""


def run(*command: str, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)[:200]}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.published
@pytest.mark.timeout(1500)
@pytest.mark.skipif(
    not PUBLISHED.exists(), reason="the published set is not here; set RARECASE_PUBLISHED to its folder"
)
def test_from_a_wheel_to_the_hub_and_back_without_it(fresh_hub, tmp_path):
    tiny_models.push_all(fresh_hub)
    env = {**fresh_hub.environment, "TOKENIZERS_PARALLELISM": "false"}
    env.pop("PYTHONPATH", None)
    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path, env=env)
    python = str(tmp_path / "venv" / "bin" / "python")
    run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", str(ROOT), cwd=tmp_path, env=env)
    (wheel,) = (tmp_path / "dist").glob("rarecase-*.whl")
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[app]", cwd=tmp_path, env=env)

    def rarecase(*arguments: str) -> str:
        return run(str(tmp_path / "venv" / "bin" / "rarecase"), *arguments, cwd=tmp_path, env=env)

    rarecase("import-published", str(PUBLISHED), "--out", "safety")
    sets = ["--pool", "safety:random", "--bootstrap", "safety:bootstrap", "--dev", "safety:bootstrap"]
    asked = ["--strategy", "cluster", "--annotator", "gold", "--generator", "none", "--budget", "40", "--out", "run"]
    rarecase("run", *sets, "--test", "safety:bootstrap", *asked)
    assert json.loads(rarecase("report", "run", "--format", "json"))["rounds"][-1]["round"] == 2
    for name, model in MODELS.items():
        learner = ["--learner", "finetune", "--model", model, "--epochs", "1"]
        rarecase("train", "safety", "--config-name", "bootstrap,cluster", *learner, "--out", name)
    models = [flag for name in MODELS for flag in ("--model", name)]
    terms = ["--repo", "acme/safety", "--license", "other", "--accept-no-license", "--format", "json"]
    pushed = json.loads(rarecase("publish", "all", "safety", *models, *terms))
    assert [one["repo_id"] for one in pushed] == [
        "acme/safety",
        *(f"acme/safety-{name}" for name in MODELS),
        "acme/safety-demo",
    ]
    assert all(one["private"] for one in pushed)
    again = json.loads(rarecase("publish", "all", "safety", *models, *terms))
    assert not any(one["changed"] for one in again)
    expected = json.loads(run(python, "-c", WITH, *MODELS, cwd=tmp_path, env=env))
    run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "rarecase", cwd=tmp_path, env=env)
    found = json.loads(run(python, "-c", WITHOUT, *MODELS, cwd=tmp_path, env=env))
    for name in MODELS:
        for ours, theirs in zip(expected[name], found[name], strict=True):
            assert theirs == pytest.approx(ours, abs=1e-6)
