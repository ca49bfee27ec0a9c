"""
How fast a fine-tuned learner scores the 2,700 published test titles, as ratios to the documented call of
`transformers`, `pipeline("text-classification", model, batch_size=32)`, with the same model in the same run.

    fp32: at least 2 x as fast, with identical labels
    bf16: at least 5 x as fast, with at least 99.8 % of the labels; 5 x takes matrix units (amx_bf16, or a GPU), so
          where the processor has avx512_bf16 alone the mark is that of fp32; elsewhere bf16 is not measured

    python benchmarks/scoring.py --published ../shared/published
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from datasets import ClassLabel, Dataset, Features, Value
from transformers import pipeline

from rarecase.data import arrow, schema
from rarecase.data.taxonomy import Taxonomy
from rarecase.learn import load_learner
from rarecase.learn.finetune import Finetune
from rarecase.learn.hyperparameters import FitOptions

FP32, BF16, SAME_IN_BF16 = 2.0, 5.0, 0.998
NAMES = list(Taxonomy.default().names)


def labelled(folder: Path, name: str) -> Dataset:
    """One of the published labelled sets: `id`, `text` and `label`."""
    lines = (folder / f"{name}_labeled.tsv").read_text(encoding="utf-8").splitlines()[1:]
    ids, _, texts, labels = zip(*(line.split("\t") for line in lines), strict=True)
    classes = [Taxonomy.default().index(label) for label in labels]
    features = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=NAMES)})
    return Dataset.from_dict({"id": ids, "text": texts, "label": classes}, features=features)


def arguments(description: str | None) -> Path:
    """The folder of the published set, from `--published`, the environment or beside the repository."""
    default = os.environ.get("RARECASE_PUBLISHED", Path(__file__).parents[1] / "../shared/published")
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", type=Path, default=Path(default), help="the seven TSV files")
    return parser.parse_args().published


def bf16_hardware() -> str:
    """What computes in bf16 here; empty where nothing does."""
    processor = Path("/proc/cpuinfo").read_text()
    found = [name for name in ("amx_bf16", "avx512_bf16") if name in processor]
    return "GPU" if torch.cuda.is_available() else next(iter(found), "")


def medians(calls: dict[str, Callable[[], object]], repeats: int = 3) -> dict[str, float]:
    """The median seconds of each call; they take turns, so that a busy machine slows all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> int:
    published = arguments(__doc__)
    test = labelled(published, "test")
    texts = schema.texts(test)
    with tempfile.TemporaryDirectory() as folder:
        learner = Finetune("packaged", NAMES, FitOptions(precision="fp32"), seed=0)
        learner.fit(labelled(published, "bootstrap"), labelled(published, "dev")).save(Path(folder) / "learner")
        model = str(Path(folder) / "learner")
        classify = pipeline("text-classification", model=model, batch_size=32)
        fp32, bf16 = load_learner(model, "fp32"), load_learner(model, "bf16")

        theirs = [NAMES.index(answer["label"]) for answer in classify(texts, truncation=True)]
        same = {
            name: float(np.mean(arrow.matrix(ours.score(test), "probs").argmax(axis=1) == theirs))
            for name, ours in (("fp32", fp32), ("bf16", bf16))
        }
        calls: dict[str, Callable[[], object]] = {
            "pipeline": lambda: classify(texts, truncation=True),
            "fp32": lambda: fp32.score(test),
        }
        hardware = bf16_hardware()
        if hardware:
            calls["bf16"] = lambda: bf16.score(test)
        seconds = medians(calls)

    mark = FP32 if hardware == "avx512_bf16" else BF16
    print(f"bf16 is computed by {hardware or 'nothing'} here" + f", so {BF16:g} x is no mark" * (mark != BF16))
    print(f"pipeline, batch_size=32: {seconds['pipeline']:.2f} s for {len(texts)} titles")
    held = True
    for name, wanted, alike in (("fp32", FP32, 1.0), ("bf16", mark, SAME_IN_BF16)):
        if name not in seconds:
            print(f"{name}: not measured")
            continue
        ratio = seconds["pipeline"] / seconds[name]
        held &= ratio >= wanted and same[name] >= alike
        print(
            f"{name}: {seconds[name]:.2f} s, {ratio:.2f} x as fast (at least {wanted:g}), "
            f"{100 * same[name]:.2f} % identical labels (at least {100 * alike:g})"
        )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
