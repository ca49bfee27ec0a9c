"""
How good a classifier do 250 human labels give, from text alone? The aim on the published set: macro-F1 of 78 on the
2,700 test titles, F1 of `emergency-situation` of 45. (The paper's best is 71.6; a logistic regression on MPNet over
the test labels themselves, in five folds, comes to 75.9.)

The configuration was chosen on the start set and dev alone, by five-fold cross-validation over their 300 titles among
encoders (MiniLM, MPNet, both side by side), C (1, 3, 10), class weights (square root, balanced) and the four acquired
splits, and by dev among the best of these: a frozen head over both encoders, C = 3, balanced, on the start set and the
100 labels of `random`. Its 80.2 there was the highest of 72, with 79 to 80 for ten others; a fine-tuned encoder
beside it lowered dev. Nothing in it is drawn, so one seed is all seeds.

Without `--score-test` only dev is looked at; every scoring of test is counted in the folder.

    python benchmarks/aim.py safety --encoder mpnet --out aim [--score-test]
"""

import argparse
import json
from pathlib import Path

import numpy as np
from datasets import Dataset, concatenate_datasets

from rarecase.core.files import write_json
from rarecase.data.arrow import matrix, with_column
from rarecase.evaluate.metrics import metrics
from rarecase.experiment.splits import read_splits, split_name, train_parts
from rarecase.learn.frozen import Frozen
from rarecase.models.encoder import encode, load_encoder
from rarecase.settings.config import ExperimentConfig

STRATEGY, SETTING, STRENGTH = "random", "human", 3.0
RARE, AIM, AIM_RARE = "emergency-situation", 78.0, 45.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="the release of the published set")
    parser.add_argument("--encoder", required=True, help="the folder of all-mpnet-base-v2")
    parser.add_argument("--out", type=Path, default=Path("aim"))
    parser.add_argument("--score-test", action="store_true")
    given = parser.parse_args()
    encoders = [load_encoder(), load_encoder(given.encoder)]

    def with_both(table: Dataset) -> Dataset:
        """The vectors of both encoders side by side, together of length 1."""
        vectors = np.hstack([encode(table, encoder) for encoder in encoders]) / np.sqrt(len(encoders))
        return with_column(table, "features", vectors)

    splits = read_splits(ExperimentConfig(data=given.data), [STRATEGY])
    names, tables = splits.taxonomy.names, splits.tables
    parts = train_parts(tables["bootstrap"], tables[split_name(STRATEGY)], SETTING, 0)
    train = concatenate_datasets([with_both(part) for part in parts])
    head = Frozen("packaged", names, seed=0, C=STRENGTH).fit(train, tables["dev"])
    split = "test" if given.score_test else "dev"
    table = tables[split]
    guesses = matrix(head.score(with_both(table)), "probs").argmax(axis=1)
    found = metrics(matrix(table, "label"), guesses, names)
    print(f"{split}, {len(train)} human labels: macro-F1 {found['macro_f1']:.1f} (aim {AIM:.0f}), ", end="")
    print(f"F1 of {RARE} {found['f1'][RARE]:.1f} (aim {AIM_RARE:.0f}), accuracy {found['accuracy']:.1f}")
    if given.score_test:
        counter = given.out / "scored.json"
        times = 1 + (json.loads(counter.read_text(encoding="utf-8")) if counter.exists() else 0)
        write_json(counter, times)
        print(f"test was scored {times} time{'s' * (times > 1)} with this configuration")


if __name__ == "__main__":
    main()
