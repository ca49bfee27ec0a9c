"""
How fast a guard checks the 2,700 published test titles, with its normaliser and its windows, as ratios to
`transformers`, `pipeline("text-classification", model)` with its defaults, with the same model in the same run.

    bf16: at least 8 x as fast where the processor has it (avx512_bf16, amx_bf16), 5 x where it emulates it
    onnx: fp32, at least 5 x as fast, with scores within 1e-3 of torch; takes the extra `onnx`

A guard in fp32 is shown beside them. On a machine with a GPU, `CUDA_VISIBLE_DEVICES= ` measures the processor.

    python benchmarks/guard.py --published ../shared/published
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scoring import NAMES, arguments, bf16_hardware, labelled, medians
from transformers import pipeline

from rarecase.data import schema
from rarecase.guard.guard import Guard
from rarecase.learn.finetune import Finetune
from rarecase.learn.hyperparameters import FitOptions

NATIVE, EMULATED, ONNX, CLOSE = 8.0, 5.0, 5.0, 1e-3


def main() -> int:
    published = arguments(__doc__)
    texts = schema.texts(labelled(published, "test"))
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "guard")
        learner = Finetune("packaged", NAMES, FitOptions(precision="fp32"), seed=0)
        learner.fit(labelled(published, "bootstrap"), labelled(published, "dev")).save(model)
        classify = pipeline("text-classification", model=model)
        guards = {
            "fp32": Guard.from_pretrained(model),
            "bf16": Guard.from_pretrained(model, dtype="bf16"),
            "onnx": Guard.from_pretrained(model, backend="onnx"),
        }
        probs = {name: guard.scores(texts).probs for name, guard in guards.items()}
        calls: dict[str, Callable[[], object]] = {"pipeline": lambda: classify(texts, truncation=True)}
        calls |= {name: lambda guard=guard: guard.check(texts) for name, guard in guards.items()}
        seconds = medians(calls)

    hardware = bf16_hardware()
    marks = {"bf16": NATIVE if hardware else EMULATED, "onnx": ONNX}
    print(f"bf16 is computed by {hardware or 'nothing, so it is emulated,'} here")
    print(f"pipeline with its defaults: {seconds['pipeline']:.2f} s for {len(texts)} titles")
    held = True
    for name in guards:
        ratio, mark = seconds["pipeline"] / seconds[name], marks.get(name)
        apart = float(np.abs(probs[name] - probs["fp32"]).max())
        held &= (mark is None or ratio >= mark) and (name != "onnx" or apart <= CLOSE)
        print(
            f"{name}: {seconds[name]:.2f} s, {ratio:.2f} x as fast{'' if mark is None else f' (at least {mark:g})'}, "
            f"scores within {apart:.1g} of fp32"
        )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
