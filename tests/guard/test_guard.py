"""Scores and verdicts: which class a text is flagged as, and what is done then."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small
import tiny_models
from by_word import OWN, ByWord
from datasets import Dataset
from huggingface_hub import HfApi
from safetensors.numpy import load_file, save_file
from small import NAMES
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from rarecase.core.errors import ConfigError, DataError, ModelError
from rarecase.data.arrow import matrix
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.guard.certificate import Certificate, ClassCertificate, Rate, Rows, Windows, model_sha256
from rarecase.guard.guard import PREPROCESSING, Guard
from rarecase.learn.frozen import Frozen
from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.setfit import SetFit
from rarecase.models.encoder import load_encoder


def verdict(text: str, **how):
    [found] = Guard(ByWord(), OWN, **how).check([text])
    return found


@pytest.mark.parametrize(
    ("text", "label", "action", "flagged"),
    [
        ("0.1 0.1 0.1 0.7", "fine", "allow", False),
        ("0.5 0.1 0.1 0.3", "threat", "block", True),  # equal to its threshold
        ("0.5 0.2 0.9 0.1", "threat", "block", True),  # the severest action, not the largest score
        ("0.1 0.9 0.6 0.0", "fear", "route", True),
        ("0.4 0.4 0.4 0.2", "fine", "allow", False),  # allowed is the label though another is likelier
        ("0.1 0.6 0.1 0.9", "scam", "flag", True),
    ],
)
def test_the_label_is_the_severest_of_what_is_over_its_threshold(text, label, action, flagged):
    found = verdict(text)
    assert (found.label, found.action, found.flagged) == (label, action, flagged)
    assert found.message == next(c.message for c in OWN.classes if c.name == label)
    assert list(found.scores) == [*OWN.names]
    assert found.thresholds == dict.fromkeys(OWN.names[:3], 0.5)
    assert not found.certified


def test_of_equally_severe_classes_the_one_furthest_over_its_threshold_is_the_label():
    flags = Taxonomy(tuple(Category(name) for name in OWN.names))
    guard = Guard(ByWord(), flags, [0.7, 0.1, 0.5, 2.0])
    assert [v.label for v in guard.check(["0.8 0.3 0.6 0.0", "0.0 0.0 0.0 0.9"])] == ["scam", None]


def test_the_maximum_over_windows_counts_and_of_an_allowed_class_the_minimum():
    filler = "and so on " * 200
    learner = ByWord()
    found = Guard(learner, OWN).scores([filler + "0.1 0.6 0.2 0.1", "0.1 0.1 0.1 0.7", "short", filler, "short"])
    assert np.allclose(found.probs[0], [0.1, 0.6, 0.2, 0.1])
    assert np.allclose(found.probs[1], [0.1, 0.1, 0.1, 0.7])
    assert found.windows.tolist() == [4, 1, 1, 4, 1]
    assert len(learner.given) == 1  # all windows of all texts together


def test_temperature_divides_the_logits():
    text = "0.6 0.2 0.1 0.1"
    logits = np.log([0.6, 0.2, 0.1, 0.1]) / 2
    expected = np.exp(logits) / np.exp(logits).sum()
    assert np.allclose(Guard(ByWord(), OWN, temperature=2.0).scores([text]).probs[0], expected)


def test_the_temperature_of_a_certificate_is_that_of_the_classes_that_it_certifies(tmp_path):
    folder, rate = small.model(tmp_path / "guard"), Rate(0.0, 0.0, 1.0)
    certified = ClassCertificate(0.9, 0.2, 9, 0, 0.9, Windows(9, 0), rate, rate, None)
    classes = {"self-harm": certified, "legal-advice": replace(certified, threshold=None, refused="few")}
    of, used = model_sha256(folder, NAMES), Rows(1, 1, 1, "", True)
    made = Certificate(0.95, 0.3, PREPROCESSING, of, "fp32", "torch", 3.0, (), classes, (), rate, rate, used)
    made.write(folder)
    texts, guard = small.table("dev")["text"][:5], Guard.uncertified(str(folder))
    unscaled, guard.temperature = guard.scores(texts).probs, 3.0
    found = Guard.from_pretrained(folder).scores(texts).probs
    assert np.array_equal(found[:, 0], guard.scores(texts).probs[:, 0])
    assert np.array_equal(found[:, 1:5], unscaled[:, 1:5])
    assert np.array_equal(found[:, 5], guard.scores(texts).probs[:, 5])  # `allow`: by it the label is chosen


def test_script_and_half_characters_are_told():
    found = Guard(ByWord(), OWN).check(["Who is it?", "Кто это? ok", "\ud83d a \udc00", "12 !", ""])
    assert [v.script for v in found] == ["latin", "other", "latin", "latin", "latin"]
    assert [v.replaced for v in found] == [0, 0, 2, 0, 0]
    assert Guard(ByWord(), OWN).check([]) == []


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="the taxonomy has 6 classes that are not the model's 4 in their order"):
        Guard(ByWord(), Taxonomy.default())
    with pytest.raises(ConfigError, match="3 thresholds: expected one for each of the 4 classes"):
        Guard(ByWord(), OWN, [0.1, 0.2, 0.3])
    for given in ("a text", ["a text", None], Dataset.from_dict({"text": ["a text"]})):
        with pytest.raises(DataError, match="expected a list of texts"):
            Guard(ByWord(), OWN).check(given)
    with pytest.raises(ModelError):
        Guard.from_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"revision v1: .* is a folder, or names one itself"):
        Guard.from_pretrained(tmp_path, revision="v1")


def test_a_frozen_learner_makes_a_guard_in_either_precision(tmp_path):
    learner = Frozen("packaged", NAMES, seed=0, encoder=small.encoder(), shared=True)
    learner = learner.fit(small.table("bootstrap"), small.table("dev"))
    learner.save(tmp_path / "frozen")
    guard, texts = Guard.from_pretrained(tmp_path / "frozen"), ["Is this mole cancer?", "Which tyre?"]
    assert np.allclose(guard.scores(texts).probs, matrix(learner.score(texts), "probs"), atol=1e-6)
    assert guard.harmful.tolist() == [True] * 5 + [False]
    assert np.isinf(guard.thresholds[5])
    half = Guard.from_pretrained(tmp_path / "frozen", dtype="bf16").scores(texts).probs
    assert 0 < np.abs(half - guard.scores(texts).probs).max() < 0.02


def test_a_setfit_learner_makes_a_guard(tmp_path):
    train = small.table("bootstrap")
    learner = SetFit("packaged", NAMES, FitOptions(updates=1), seed=0, encoder=load_encoder()).fit(train, train)
    learner.save(tmp_path / "setfit")
    guard, texts = Guard.from_pretrained(tmp_path / "setfit"), ["Is this mole cancer?"]
    assert np.allclose(guard.scores(texts).probs, matrix(learner.score(texts), "probs"), atol=1e-6)


def plain_classifier(folder: Path) -> Path:
    """A classifier as `transformers` alone writes it, of two classes."""
    source = tiny_models.made()["google-bert/bert-base-uncased"]
    names = {"id2label": {0: "not-harmful", 1: "toxic"}, "label2id": {"not-harmful": 0, "toxic": 1}}
    AutoModelForSequenceClassification.from_pretrained(source, **names).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def test_any_classifier_of_transformers_makes_a_guard(tmp_path):
    folder = plain_classifier(tmp_path / "plain")
    guard, texts = Guard.from_pretrained(folder), ["Is this mole cancer?", "word " * 700]
    assert (guard.names, guard.actions) == (("not-harmful", "toxic"), ("allow", "flag"))
    scores = guard.scores(texts)
    assert scores.windows.tolist()[0] == 1 < scores.windows[1]
    [known] = pipeline("text-classification", str(folder), top_k=None)(texts[:1])
    assert np.allclose(
        scores.probs[0], [*(one["score"] for one in sorted(known, key=lambda one: one["label"]))], atol=1e-5
    )
    half = Guard.from_pretrained(folder, dtype="bf16").scores(texts[:1]).probs
    assert 0 < np.abs(half - scores.probs[:1]).max() < 0.05


def test_a_score_that_is_not_finite_is_no_verdict(tmp_path):
    folder = plain_classifier(tmp_path / "plain")
    tensors = load_file(folder / "model.safetensors")
    tensors["classifier.bias"][1] = np.nan
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    guard = Guard.from_pretrained(folder)
    with pytest.raises(ModelError, match="the model gives scores that are not finite"):
        guard.check(["Is this mole cancer?"])


def test_a_hub_id_with_a_revision_makes_a_guard(fresh_hub, tmp_path):
    folder = plain_classifier(tmp_path / "plain")
    HfApi().create_repo("acme/guard")
    HfApi().upload_folder(repo_id="acme/guard", folder_path=folder)
    HfApi().create_tag("acme/guard", tag="v1")
    assert Guard.from_pretrained("acme/guard", revision="v1").names == Guard.from_pretrained(folder).names
    with pytest.raises(ModelError):
        Guard.from_pretrained("acme/guard", revision="v2")
    with pytest.raises(ConfigError, match=r"revision v2: acme/guard@v1 is a folder, or names one itself"):
        Guard.from_pretrained("acme/guard@v1", revision="v2")
