"""What is chosen on dev: the best of the variants, and nothing but dev decides."""

import numpy as np
import pytest
import small

from rarecase import schema
from rarecase.evaluate.metrics import metrics
from rarecase.learn import load_learner, make_learner
from rarecase.learn.finetune import Finetune
from rarecase.learn.frozen import STRENGTHS, Frozen
from rarecase.learn.tuned import Tuned

from .conftest import NAMES


@pytest.fixture(scope="module")
def tables():
    learner = frozen()
    return learner.prepare(small.table("bootstrap")), learner.prepare(small.table("test"))


def frozen(**settings):
    return Frozen("packaged", small.NAMES, seed=0, encoder=small.encoder(), shared=True, **settings)


def macro_f1(learner, dataset):
    guesses = schema.matrix(learner.score(dataset), "probs").argmax(axis=1)
    return metrics(dataset["label"][:], guesses, learner.names)["macro_f1"]


def test_the_best_strength_on_dev_is_kept(tables):
    train, dev = tables
    tuned = Tuned(frozen()).fit(train, dev)
    every = {strength: macro_f1(frozen(C=strength).fit(train, dev), dev) for strength in STRENGTHS}
    assert len(set(every.values())) > 1  # there is something to choose
    assert max(every, key=every.get) == tuned.best.C
    assert tuned.describe()["settings"] == {"C": tuned.best.C, "class_weight": "balanced", "tuned_on_dev": True}


def test_dev_decides(tables):
    train, dev = tables
    upside_down = schema.with_column(dev, "label", (schema.matrix(dev, "label") + 1) % 6, dev.features["label"])
    kept = {Tuned(frozen()).fit(train, table).best.C for table in (dev, upside_down)}
    assert len(kept) == 2


def test_without_dev_the_learner_stays_as_it_is(tables):
    train, dev = tables
    assert STRENGTHS[0] == Tuned(frozen()).fit(train, schema.rows(dev, [])).best.C


def test_it_is_saved_as_the_best_alone_would_be(tables, tmp_path):
    train, dev = tables
    tuned = make_learner("frozen", "packaged", small.NAMES, seed=0, tune=True).fit(train, dev)
    tuned.save(tmp_path / "guard")
    loaded = load_learner(tmp_path / "guard")
    assert np.array_equal(*(schema.matrix(learner.score(dev), "probs") for learner in (tuned, loaded)))


def test_of_a_fine_tuned_one_the_learning_rate_is_chosen(train, dev):
    learner = Finetune("packaged", NAMES, seed=0, precision="fp32", updates=4)
    assert [v.settings.learning_rate for v in learner.variants()] == pytest.approx([1e-4, 5e-5, 2e-4])
    tuned = Tuned(learner).fit(train, dev)
    alone = Finetune(
        "packaged", NAMES, seed=0, precision="fp32", updates=4, learning_rate=tuned.best.settings.learning_rate
    )
    probs = [schema.matrix(fitted.score(dev), "probs") for fitted in (tuned, alone.fit(train, dev))]
    assert np.array_equal(*probs)
