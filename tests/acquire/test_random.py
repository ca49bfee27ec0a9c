"""The baseline follows its seed and favours no text."""

import numpy as np
from choosing import choose, some_pool

from rarecase.acquire.random import random


def test_random_follows_its_seed():
    pool = some_pool()
    assert choose(random, pool, 10, seed=1) == choose(random, pool, 10, seed=1)
    assert choose(random, pool, 10, seed=1) != choose(random, pool, 10, seed=2)


def test_random_draws_every_text_equally_often():
    pool = some_pool(20)
    drawn = [text for seed in range(600) for text in choose(random, pool, 5, seed=seed)]
    _, often = np.unique(drawn, return_counts=True)
    assert len(often) == 20
    assert np.abs(often - 150).max() < 50  # 150 expected, standard deviation 10.6
