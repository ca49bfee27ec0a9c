"""What is chosen on dev: the best of the variants, and nothing but dev decides."""

import copy
import weakref

import numpy as np
import pytest
import small
import torch
from datasets import ClassLabel

from rarecase.core.errors import DataError
from rarecase.data import arrow
from rarecase.evaluate.metrics import metrics
from rarecase.learn import load_learner, make_learner, setfit
from rarecase.learn.finetune import Finetune
from rarecase.learn.frozen import STRENGTHS, Frozen
from rarecase.learn.hyperparameters import FitOptions
from rarecase.learn.learner import Learner
from rarecase.learn.setfit import SetFit
from rarecase.learn.tuned import RATES, Tuned, copies

from .conftest import NAMES


@pytest.fixture(scope="module")
def tables():
    learner = frozen()
    return learner.prepare(small.table("bootstrap")), learner.prepare(small.table("test"))


def frozen(**settings):
    return Frozen("packaged", small.NAMES, seed=0, encoder=small.encoder(), shared=True, **settings)


def macro_f1(learner, dataset):
    guesses = arrow.matrix(learner.score(dataset), "probs").argmax(axis=1)
    return metrics(dataset["label"][:], guesses, learner.names)["macro_f1"]


def test_the_best_strength_on_dev_is_kept(tables):
    train, dev = tables
    tuned = Tuned(frozen()).fit(train, dev)
    every = {strength: macro_f1(frozen(C=strength).fit(train, dev), dev) for strength in STRENGTHS}
    assert len(set(every.values())) > 1  # there is something to choose
    assert max(every, key=every.get) == tuned.best.C
    assert tuned.describe().settings == {"C": tuned.best.C, "class_weights": "balanced", "tuned_on_dev": True}


def test_dev_decides(tables):
    train, dev = tables
    upside_down = arrow.with_column(dev, "label", (arrow.matrix(dev, "label") + 1) % 6, dev.features["label"])
    kept = {Tuned(frozen()).fit(train, table).best.C for table in (dev, upside_down)}
    assert len(kept) == 2


def test_without_dev_the_learner_stays_as_it_is(tables):
    train, dev = tables
    assert STRENGTHS[0] == Tuned(frozen()).fit(train, arrow.rows(dev, [])).best.C


def test_it_is_saved_as_the_best_alone_would_be(tables, tmp_path):
    train, dev = tables
    tuned = make_learner("frozen", "packaged", small.NAMES, FitOptions(tune=True), seed=0).fit(train, dev)
    tuned.save(tmp_path / "guard")
    loaded = load_learner(tmp_path / "guard")
    assert np.array_equal(*(arrow.matrix(learner.score(dev), "probs") for learner in (tuned, loaded)))


def test_of_a_fine_tuned_one_the_learning_rate_is_chosen(train, dev):
    learner = Finetune("packaged", NAMES, FitOptions(precision="fp32", updates=8), seed=0)
    assert [v.settings.learning_rate for v in learner.variants()] == pytest.approx([1e-4, 5e-5, 2e-4])
    tuned = Tuned(learner).fit(train, dev)
    every = {variant.settings.learning_rate: variant.fit(train, dev) for variant in learner.variants()}
    reached = {rate: macro_f1(fitted, dev) for rate, fitted in every.items()}
    best = max(reached, key=reached.get)
    assert best != learner.settings.learning_rate  # the first is not the best
    assert tuned.best.settings.learning_rate == best
    assert np.array_equal(*(arrow.matrix(fitted.score(dev), "probs") for fitted in (tuned, every[best])))


def test_dev_of_other_classes_is_refused(tables):
    train, dev = tables
    other = dev.cast_column("label", ClassLabel(names=[name.upper() for name in small.NAMES]))
    with pytest.raises(DataError, match="dev: column 'label' has 6 classes that are not the learner's"):
        Tuned(frozen()).fit(train, other)


class Asked:
    """An encoder that counts how often it is asked."""

    times = 0

    def encode(self, texts):
        self.times += 1
        return small.encoder().encode(texts)


def test_all_variants_share_one_encoder_and_its_vectors(train, dev):
    encoder = Asked()
    Tuned(Frozen("packaged", NAMES, seed=0, encoder=encoder)).fit(train, dev)
    assert encoder.times == 2  # for train and for dev
    variants = list(Frozen("packaged", NAMES, seed=0).variants())
    assert len({id(variant.encoder) for variant in variants}) == 1  # loaded once, whichever variant needs it first


def test_all_variants_of_setfit_start_from_one_encoder(train, dev, monkeypatch):
    variants = list(SetFit("packaged", NAMES, seed=0).variants())
    assert len({id(variant.encoder) for variant in variants}) == 1
    started, rates = [], []

    def contrast(model, pairs, updates, *, learning_rate, **_):
        started.append(next(model.parameters()).detach().clone())
        rates.append(learning_rate)

    monkeypatch.setattr(setfit, "contrast", contrast)
    Tuned(SetFit("packaged", NAMES, FitOptions(updates=2), seed=0)).fit(train, dev)
    assert all(torch.equal(weights, started[0]) for weights in started)
    assert rates == pytest.approx([share * 2e-5 for share in RATES])


def test_a_later_fit_changes_no_earlier_choice(tables):
    train, dev = tables
    learner = Tuned(frozen())
    first = learner.fit(train, dev)
    before = arrow.matrix(first.score(dev), "probs")
    learner.fit(dev, train)
    assert np.array_equal(arrow.matrix(first.score(dev), "probs"), before)


def test_no_more_than_the_best_and_the_next_are_held(train, dev):
    class Large(Learner):
        names, held = tuple(NAMES), []

        def variants(self):
            return copies(self, "rate", range(5))

        def fit(self, train, dev):
            fitted = copy.copy(self)
            self.held.append(weakref.ref(fitted))
            assert sum(known() is not None for known in self.held) <= 2
            return fitted

        def score(self, dataset):
            return arrow.with_column(dataset, "probs", np.eye(3, dtype=np.float32)[[self.rate % 3] * len(dataset)])

    Tuned(Large()).fit(train, dev)
    assert len(Large.held) == 5


def test_copies_differ_in_one_setting_and_leave_the_learner_as_it_is():
    learner = Frozen("packaged", ["a", "b"], seed=0)
    found = list(copies(learner, "C", [1.0, 3.0]))
    assert [(copy.C, copy.names) for copy in found] == [(1.0, ("a", "b")), (3.0, ("a", "b"))]
    assert learner.C == 10.0
