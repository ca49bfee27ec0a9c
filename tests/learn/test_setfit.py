"""SetFit learns from pairs, says nothing, leaves nothing behind, and the same texts and seed give the same bits."""

import copy
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import concatenate_datasets

from rarecase import learn
from rarecase.core.errors import ConfigError, DataError, ModelError
from rarecase.data import arrow
from rarecase.data.parquet import write_parquet
from rarecase.learn import load_learner, make_learner
from rarecase.learn.frozen import Frozen
from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.setfit import PAIRS, TEXTS, UPDATES, SetFit, pairs_of
from rarecase.models.encoder import SentenceEncoder, load_encoder

from .conftest import NAMES, scrambled, table

PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".joblib")


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.fixture(scope="module")
def shallow(encoder):
    """The encoder without most of its layers: quick, for what does not ask how well it learns."""
    found = SentenceEncoder(encoder.name, encoder.folder)
    found.model = copy.deepcopy(encoder.model)
    bert = found.model[0].auto_model
    bert.encoder.layer = bert.encoder.layer[:1]
    bert.config.num_hidden_layers = 1
    return found


def setfit(encoder, seed=0, **settings):
    options = FitOptions(**{"precision": "fp32", "updates": 2, **settings})
    return SetFit("packaged", NAMES, options, seed=seed, encoder=encoder)


@pytest.fixture(scope="module")
def fitted(encoder, train, dev):
    return setfit(encoder, updates=8, learning_rate=1e-4).fit(train, dev)


def probs(learner, dataset):
    return arrow.matrix(learner.score(dataset), "probs")


def weights(learner):
    return {name: value.numpy() for name, value in learner.encoder.model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def cosines(vectors, labels):
    """The mean cosine of two texts of one class, and of two classes."""
    cosine, alike = vectors @ vectors.T, labels[:, None] == labels
    others = ~np.eye(len(labels), dtype=bool)
    return cosine[alike & others].mean(), cosine[~alike].mean()


def test_it_draws_unseen_texts_of_a_class_together_and_tells_them_apart(fitted, encoder, train, dev):
    labels = np.array(dev["label"][:])
    frozen = Frozen("packaged", NAMES, seed=0, encoder=encoder).fit(train, dev).score(dev)
    alike, apart = cosines(arrow.matrix(fitted.score(dev), "features"), labels)
    alike_before, apart_before = cosines(arrow.matrix(frozen, "features"), labels)
    assert alike - apart > 2 * (alike_before - apart_before)
    found = probs(fitted, dev)
    assert found.dtype == np.float32
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    before = arrow.matrix(frozen, "probs").argmax(axis=1)
    assert np.mean(found.argmax(axis=1) == labels) >= max(0.75, np.mean(before == labels))


def test_training_changes_every_layer_of_a_copy(fitted, encoder):
    start, tuned = (dict(model.named_parameters()) for model in (encoder.model, fitted.encoder.model))
    still = [name for name, value in start.items() if torch.equal(value, tuned[name])]
    assert [name for name in still if "pooler" not in name] == []  # the vectors do not go through the pooler
    assert same(
        weights(Frozen("packaged", NAMES, seed=0)), weights(Frozen("packaged", NAMES, seed=0, encoder=encoder))
    )


def test_the_same_seed_gives_the_same_bits_and_another_one_others(shallow, train, dev):
    one, two, other = (setfit(shallow, seed).fit(train, dev) for seed in (0, 0, 1))
    assert same(weights(one), weights(two))
    assert np.array_equal(probs(one, dev), probs(two, dev))
    assert not same(weights(one), weights(other))


def test_order_ids_and_sources_change_no_bit(shallow, train, dev):
    other, _ = scrambled(train)
    unseen, order = scrambled(dev)
    one, two = setfit(shallow).fit(train, dev), setfit(shallow).fit(other, unseen)
    assert same(weights(one), weights(two))
    assert np.array_equal(probs(one, dev)[order], probs(two, unseen))


def test_fit_forgets_earlier_fits_and_vectors_of_an_earlier_one_are_not_read(shallow, train, dev):
    learner = setfit(shallow).fit(dev, train)
    stale, stale_dev = learner.score(train), learner.score(dev)
    once, twice = setfit(shallow).fit(train, dev), learner.fit(stale, stale_dev)
    assert same(weights(twice), weights(once))
    assert np.array_equal(probs(twice, stale_dev), probs(once, dev))


def test_a_later_fit_changes_neither_the_learner_nor_an_earlier_model(shallow, train, dev):
    learner = setfit(shallow)
    first = learner.fit(train, dev)
    before, described = probs(first, dev), first.describe()
    second = first.fit(dev.select([0]), train)  # nothing to contrast: no updates
    assert np.array_equal(probs(first, dev), before)
    assert first.describe() == described != second.describe()
    assert learner.encoder is second.encoder is shallow
    with pytest.raises(ModelError, match="has not been fitted"):
        learner.score(dev)


def test_no_generator_of_the_process_is_touched(shallow, train, dev):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    setfit(shallow).fit(train, dev)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


@pytest.mark.parametrize("present", [[0, 2], [1]])
def test_a_class_without_an_example_gets_zero(shallow, train, dev, present):
    some = train.filter(lambda row: row["label"] in present, load_from_cache_file=False)
    learner = setfit(shallow).fit(some, dev)
    found = probs(learner, dev)
    assert np.all(found[:, [label for label in range(3) if label not in present]] == 0)
    assert np.isfinite(found).all()
    assert learner.describe().settings["updates"] == (2 if len(present) > 1 else 0)  # nothing to contrast


def test_pairs_are_halves_of_one_class_and_of_two_and_follow_the_seed(train):
    texts, labels = train["text"][:], np.array(train["label"][:])
    label = dict(zip(texts, labels.tolist(), strict=True))
    pairs = pairs_of(texts, labels, most=64, seed=0)
    assert len(pairs) == 64
    for pair in pairs:
        assert (label[pair["sentence_1"]] == label[pair["sentence_2"]]) == (pair["label"] == 1.0)
    for batch in (pairs[start : start + PAIRS] for start in range(0, len(pairs), PAIRS)):
        assert sum(pair["label"] for pair in batch) == PAIRS / 2
    assert pairs == pairs_of(texts, labels, most=64, seed=0)
    assert pairs != pairs_of(texts, labels, most=64, seed=1)


def sampled(labels: np.ndarray, monkeypatch) -> list[tuple[str, int]]:
    """The texts of a large set that pairs are made of, with their labels."""
    seen: list[tuple[str, int]] = []

    def sampler(texts, labels, **_):
        seen.extend(zip(texts, labels, strict=True))
        return iter(())

    monkeypatch.setattr("setfit.sampler.ContrastiveDataset", sampler)
    pairs_of([f"text {i}" for i in range(len(labels))], labels, most=64, seed=0)
    return seen


def test_a_large_set_does_not_make_all_pairs(monkeypatch):
    assert len(set(sampled(np.arange(10_000) % 3, monkeypatch))) == TEXTS


def test_of_a_large_set_a_rare_class_keeps_all_its_texts(monkeypatch):
    labels = np.arange(10_000) % 2
    labels[[17, 4_000, 9_999]] = 2
    seen = sampled(labels, monkeypatch)
    assert {text for text, label in seen if label == 2} == {"text 17", "text 4000", "text 9999"}
    assert [sum(label == common for _, label in seen) for common in (0, 1)] in ([998, 999], [999, 998])


def test_a_fit_that_fails_at_the_head_changes_no_earlier_model(shallow, train, dev, monkeypatch):
    learner = setfit(shallow).fit(train, dev)
    before = probs(learner, dev)

    def fails(*_, **__):
        raise MemoryError

    monkeypatch.setattr("sklearn.linear_model.LogisticRegression.fit", fails)
    with pytest.raises(MemoryError):
        learner.fit(dev, train)
    assert np.array_equal(probs(learner, dev), before)


def test_without_a_row_no_encoder_is_loaded(train, dev):
    with pytest.raises(DataError, match="train has no rows"):  # the model is nowhere
        SetFit("no/such/model", NAMES, seed=0).fit(train.select([]), dev)


def test_draws_read_the_vectors_of_the_score_and_none_of_an_earlier_fit(shallow, train, dev, monkeypatch):
    earlier = setfit(shallow).fit(dev, train)
    stale = earlier.score(dev).remove_columns("probs")
    learner = earlier.fit(train, dev)
    scored = learner.score(dev)
    alone, beside = learner.sample(stale), learner.sample(dev)
    assert set(beside.column_names) == {*dev.column_names, "mc_probs"}
    monkeypatch.setattr(learner.encoder, "encode", None)
    draws = [arrow.matrix(table, "mc_probs") for table in (learner.sample(scored), alone, beside)]
    assert np.array_equal(draws[0], draws[1])
    assert np.array_equal(draws[0], draws[2])


def test_without_a_number_of_updates_it_goes_once_through_the_pairs_but_not_for_ever(shallow, train, dev, monkeypatch):
    asked = []
    monkeypatch.setattr(learn.setfit, "contrast", lambda model, pairs, updates, **_: asked.append(updates))
    few = setfit(shallow, updates=None).fit(train, dev)
    # 21 texts, 7 of each class: 147 pairs of two classes, and as many of one.
    assert few.describe().settings["updates"] == -(-2 * 147 // PAIRS)
    many = concatenate_datasets([train, dev, train.map(lambda row: {"text": row["text"][::-1]})])
    assert setfit(shallow, updates=None).fit(many, dev).describe().settings["updates"] == UPDATES
    assert asked == [few.describe().settings["updates"], UPDATES]


def test_bf16_trains_too(shallow, train, dev):
    learner = setfit(shallow, precision="bf16").fit(train, dev)
    assert not same(weights(learner), weights(setfit(shallow).fit(train, dev)))
    assert learner.describe().precision == "bf16"
    assert {value.dtype for value in weights(learner).values()} <= {np.dtype("float32"), np.dtype("int64")}


def test_save_and_load_give_the_same_bits_and_nothing_is_pickled(fitted, dev, tmp_path):
    fitted.save(tmp_path / "learner")
    again = load_learner(tmp_path / "learner")
    assert type(again) is SetFit
    assert again.names == tuple(NAMES)
    assert np.array_equal(probs(fitted, dev), probs(again, dev))
    assert [path.name for path in (tmp_path / "learner").rglob("*.safetensors")] == ["model.safetensors"] * 2
    assert not [path for path in tmp_path.rglob("*") if path.suffix in PICKLED]
    assert json.loads((tmp_path / "learner" / "head.json").read_text())["learner"] == "setfit"
    texts = [text.encode() for text in table()["text"][:]]
    for path in tmp_path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [text for text in texts if text in content], path.name
        assert str(tmp_path).encode() not in content


def test_a_loaded_learner_has_its_settings_and_fits_on_from_its_encoder(shallow, train, dev, tmp_path):
    settings = {"updates": 3, "learning_rate": 1e-4, "precision": "bf16", "class_weights": "none"}
    learner = setfit(shallow, **settings).fit(train, dev)
    learner.save(tmp_path / "learner")
    again = load_learner(tmp_path / "learner")
    assert again.describe() == learner.describe()
    twice, other = again.fit(train, dev), setfit(again.encoder, **settings).fit(train, dev)
    assert same(weights(twice), weights(other))
    assert not same(weights(twice), weights(again))


def test_a_folder_of_before_is_loaded_too(fitted, dev, tmp_path):
    fitted.save(tmp_path / "learner")
    head = tmp_path / "learner" / "head.json"
    told = json.loads(head.read_text())
    old = {name: told[name] for name in ("format", "learner", "names", "C", "encoder")}
    head.write_text(json.dumps({**old, "class_weight": "balanced"}))
    again = load_learner(tmp_path / "learner")
    assert type(again) is SetFit
    assert np.array_equal(probs(fitted, dev), probs(again, dev))


def test_what_cannot_work_is_said(shallow, train, dev, monkeypatch):
    class Own:
        def encode(self, texts):
            return np.zeros((len(texts), 4), np.float32)

    with pytest.raises(ModelError, match="has not been fitted"):
        setfit(shallow).score(dev)
    with pytest.raises(DataError, match="train has no rows"):
        setfit(shallow).fit(train.select([]), dev)
    with pytest.raises(ModelError, match="encoder Own: setfit can only fine-tune"):
        setfit(Own()).fit(train, dev)
    with pytest.raises(ModelError, match="loss is not finite; lower --learning-rate"):
        setfit(shallow, learning_rate=1e30, updates=4).fit(train, dev)
    monkeypatch.setitem(sys.modules, "setfit.sampler", None)
    with pytest.raises(ConfigError, match=r"needs the library setfit; pip install 'rarecase\[setfit\]'"):
        make_learner("setfit", "packaged", NAMES, seed=0).fit(train, dev)


FIT = """
import warnings

import rarecase.learn.setfit
from rarecase.learn import load_learner, make_learner
from rarecase.learn.hyperparameters import FitOptions
from rarecase.data.parquet import read_parquet

train = read_parquet({train!r})
names = train.features["label"].names
make_learner("frozen", "packaged", names, seed=0).fit(train, train.select([]))
filters = list(warnings.filters)  # with all imported but the library setfit, which changes them
make_learner("setfit", "packaged", names, FitOptions(updates=2), seed=0).fit(train, train.select([])).save({out!r})
load_learner({out!r}).score(train)
assert warnings.filters == filters
"""


def test_nothing_is_said_and_nothing_is_written_but_the_folder(train, tmp_path):
    write_parquet(tmp_path / "train.parquet", train)
    place = {name: tmp_path / name for name in ("work", "home", "temporary")}
    for folder in place.values():
        folder.mkdir()
    environment = {**os.environ, "HOME": str(place["home"]), "HF_HOME": str(place["home"] / "hf")}
    environment |= {"TMPDIR": str(place["temporary"]), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    code = FIT.format(train=str(tmp_path / "train.parquet"), out=str(tmp_path / "out"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place["work"], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(place["work"].iterdir()) == []
    left = [path for name in ("home", "temporary") for path in place[name].rglob("*") if path.is_file()]
    assert left == []
    assert (Path(tmp_path) / "out" / "head.json").is_file()
