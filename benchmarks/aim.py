"""
How good a classifier do 250 human labels give, from text alone? The aim on the published set: macro-F1 of 78 on the
2,700 test titles, F1 of `emergency-situation` of 45, mean of ten seeds. (The paper's best is 71.6; a logistic
regression on MPNet over the test labels themselves, in five folds, comes to 75.9.)

The configuration below was chosen on the start set and dev alone: a frozen head over two encoders, and a fine-tuned
encoder beside it, their probabilities averaged. Without `--score-test` only dev is looked at; every scoring of test is
counted in the folder.

    python benchmarks/aim.py safety --encoder MPNET --out aim [--score-test]
"""

import argparse
import json
from pathlib import Path

import numpy as np
from datasets import Dataset

from rarecase.acquire.embed import encode, load_encoder
from rarecase.config import ExperimentConfig
from rarecase.evaluate.metrics import metrics
from rarecase.experiment.experiment import experiment
from rarecase.experiment.grid import Cell
from rarecase.experiment.splits import stored_splits, train_parts
from rarecase.files import read_parquet, write_json
from rarecase.learn.frozen import Frozen
from rarecase.models import name_of
from rarecase.schema import conform, from_table, matrix, pa, to_table, with_column

STRATEGY, SETTING, SEEDS = "random", "human", 10
STRENGTH = 3.0  # C of the frozen head
FINETUNING = {"learning_rate": 5e-5, "class_weights": "sqrt", "updates": 100, "precision": "bf16"}
RARE, AIM, AIM_RARE = "emergency-situation", 78.0, 45.0


def with_both(table: Dataset, encoders: list) -> Dataset:
    """The vectors of both encoders side by side, together of length 1."""
    return with_column(table, "features", np.hstack([encode(table, e) for e in encoders]) / np.sqrt(len(encoders)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="the release of the published set")
    parser.add_argument("--encoder", required=True, help="the folder of all-mpnet-base-v2")
    parser.add_argument("--out", type=Path, default=Path("aim"))
    parser.add_argument("--score-test", action="store_true")
    given = parser.parse_args()
    folder = experiment(
        ExperimentConfig(
            data=given.data, models=given.encoder, strategies=STRATEGY, settings=SETTING, seeds=SEEDS,
            out=given.out / "cells", **FINETUNING,
        )
    )  # fmt: skip
    splits = stored_splits(folder)
    names = splits.taxonomy.names
    encoders = [load_encoder(), load_encoder(given.encoder)]
    parts = train_parts(splits, STRATEGY, SETTING, 0)
    train = conform(from_table(pa.concat_tables([to_table(part) for part in parts])), names)
    head = Frozen("packaged", names, seed=0, C=STRENGTH).fit(with_both(train, encoders), splits.shared["dev"])
    split = "test" if given.score_test else "dev"
    rows = splits.shared[split]
    frozen = matrix(head.score(with_both(rows, encoders)), "probs")
    found = []
    for seed in range(SEEDS):
        cell = Cell(STRATEGY, seed, name_of(given.encoder), SETTING)
        told = read_parquet(folder / "cells" / cell.name / "predictions.parquet")
        own = [row for row, name in enumerate(told["split"][:]) if name == split]
        assert [told["id"][row] for row in own] == rows["id"][:]
        together = frozen + matrix(told, "probs")[own]
        found.append(metrics(matrix(rows, "label"), together.argmax(axis=1), names))
    macro, rare = (np.array([f["macro_f1"] for f in found]), np.array([f["f1"][RARE] for f in found]))
    print(f"{split}: macro-F1 {macro.mean():.1f} (seeds {macro.min():.1f} to {macro.max():.1f}), aim {AIM:.0f}")
    print(f"{split}: F1 of {RARE} {rare.mean():.1f} (seeds {rare.min():.1f} to {rare.max():.1f}), aim {AIM_RARE:.0f}")
    if given.score_test:
        counter = given.out / "scored.json"
        times = 1 + (json.loads(counter.read_text(encoding="utf-8")) if counter.exists() else 0)
        write_json(counter, times)
        print(f"test was scored {times} time{'s' * (times > 1)} with this configuration")


if __name__ == "__main__":
    main()
