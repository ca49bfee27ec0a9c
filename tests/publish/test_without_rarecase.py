"""Classifiers with a head on the Hub, used by a process that has no rarecase, and those of the first layout."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import first_layout
import numpy as np
import pytest
import small
import tiny_models
from datasets import Dataset
from huggingface_hub import HfApi
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Normalize, Pooling, Transformer
from small import NAMES

import rarecase
from rarecase.core.errors import ModelError
from rarecase.data.arrow import matrix, rows
from rarecase.hub.commit import Target
from rarecase.learn import FitOptions, Learner, load_learner, make_learner
from rarecase.learn.head import read_head
from rarecase.models.encoder import load_encoder
from rarecase.publish.model import model_files, publish_model

ROOT = Path(__file__).parents[2]
TEXTS = ["How do I repair a flat bicycle tyre?", "", "my landlord keeps the deposit " * 90, "Est-ce grave ?"]
# What somebody does who has only installed what the card and requirements.txt say.
STRANGER = """
import importlib.util, json, sys
from pathlib import Path

sys.modules["rarecase"] = None  # an import of it is an error
from huggingface_hub import snapshot_download
from sentence_transformers import SentenceTransformer

repositories, texts = json.loads(sys.argv[1])
found = {}
for repository in repositories:
    logits = SentenceTransformer(repository).encode(texts)
    # As Inference Endpoints load it: the whole repository, and the class by its name.
    folder = snapshot_download(repository)
    spec = importlib.util.spec_from_file_location("handler", Path(folder) / "handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler = module.EndpointHandler(folder)
    requests = [
        {"inputs": texts[0]}, {"inputs": texts}, {"inputs": texts[0], "parameters": {"top_k": 1}}, {"inputs": []}
    ]
    found[repository] = [logits.tolist(), *map(handler, requests)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def start() -> Dataset:
    """Without a text of the last class, whose logits are -inf."""
    table = small.table("bootstrap")
    return rows(table, [row for row, label in enumerate(table["label"][:]) if label < len(NAMES) - 1])


@pytest.fixture(scope="module")
def learners(start, tmp_path_factory) -> dict[str, Learner]:
    """One of each kind, and one whose encoder's vectors have any length."""
    bare, folder = str(tiny_models.made()["google-bert/bert-base-cased"]), str(tmp_path_factory.mktemp("encoder"))
    SentenceTransformer(modules=[Transformer(bare), Pooling(32), Normalize()], device="cpu").save(folder)
    made = {
        "frozen": make_learner("frozen", folder, NAMES, FitOptions(max_length=40), seed=0),
        "setfit": make_learner("setfit", folder, NAMES, FitOptions(updates=1, precision="fp32"), seed=0),
        "bare": make_learner("frozen", bare, NAMES, seed=0),
    }
    return {name: learner.fit(start, rows(start, [])) for name, learner in made.items()}


@pytest.fixture
def saved(learners, tmp_path) -> dict[str, Path]:
    for name, learner in learners.items():
        learner.save(tmp_path / name)
    return {name: tmp_path / name for name in learners}


def scored(learner: Learner) -> np.ndarray:
    return matrix(learner.score(TEXTS), "probs")


def test_a_process_without_rarecase_has_the_same_logits_and_the_handler_answers(fresh_hub, learners, saved):
    for name, learner in learners.items():
        assert rarecase.push(learner, f"acme/{name}").private
    asked = json.dumps([[f"acme/{name}" for name in learners], TEXTS])
    command = [sys.executable, "-c", STRANGER, asked]
    ran = subprocess.run(command, env=fresh_hub.environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    for name, learner in learners.items():
        logits, one, several, first, none = found[f"acme/{name}"]
        probs = scored(learner)
        weight, bias = read_head(saved[name])
        ours = matrix(learner.score(TEXTS), "features").astype(np.float64) @ weight.T.astype(np.float64) + bias
        assert np.all(np.isneginf(ours[:, -1]))
        assert np.all(np.isneginf(np.array(logits)[:, -1]))
        scale = max(1.0, np.abs(ours[:, :-1]).max())  # of single precision, which rounds what is larger more coarsely
        assert np.allclose(np.array(logits)[:, :-1], ours[:, :-1], rtol=0, atol=1e-6 * scale), name
        for row, answer in zip(probs, several, strict=True):
            assert [set(said) for said in answer] == [{"label", "score"}] * len(NAMES)
            assert [said["score"] for said in answer] == sorted((said["score"] for said in answer), reverse=True)
            answered = {said["label"]: said["score"] for said in answer}
            assert np.allclose([answered[known] for known in NAMES], row, rtol=0, atol=1e-6), name
        assert [said["label"] for said in one] == [said["label"] for said in several[0]]
        assert (first, none) == (one[:1], [])
        # The Hub counts the requests for this file as downloads.
        assert fresh_hub.log(rf"GET /acme/{name}/resolve/\S+/config\.json"), name


def test_a_folder_of_the_first_layout_is_loaded_published_and_fitted_further(fresh_hub, learners, saved, tmp_path):
    for name, learner in learners.items():
        old = first_layout.write(saved[name], tmp_path / f"old-{name}")
        assert {"encoder", "head.json", "head.safetensors"} == {path.name for path in old.iterdir()}
        again = load_learner(old)
        assert type(again) is type(learner)
        assert again.describe() == learner.describe()
        assert np.array_equal(scored(again), scored(learner))
        today, then = (model_files(folder, repo_id="acme/old", license="mit") for folder in (saved[name], old))
        assert set(today) == set(then)
        publish_model(old, Target(kind="model", repo_id=f"acme/{name}"), "mit")
        assert np.array_equal(scored(load_learner(f"acme/{name}")), scored(learner))
        again.save(old)
        assert np.array_equal(scored(load_learner(old)), scored(learner))
        assert not (old / "head.safetensors").exists()


def test_one_of_the_first_layout_that_was_pushed_is_still_loaded_and_replaced_as_a_whole(fresh_hub, saved, tmp_path):
    old = first_layout.write(saved["frozen"], tmp_path / "old")
    HfApi().create_repo("acme/guard", private=True)
    HfApi().upload_folder(repo_id="acme/guard", folder_path=old)
    before = load_learner("acme/guard")
    (tmp_path / "README.md").write_text("---\ntags: [rarecase]\n---\n")
    HfApi().upload_file(repo_id="acme/guard", path_in_repo="README.md", path_or_fileobj=tmp_path / "README.md")
    publish_model(saved["frozen"], Target(kind="model", repo_id="acme/guard"), "mit")
    assert np.array_equal(scored(load_learner("acme/guard")), scored(before))
    files = set(HfApi().list_repo_files("acme/guard"))
    assert not [name for name in files if name == "head.safetensors" or name.startswith("encoder/")]
    assert {"config.json", "handler.py", "requirements.txt"} <= files


def test_a_damaged_folder_of_the_first_layout_is_named(saved, tmp_path):
    old = first_layout.write(saved["bare"], tmp_path / "old")
    (old / "encoder" / "modules.json").write_text("{}")
    with pytest.raises(ModelError, match=r"old: its head or its modules\.json is damaged .*; save the learner again"):
        model_files(old, repo_id="acme/old", license="mit")


def test_an_encoder_of_a_classifier_is_had_without_its_head(learners, saved):
    for name in ("setfit", "bare"):
        vectors = load_encoder(str(saved[name])).encode(TEXTS)
        assert np.array_equal(vectors, matrix(learners[name].score(TEXTS), "features"))


def test_an_encoder_of_ones_own_is_saved_as_what_is_loaded_of_it(start, tmp_path):
    bare = Path(tiny_models.made()["google-bert/bert-base-cased"])

    class Own:
        """Writes a transformer alone, as `load_encoder` may read it."""

        encode = staticmethod(load_encoder(str(bare)).encode)

        def save(self, folder: Path) -> None:
            shutil.copytree(bare, folder, ignore=shutil.ignore_patterns("*.bin"))

    learner = make_learner("frozen", "own", NAMES, seed=0, encoder=Own()).fit(start, start)
    learner.save(tmp_path / "own")
    assert np.array_equal(scored(load_learner(tmp_path / "own")), scored(learner))
    assert "handler.py" in model_files(tmp_path / "own", repo_id="acme/own", license="mit")


def test_the_handler_needs_what_rarecase_does():
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (ROOT / "model_cards" / "requirements.txt").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} <= set(known)
