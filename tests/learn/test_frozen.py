import json

import numpy as np
import pytest
from datasets import ClassLabel

from rarecase.core.errors import DataError, ModelError
from rarecase.data import arrow
from rarecase.learn import load_learner
from rarecase.learn.dropout import dropout_mask
from rarecase.learn.frozen import Frozen
from rarecase.learn.hyperparameters import FitOptions
from rarecase.models.encoder import embed, load_encoder

from .conftest import NAMES, scrambled


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.fixture
def learner(encoder):
    return Frozen("packaged", NAMES, seed=0, encoder=encoder)


def probs(learner, dataset):
    return arrow.matrix(learner.score(dataset), "probs")


def test_it_learns_the_task(learner, train, dev):
    found = probs(learner.fit(train, dev), dev)
    assert found.dtype == np.float32
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert np.mean(found.argmax(axis=1) == np.array(dev["label"][:])) >= 0.6


def test_order_ids_and_sources_change_no_bit(encoder, train, dev):
    other, _ = scrambled(train)
    unseen, order = scrambled(dev)
    one = probs(Frozen("packaged", NAMES, seed=0, encoder=encoder).fit(train, dev), dev)
    two = probs(Frozen("packaged", NAMES, seed=0, encoder=encoder).fit(other, unseen), unseen)
    assert np.array_equal(one[order], two)


def test_a_row_scores_the_same_wherever_it_stands(learner, train, dev):
    learner = learner.fit(train, dev)
    whole = learner.prepare(train)
    assert np.array_equal(probs(learner, whole)[[5, 3]], probs(learner, whole.select([5, 3])))


def test_a_later_fit_changes_neither_the_learner_nor_an_earlier_model(learner, train, dev):
    first = learner.fit(train, dev)
    before = probs(first, dev)
    second = first.fit(dev, train)
    assert np.array_equal(probs(first, dev), before)
    assert not np.array_equal(probs(second, dev), before)
    assert second.encoder is first.encoder is learner.encoder
    with pytest.raises(ModelError, match="has not been fitted"):
        learner.score(dev)


def test_fit_forgets_earlier_fits(encoder, train, dev):
    once = probs(Frozen("packaged", NAMES, seed=0, encoder=encoder).fit(train, dev), dev)
    twice = probs(Frozen("packaged", NAMES, seed=0, encoder=encoder).fit(dev, train).fit(train, dev), dev)
    assert np.array_equal(once, twice)


@pytest.mark.parametrize("present", [[0, 1], [0, 2], [1, 2], [0, 1, 2]])
def test_a_class_without_an_example_gets_zero_and_the_others_learn(learner, train, dev, present):
    some = train.filter(lambda row: row["label"] in present, load_from_cache_file=False)
    found = probs(learner.fit(some, dev), some)
    absent = [label for label in range(3) if label not in present]
    assert np.all(found[:, absent] == 0)
    assert np.isfinite(found).all()
    assert np.mean(found.argmax(axis=1) == np.array(some["label"][:])) == 1


def test_two_classes_are_scikit_learns_probabilities(learner, train, dev):
    from sklearn.linear_model import LogisticRegression

    some = learner.prepare(train.filter(lambda row: row["label"] != 1, load_from_cache_file=False))
    X, y = arrow.matrix(some, "features"), np.array(some["label"][:])
    expected = LogisticRegression(C=10, class_weight="balanced", max_iter=5000, tol=1e-8).fit(X, y).predict_proba(X)
    assert np.allclose(probs(learner.fit(some, dev), some)[:, [0, 2]], expected, atol=1e-3)


def test_a_single_class_is_certain(learner, train, dev):
    some = train.filter(lambda row: row["label"] == 1, load_from_cache_file=False)
    assert np.array_equal(probs(learner.fit(some, dev), dev), np.tile([0, 1, 0], (len(dev), 1)))


def test_features_that_are_there_are_not_computed_again(train, dev):
    class Counting:
        calls = 0

        def encode(self, texts):
            self.calls += 1
            return np.random.default_rng(0).normal(size=(len(texts), 4)).astype(np.float32)

    encoder = Counting()
    learner = Frozen("own", NAMES, seed=0, encoder=encoder)
    prepared = learner.prepare(train)
    learner.fit(prepared, dev).score(prepared)
    assert encoder.calls == 1
    embedded = embed(dev, encoder)
    shared = Frozen("own", NAMES, seed=0, encoder=encoder, shared=True).prepare(embedded)
    assert encoder.calls == 2
    assert np.array_equal(arrow.matrix(shared, "features"), arrow.matrix(embedded, "embedding"))
    learner.prepare(embedded)  # another encoder may have made `embedding`
    assert encoder.calls == 3


def test_save_and_load_give_the_same_bits_and_nothing_is_pickled(learner, train, dev, tmp_path):
    learner = learner.fit(train, dev)
    learner.save(tmp_path / "learner")
    again = load_learner(tmp_path / "learner")
    assert again.names == tuple(NAMES)
    assert np.array_equal(probs(learner, dev), probs(again, dev))
    assert [path.name for path in (tmp_path / "learner").rglob("*.safetensors")] == ["model.safetensors"] * 2
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".pt", ".pkl", ".joblib")]
    assert str(tmp_path) not in (tmp_path / "learner" / "head.json").read_text()


def test_a_loaded_learner_has_the_settings_it_was_fitted_with_and_fits_as_it_did(encoder, train, dev, tmp_path):
    learner = Frozen("packaged", NAMES, FitOptions(class_weights="none"), seed=0, encoder=encoder, C=0.3)
    learner = learner.fit(train.select(range(12)), dev)
    learner.save(tmp_path / "learner")
    again = load_learner(tmp_path / "learner")
    assert again.describe() == learner.describe()
    assert again.describe().settings == {"C": 0.3, "class_weights": None}
    assert np.array_equal(probs(again.fit(dev, dev), train), probs(learner.fit(dev, dev), train))


def test_a_folder_of_before_is_loaded_too(encoder, train, dev, tmp_path):
    learner = Frozen("packaged", NAMES, FitOptions(class_weights="sqrt"), seed=0, encoder=encoder)
    learner = learner.fit(train, dev)
    learner.save(tmp_path / "learner")
    head = tmp_path / "learner" / "head.json"
    told = json.loads(head.read_text())
    told["class_weight"] = told.pop("class_weights")
    head.write_text(json.dumps(told))
    again = load_learner(tmp_path / "learner")
    assert again.describe() == learner.describe()
    assert np.array_equal(probs(again, dev), probs(learner, dev))


def test_a_damaged_folder_is_an_error_by_name(learner, train, dev, tmp_path):
    learner.fit(train, dev).save(tmp_path / "learner")
    head = tmp_path / "learner" / "head.json"
    head.write_text(json.dumps({**json.loads(head.read_text()), "names": NAMES[:2]}))
    with pytest.raises(ModelError, match=r"head\.json does not fit"):
        load_learner(tmp_path / "learner")
    head.unlink()
    with pytest.raises(ModelError, match="an encoder without a trained head; fit it first, or give a classifier's"):
        load_learner(tmp_path / "learner")


def test_what_cannot_work_is_said(learner, train, dev):
    with pytest.raises(ModelError, match="has not been fitted"):
        learner.score(dev)
    with pytest.raises(DataError, match="train has no rows"):
        learner.fit(train.select([]), dev)
    with pytest.raises(DataError, match="are not the learner's"):
        learner.fit(train.cast_column("label", ClassLabel(names=["a", "b", "c"])), dev)
    learner = learner.fit(train, dev)
    with pytest.raises(DataError, match="'features' has 2 numbers a row, the head was fitted on 384"):
        learner.score(arrow.with_column(dev, "features", np.ones((len(dev), 2), np.float32)))
    bad = np.ones((len(dev), 384), np.float32)
    bad[2] = np.nan
    with pytest.raises(DataError, match=r"'features' row 2 \(id 'p9'\)"):
        learner.score(arrow.with_column(dev, "features", bad))


def test_a_table_without_rows_is_scored(learner, train, dev):
    assert probs(learner.fit(train, dev), dev.select([])).shape == (0, 3)


def test_draws_are_probabilities_around_the_score_and_follow_from_the_seed(encoder, learner, train, dev):
    learner = learner.fit(train, dev)
    scored = learner.score(dev)
    whole = learner.sample(scored, draws=40)
    draws = arrow.matrix(whole, "mc_probs")
    assert draws.shape == (9, 40, 3)
    assert np.allclose(draws.sum(axis=2), 1, atol=1e-6)
    assert np.allclose(draws.mean(axis=1), arrow.matrix(whole, "probs"), atol=0.06)
    assert (draws.std(axis=1).max(axis=1) > 0.005).all()
    assert arrow.matrix(learner.sample(dev), "mc_probs").shape == (9, 10, 3)
    assert np.array_equal(arrow.matrix(learner.sample(dev), "mc_probs"), draws[:, :10])
    other = Frozen("packaged", NAMES, seed=1, encoder=encoder).fit(train, dev).sample(dev, draws=40)
    assert not np.array_equal(arrow.matrix(other, "mc_probs"), draws)


def test_draws_are_all_that_sampling_adds_and_no_text_is_encoded_for_them_again(train, dev, monkeypatch):
    learner = Frozen("packaged", NAMES, seed=0, encoder=load_encoder()).fit(train, dev)
    scored = learner.score(dev)
    assert set(learner.sample(dev).column_names) == {*dev.column_names, "mc_probs"}
    monkeypatch.setattr(learner.encoder, "encode", None)
    again = learner.sample(scored)
    assert set(again.column_names) == {*scored.column_names, "mc_probs"}
    assert np.array_equal(arrow.matrix(again, "probs"), arrow.matrix(scored, "probs"))


def test_a_draw_leaves_out_a_tenth_of_the_inputs_of_the_head_for_every_text(learner, train, dev):
    learner = learner.fit(train, dev)
    scored = learner.sample(learner.score(dev), draws=3)
    vectors, (weight, bias) = arrow.matrix(scored, "features"), learner._head()
    for draw in range(3):
        mask = dropout_mask(384, 0.1, learner.seed, draw, "head")
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.9)}
        odds = np.exp((vectors * mask) @ weight.T + bias)
        assert np.allclose(
            arrow.matrix(scored, "mc_probs")[:, draw], odds / odds.sum(axis=1, keepdims=True), atol=1e-5
        )
    masks = [dropout_mask(384, 0.1, 0, draw, "head") for draw in range(100)]
    assert np.mean([mask == 0 for mask in masks]) == pytest.approx(0.1, abs=0.01)


def test_neither_order_nor_other_rows_change_a_bit_of_a_draw(learner, train, dev):
    learner = learner.fit(train, dev)
    other, order = scrambled(dev)
    draws = arrow.matrix(learner.sample(dev), "mc_probs")
    assert np.array_equal(draws[order], arrow.matrix(learner.sample(other), "mc_probs"))
    prepared = learner.prepare(train)  # an encoder's last bits depend on the texts of a batch
    some = arrow.matrix(learner.sample(prepared.select([5, 3])), "mc_probs")
    assert np.array_equal(some, arrow.matrix(learner.sample(prepared), "mc_probs")[[5, 3]])


def test_a_class_without_an_example_gets_zero_in_every_draw(learner, train, dev):
    some = train.filter(lambda row: row["label"] != 1, load_from_cache_file=False)
    draws = arrow.matrix(learner.fit(some, dev).sample(dev), "mc_probs")
    assert np.isfinite(draws).all()
    assert (draws[:, :, 1] == 0).all()
