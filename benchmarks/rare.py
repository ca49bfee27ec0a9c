"""
Does `rare` find what is rare, and does `rare_first` learn? On the published set, its labels hidden, over ten seeds,
from the published start and from the same without one emergency:

    found: emergencies among 100 labels in batches of 20, as a multiple of what `random` finds (aim: 12 and 10 times)
    learned: macro-F1 of both against `entropy`, paired (aim: `rare_first` not below)
    spared: macro-F1 after 50 labels by `rare` against 100 by `random`, paired
    ceiling: how many emergencies a ranker has among its first 6 % (a hundred of 1,650), that learned from the labels
        of all other test titles (five folds), which no strategy sees

    python benchmarks/rare.py ../shared/published --out rare
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from ranking import found_first, likeness

from rarecase import read_table
from rarecase.core.files import write_text
from rarecase.data.read.columns import Columns
from rarecase.experiment.cells import Cell, read_cells, read_predictions
from rarecase.experiment.simulate import simulate
from rarecase.models.encoder import encode, load_encoder
from rarecase.report.intervals import mean_and_interval, resampled_macro_f1
from rarecase.report.simulation import report_of_grid
from rarecase.runs.folder import RoundFiles
from rarecase.settings.config import SimulateConfig

CLASS, SEEDS = "emergency-situation", 10
AIM = {"published start": 12, "start without one": 10}


def grid(published: Path, start: Path, out: Path, strategies: str, batch: int) -> Path:
    """The paper's protocol with the test titles as pool, 1,000 of them drawn as the test set of each seed."""
    config = SimulateConfig(
        pool=str(published / "test_labeled.tsv"),
        bootstrap=str(start),
        dev=str(published / "dev_labeled.tsv"),
        text_column="title",
        label_column="category",
        test_size=1000,
        seeds=SEEDS,
        strategies=strategies,
        batch=batch,
        out=out,
    )
    return simulate(config)


def difference(folder: Path, one: tuple[str, int], other: tuple[str, int]) -> tuple[float, list[float]]:
    """Macro-F1 of a strategy after a round, less that of another after another, over the same seeds and test rows."""
    cells = read_cells(folder)
    classes = len(next(iter(cells.values())).rounds[0].class_counts)

    def resampled(strategy: str, number: int) -> np.ndarray:
        files = [RoundFiles(Cell(strategy, seed).folder(folder)) for seed in range(SEEDS)]
        found = [read_predictions(of.path(number, "predictions.parquet")) for of in files]
        return resampled_macro_f1(found, classes)

    return mean_and_interval(resampled(*one) - resampled(*other))


def ceiling(published: Path) -> str:
    titles = read_table(
        published / "test_labeled.tsv", split="test", columns=Columns(text="title", label="category"), labeled=True
    )
    vectors, own = encode(titles, load_encoder()), np.array(titles["label"][:]) == CLASS
    found = [found_first(likeness(vectors, own, seed), own, 0.06) for seed in range(SEEDS)]
    return f"{min(found)} to {max(found)} of {own.sum()}, {np.mean(found) / own.sum():.0%}"


def said(mean: float, interval: list[float]) -> str:
    return f"{mean:+.1f} ({interval[0]:+.1f} to {interval[1]:+.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("published", type=Path, help="the folder of the published TSV files")
    parser.add_argument("--out", type=Path, default=Path("rare"))
    given = parser.parse_args()
    whole = given.published / "bootstrap_labeled.tsv"
    without = given.out / "without.tsv"
    lines = whole.read_text(encoding="utf-8").split("\n")
    write_text(without, "\n".join(line for line in lines if not line.endswith(f"\t{CLASS}")))
    print(f"ceiling: {ceiling(given.published)} of the emergencies among the first 6 % of the best ranking")
    missed = False
    for name, start in {"published start": whole, "start without one": without}.items():
        place = given.out / start.stem
        twenty = grid(given.published, start, place / "batches-of-20", "random,entropy,rare,rare_first", 20)
        report = report_of_grid(twenty)["strategies"]
        found = {strategy: report[strategy]["found"][CLASS] for strategy in report}
        times = found["rare"] / found["random"]
        learned = {strategy: difference(twenty, (strategy, 5), ("entropy", 5)) for strategy in ("rare", "rare_first")}
        ten = grid(given.published, start, place / "batches-of-10", "random,rare", 10)
        spared = difference(ten, ("rare", 5), ("random", 10))
        print(f"{name}: found {', '.join(f'{strategy} {count:.1f}' for strategy, count in found.items())}")
        print(f"  found: {times:.1f} times what random finds (aim {AIM[name]})")
        for strategy, of in learned.items():
            print(f"  learned: {strategy} {said(*of)} macro-F1 against entropy (aim of rare_first: not below 0)")
        for strategy in report:
            final = report[strategy]["final"]
            interval = final["macro_f1_interval"]
            print(f"  {strategy}: macro-F1 {final['macro_f1']:.1f} ({interval[0]:.1f} to {interval[1]:.1f})")
        print(f"  spared: {said(*spared)} macro-F1 after 50 labels by rare against 100 by random")
        missed |= times < AIM[name] or learned["rare_first"][0] < 0
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
