"""The published test split as the population: certificates on samples of it hold for the whole."""

from functools import partial

import numpy as np
import pytest
from places import PUBLISHED

from rarecase.data.read import Columns, read_argument, row_of
from rarecase.data.sets import with_classes
from rarecase.data.taxonomy import Taxonomy
from rarecase.guard.calibrate import Asked, ScoredRows, calibrate
from rarecase.guard.guard import Guard
from rarecase.learn.frozen import Frozen

pytestmark = [
    pytest.mark.published,
    pytest.mark.slow,
    pytest.mark.skipif(not PUBLISHED.exists(), reason="the published set is not here; set RARECASE_PUBLISHED"),
]
COLUMNS = Columns(text="title", label="category")
MOST_BROKEN = 18  # of 200


def read(name: str):
    """One of the published files, with the classes of the paper."""
    path = str(PUBLISHED / f"{name}_labeled.tsv")
    where = partial(row_of, path, name, "label", columns=COLUMNS)
    return with_classes(read_argument(path, name, columns=COLUMNS), Taxonomy.default(), where)


def test_the_bounds_hold_together_in_all_but_few_samples_with_replacement():
    names = Taxonomy.default().names
    guard = Guard(Frozen("packaged", names, seed=0).fit(read("bootstrap"), read("dev")))
    population = read("test")
    scores, labels = guard.scores(population["text"][:]), np.array(population["label"][:])
    generator = np.random.default_rng(0)
    asked = Asked(dict.fromkeys(names[:5], 0.8), max_alarm=0.999)
    issued, broken = 0, 0
    for _ in range(200):
        drawn = generator.integers(0, len(labels), len(labels))
        rows = ScoredRows(names, scores.probs[drawn], labels[drawn], scores.windows[drawn])
        found = calibrate(rows, asked, harmless=names[5:]).classes
        holds = []
        for place, name in enumerate(names[:5]):
            if (threshold := found[name].threshold) is not None:
                issued += 1
                holds.append(np.mean(scores.probs[labels == place, place] >= threshold) >= found[name].bound)
        broken += not all(holds)
    assert issued > 500
    assert broken <= MOST_BROKEN
    print(f"{issued} thresholds issued; {broken} of 200 samples break")
