"""
How well `rarecase.doubt` ranks the 400 published originals, of which 53 have another label than all their variations.

Trusted are the 150 bootstrap and the 150 dev titles; the variations are not seen. Printed are the share of pairs (a
contradicted original, one that is not) in which the contradicted one is doubted more (AUROC): over pairs of one label,
over all, and over those of `emergency-situation`, with 95 % resampling intervals over the originals.

    within one label: at least 0.88

    python benchmarks/doubt.py --published ../shared/published

Every run looks at these labels once more: what is developed is measured on planted mistakes (`tests/verify/`).
"""

import sys
import tempfile
from collections.abc import Callable

import numpy as np
from datasets import Dataset, concatenate_datasets, load_dataset
from scoring import arguments

from rarecase.core.randomness import generator
from rarecase.data import arrow
from rarecase.experiment.published import STRATEGIES, import_published
from rarecase.verify.doubt import doubt

BAR, RARE, RESAMPLES = 0.88, "emergency-situation", 2_000


def main() -> int:
    published = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        import_published(published, f"{folder}/release")
        rows = concatenate_datasets([originals(f"{folder}/release", name) for name in STRATEGIES])
        start = load_dataset(f"{folder}/release", "bootstrap")
        trusted = concatenate_datasets([start["train"], start["validation"]])
        ranked = doubt(rows.remove_columns(["reading", "source", "strategy"]), trusted)
    reading = dict(zip(rows["id"][:], rows["reading"][:], strict=True))
    labels, doubts = arrow.matrix(ranked, "label"), arrow.matrix(ranked, "doubt")
    wrong = np.array([reading[id_] for id_ in ranked["id"][:]]) != labels
    rare = ranked.features["label"].str2int(RARE)
    measures: dict[str, Callable[[np.ndarray], float]] = {
        "within one label": lambda i: auroc(doubts[i], wrong[i], labels[i]),
        "over all labels": lambda i: auroc(doubts[i], wrong[i], np.zeros(len(i))),
        f"within {RARE}": lambda i: auroc(*(of[i[labels[i] == rare]] for of in (doubts, wrong, labels))),
    }
    rng, everything = generator(0, "resamples"), np.arange(len(ranked))
    draws = [rng.integers(0, len(ranked), len(ranked)) for _ in range(RESAMPLES)]
    found = {name: measure(everything) for name, measure in measures.items()}
    for name, measure in measures.items():
        low, high = np.nanpercentile([measure(draw) for draw in draws], [2.5, 97.5])
        print(f"{name}: {found[name]:.3f} ({low:.3f} to {high:.3f})")
    return 0 if found["within one label"] >= BAR else 1


def originals(release: str, config: str) -> Dataset:
    """The originals of a config, without their variations."""
    table = load_dataset(release, config, split="train")
    return arrow.rows(table, [row for row, parent in enumerate(table["parent_id"][:]) if parent is None])


def auroc(doubts: np.ndarray, wrong: np.ndarray, labels: np.ndarray) -> float:
    """The share of pairs (wrong, right) of one label in which the wrong row is doubted more; ties count half."""
    more, less = np.flatnonzero(wrong), np.flatnonzero(~wrong)
    apart = (doubts[more, None] - doubts[less])[labels[more, None] == labels[less]]
    return float(np.mean((np.sign(apart) + 1) / 2)) if len(apart) else np.nan


if __name__ == "__main__":
    sys.exit(main())
