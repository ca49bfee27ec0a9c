import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import ClassLabel, concatenate_datasets
from transformers import AutoModel, pipeline

from rarecase.core.errors import ConfigError, DataError, ModelError
from rarecase.data import arrow
from rarecase.learn import load_learner
from rarecase.learn.dropout import dropout_sample
from rarecase.learn.finetune import Finetune
from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.weights import class_weights
from rarecase.models.checkpoint import resolve
from rarecase.models.lengths import AT_ONCE

from . import fits
from .conftest import NAMES, scrambled


def finetune(epochs=2, gradient_accumulation=1, patience=3, **settings):
    learner = Finetune("packaged", NAMES, FitOptions(**{"precision": "fp32", "epochs": epochs, **settings}), seed=0)
    learner.settings = replace(learner.settings, gradient_accumulation=gradient_accumulation, patience=patience)
    return learner


def weights(learner):
    return {name: value.numpy().copy() for name, value in learner.network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def probs(learner, dataset):
    return arrow.matrix(learner.score(dataset), "probs")


@pytest.fixture(scope="module")
def fitted(train, dev):
    return finetune(epochs=8, learning_rate=2e-4).fit(train, dev)


def test_training_changes_every_layer_and_the_loss_falls(fitted, train, dev):
    before = AutoModel.from_pretrained(resolve("packaged")).state_dict()
    after = fitted.network.base_model.state_dict()
    # The first training step moves every weight that has a gradient; unused positions have none.
    still = [name for name, value in before.items() if torch.equal(value, after[name])]
    assert still == []
    losses = [epoch.loss for epoch in fitted.history]
    assert losses[0] == pytest.approx(np.log(3), abs=0.15)
    assert losses[-1] < 0.75 * losses[0]
    assert np.mean(probs(fitted, train).argmax(axis=1) == np.array(train["label"][:])) >= 0.85


def test_the_best_epoch_on_dev_is_kept(fitted, dev):
    from rarecase.evaluate.metrics import metrics

    reached = metrics(dev["label"][:], probs(fitted, dev).argmax(axis=1), NAMES)["macro_f1"]
    assert reached == pytest.approx(max(epoch.dev_macro_f1 for epoch in fitted.history))


def test_order_ids_and_sources_change_no_bit(train, dev):
    one = finetune().fit(train, dev)
    two = finetune().fit(scrambled(train)[0], scrambled(dev)[0])
    assert same(weights(one), weights(two))
    other, order = scrambled(dev)
    for column in ("probs", "features"):
        assert np.array_equal(arrow.matrix(one.score(dev), column)[order], arrow.matrix(two.score(other), column))


def test_fit_forgets_earlier_fits_and_leaves_the_callers_generator(train, dev):
    once = finetune(epochs=1).fit(train, dev)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    twice = finetune(epochs=1).fit(dev, train).fit(train, dev)
    assert torch.equal(state, torch.get_rng_state())
    assert same(weights(once), weights(twice))


def test_a_later_fit_changes_neither_the_learner_nor_an_earlier_model(train, dev):
    learner = finetune(epochs=1)
    first = learner.fit(train, dev)
    before, epochs = probs(first, dev), first.history
    first.fit(dev, train.select([]))
    assert np.array_equal(probs(first, dev), before)
    assert first.history == epochs
    assert (learner.network, learner.history) == (None, [])


def test_not_all_texts_are_tokens_of_python_at_the_same_time(train, dev):
    learner, sizes = finetune(updates=1).fit(train, dev), []
    tokenizer = learner.tokenizer

    class Counted:
        def __getattr__(self, name):
            return getattr(tokenizer, name)

        def __call__(self, texts, **settings):
            sizes.append(len(texts))
            return tokenizer(texts, **settings)

    learner.tokenizer = Counted()
    assert len(learner.score([f"tree {number}" for number in range(AT_ONCE + 1)])) == AT_ONCE + 1
    assert sizes == [AT_ONCE, 1]


def test_another_seed_gives_other_weights(train, dev):
    other = Finetune("packaged", NAMES, FitOptions(precision="fp32", epochs=1), seed=1).fit(train, dev)
    assert not same(weights(finetune(epochs=1).fit(train, dev)), weights(other))


def test_learners_of_both_precisions_work_in_one_process(train, dev, fitted):
    bf16 = finetune(epochs=1, precision="bf16").fit(train, dev)
    fp32 = finetune(epochs=1).fit(train, dev)
    assert not same(weights(bf16), weights(fp32))
    assert next(bf16.network.parameters()).dtype == torch.float32
    assert np.allclose(probs(bf16, dev), probs(fp32, dev), atol=0.05)
    assert arrow.matrix(bf16.score(dev), "features").dtype == np.float32


def test_accumulated_gradients_make_fewer_updates(train, dev):
    # Two batches of 16 and 5 rows: one update an epoch, of both.
    one = finetune(epochs=1, gradient_accumulation=2, learning_rate=1e-3).fit(train, dev)
    two = finetune(epochs=1, gradient_accumulation=8, learning_rate=1e-3).fit(train, dev)
    assert same(weights(one), weights(two))  # an incomplete group counts in full
    assert not same(weights(one), weights(finetune(epochs=1, learning_rate=1e-3).fit(train, dev)))


def test_training_stops_when_dev_does_not_get_better(train, dev):
    learner = finetune(epochs=6, learning_rate=0.0, patience=2).fit(train, dev)
    assert len(learner.history) == 3


def test_a_number_of_updates_is_made_to_the_last_however_dev_looks(train, dev):
    with fits.counted() as steps:
        learner = finetune(updates=11, learning_rate=0.0, patience=1).fit(train, dev)
    assert len(steps) == 11
    assert len({epoch.dev_macro_f1 for epoch in learner.history}) == 1  # it never got better


def test_a_class_without_example_a_single_class_and_no_dev_work(train, dev):
    two = train.filter(lambda row: row["label"] != 1, load_from_cache_file=False)
    single = train.filter(lambda row: row["label"] == 1, load_from_cache_file=False)
    for rows in (two, single, train.select([0])):
        learner = finetune(epochs=1).fit(rows, dev.select([]))
        assert [epoch.dev_macro_f1 for epoch in learner.history] == [None]
        found = probs(learner, dev)
        assert found.shape == (9, 3)
        assert np.isfinite(found).all()


def test_scores_are_probabilities_in_the_order_of_the_rows(fitted, train):
    scored = fitted.score(train)
    found = arrow.matrix(scored, "probs")
    assert found.dtype == np.float32
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(found[::-1], probs(fitted, train.select(range(len(train) - 1, -1, -1))), atol=1e-5)
    assert probs(fitted, train.select([])).shape == (0, 3)


def test_features_are_what_the_last_layer_reads(fitted, dev):
    scored = fitted.score(dev)
    head = fitted.network.classifier
    logits = arrow.matrix(scored, "features") @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    odds = np.exp(logits)
    assert np.allclose(odds / odds.sum(axis=1, keepdims=True), arrow.matrix(scored, "probs"), atol=1e-5)


def test_pipeline_and_load_learner_read_what_save_writes(fitted, dev, tmp_path):
    fitted.save(tmp_path / "guard")
    again = load_learner(tmp_path / "guard")
    assert again.names == tuple(NAMES)
    assert np.array_equal(probs(fitted, dev), probs(again, dev))
    answers = pipeline("text-classification", model=str(tmp_path / "guard"))(dev["text"][:], truncation=True)
    assert [answer["label"] for answer in answers] == [NAMES[i] for i in probs(fitted, dev).argmax(axis=1)]
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    half = load_learner(tmp_path / "guard", "bf16")
    assert np.allclose(probs(half, dev), probs(fitted, dev), atol=0.05)


def test_a_loaded_classifier_trains_on_for_other_classes(fitted, train, dev, tmp_path):
    fitted.save(tmp_path / "guard")
    names = ["outside", "wheels", "inside", "other"]
    renamed = train.cast_column("label", ClassLabel(names=names))
    learner = Finetune(str(tmp_path / "guard"), names, FitOptions(epochs=1), seed=0)
    assert probs(learner.fit(renamed, renamed.select([])), dev).shape == (9, 4)


def test_class_weights_are_scikit_learns_or_their_root():
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    balanced = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert np.allclose(class_weights(labels, 3, "balanced"), balanced)
    assert np.allclose(class_weights(labels, 3, "sqrt"), np.sqrt(balanced))
    assert class_weights(labels, 4, "balanced")[3] == 1
    assert class_weights(labels, 3, None).tolist() == [1, 1, 1]


def test_what_cannot_work_is_said(train, dev):
    with pytest.raises(ModelError, match="packaged: the learner has not been fitted"):
        finetune().score(dev)
    with pytest.raises(DataError, match="train has no rows"):
        finetune().fit(train.select([]), dev)
    with pytest.raises(ConfigError, match="precision 'fp16': expected one of fp32, bf16"):
        finetune(precision="fp16")
    with pytest.raises(ConfigError, match="epochs = 0: expected at least 1"):
        finetune(epochs=0)


def test_draws_are_samples_of_the_network_and_leave_the_network_and_torchs_generator_as_they_were(fitted, dev):
    before, state = probs(fitted, dev), torch.get_rng_state()
    draws = arrow.matrix(fitted.sample(dev, draws=20), "mc_probs")
    assert draws.shape == (9, 20, 3)
    assert draws.dtype == np.float32
    assert np.allclose(draws.sum(axis=2), 1, atol=1e-5)
    assert (draws.std(axis=1).max(axis=1) > 0.003).all()
    assert np.allclose(draws.mean(axis=1), before, atol=0.02)
    assert np.array_equal(probs(fitted, dev), before)
    assert torch.equal(state, torch.get_rng_state())


def test_without_dropout_there_are_no_draws(fitted, dev, tmp_path):
    fitted.save(tmp_path / "still")
    config = json.loads((tmp_path / "still" / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (tmp_path / "still" / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ModelError, match="has no dropout layers, so all samples would be equal; choose another strategy than bald"
    ):
        load_learner(tmp_path / "still").sample(dev)


def test_draws_follow_from_the_seed_and_no_order_or_other_row_changes_them(fitted, train, dev):
    draws = arrow.matrix(fitted.sample(dev, draws=3), "mc_probs")
    other, order = scrambled(dev)
    assert np.array_equal(arrow.matrix(fitted.sample(other, draws=3), "mc_probs"), draws[order])
    assert np.array_equal(arrow.matrix(fitted.sample(dev, draws=2), "mc_probs"), draws[:, :2])
    # Beside other texts a batch is another, and with it the last bits; what is dropped is not.
    beside = arrow.matrix(fitted.sample(concatenate_datasets([train, dev]), draws=3), "mc_probs")
    assert np.allclose(beside[len(train) :], draws, atol=1e-5)


def test_every_dropout_layer_of_the_network_is_on_in_a_draw_and_off_after_it(fitted, dev):
    network = fitted._inference()
    layers = {name: module for name, module in network.named_modules() if isinstance(module, torch.nn.Dropout)}
    hidden = [module for name, module in layers.items() if "attention.self" not in name]
    tokens = fitted.tokenizer(dev["text"][:2], return_tensors="pt", padding=True)
    zeros = []
    with dropout_sample(network, seed=0, draw=0), torch.inference_mode():
        watch = [m.register_forward_hook(lambda _, __, out: zeros.append((out == 0).all(dim=0))) for m in hidden]
        network(**tokens)
    for hook in watch:
        hook.remove()
    assert len(zeros) == len(hidden)
    # The same units for every text and every token of it.
    units = [dropped.all(dim=0) if dropped.ndim == 2 else dropped for dropped in zeros]
    assert all(0.03 < float(dropped.float().mean()) < 0.2 for dropped in units)
    assert not any(module._forward_hooks for module in layers.values())
