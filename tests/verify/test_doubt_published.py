"""The 400 published originals, of which 53 have another label than all their variations, ranked by doubt."""

import numpy as np
import pytest
from datasets import concatenate_datasets, load_dataset
from doubted import auroc
from places import PUBLISHED

from rarecase import doubt
from rarecase.data import arrow
from rarecase.experiment.published import STRATEGIES, import_published

pytestmark = [pytest.mark.slow, pytest.mark.published, pytest.mark.skipif(not PUBLISHED.exists(), reason="no data")]


def test_contradicted_originals_are_doubted_more_whatever_the_ids_and_the_order(tmp_path):
    import_published(PUBLISHED, tmp_path / "release")
    sets = [load_dataset(str(tmp_path / "release"), name, split="train") for name in STRATEGIES]
    sets = [arrow.rows(one, np.flatnonzero([parent is None for parent in one["parent_id"][:]])) for one in sets]
    rows = concatenate_datasets(sets)
    rng = np.random.default_rng(0)
    rows = arrow.rows(rows, rng.permutation(len(rows)))
    rows = arrow.with_column(rows, "id", [rng.bytes(6).hex() for _ in range(len(rows))])
    pairs = zip(rows["id"][:], rows["label"][:], rows["reading"][:], strict=True)
    wrong = {id_ for id_, label, reading in pairs if label != reading}
    assert (len(rows), len(wrong)) == (400, 53)
    start = load_dataset(str(tmp_path / "release"), "bootstrap")
    trusted = concatenate_datasets([start["train"], start["validation"]])
    ranked = doubt(rows.select_columns(["id", "text", "label"]), trusted)
    found = list(zip(*(ranked[name][:] for name in ("id", "label", "doubt")), strict=True))
    within, over = (auroc(found, wrong, of_one_label=of) for of in (True, False))
    rare = ranked.features["label"].str2int("emergency-situation")
    of_rare = auroc([row for row in found if row[1] == rare], wrong, of_one_label=True)
    print(f"\nwithin one label {within:.3f}, over all {over:.3f}, within emergency-situation {of_rare:.3f}")
    assert within >= 0.88
    assert over >= 0.94
    assert of_rare >= 0.75
