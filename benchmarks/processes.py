"""
What two processes of one thread gain over one of one thread, for embedding, scoring and fitting 2,000 texts: the
ratios of wall time (at most 0.6) and of processor time (at most 1.1), medians of three, in turn, in the same run.
Fitted are posts of ten titles each; titles alone are shown without a mark: to add up the gradients of 22 million
weights takes as long as to compute those of 16 titles.

    python benchmarks/processes.py --published ../shared/published

Needs two idle cores.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scoring import NAMES, arguments, labelled

from rarecase.core.processes import from_all, is_main, leave
from rarecase.data import arrow
from rarecase.learn.finetune import Finetune
from rarecase.learn.hyperparameters import FitOptions
from rarecase.models.encoder import encode, load_encoder

TEXTS, TIMES, UPDATES = 2_000, 3, 40
WALL, PROCESSOR = 0.6, 1.1
OUT = "PROCESSES_OUT"  # where one of the processes writes what they measured
TITLES = "fitting titles"  # without a mark


def measure(published: Path, out: Path) -> None:
    """What one of the processes does: each task once, timed between two moments at which all are there."""
    test, dev = labelled(published, "test"), labelled(published, "dev")
    texts, encoder = arrow.rows(test, range(TEXTS)), load_encoder()
    titles = texts["text"][:]
    posts = arrow.with_column(texts, "text", [" ".join(titles[i::200]) for i in range(200)] * (TEXTS // 200))
    options = FitOptions(precision="fp32", updates=UPDATES, max_length=256)
    fitted = Finetune("packaged", NAMES, FitOptions(precision="fp32", updates=1), seed=0).fit(
        texts, arrow.rows(dev, [])
    )
    encode(arrow.rows(texts, range(64)), encoder)  # which loads it
    tasks = {
        "embedding": lambda: encode(texts, encoder),
        "scoring": lambda: fitted.score(texts),
        "fitting": lambda: Finetune("packaged", NAMES, options, seed=0).fit(posts, arrow.rows(dev, [])),
        TITLES: lambda: Finetune("packaged", NAMES, options, seed=0).fit(texts, arrow.rows(dev, [])),
    }
    found = {}
    for name, task in tasks.items():
        from_all(0)
        begun, used = time.perf_counter(), _processor()
        task()
        used = _processor() - used
        found[name] = (time.perf_counter() - begun, sum(from_all(used)))
    if is_main():
        out.write_text(json.dumps(found))
    leave()


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run(processes: int, published: Path, out: Path) -> dict[str, list[float]]:
    """Wall and processor time of each task with so many processes."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    variables = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", OUT: str(out)}
    subprocess.run([*launcher, __file__, "--published", str(published)], check=True, env={**os.environ, **variables})
    return json.loads(out.read_text())


def main() -> int:
    published = arguments(__doc__)
    if OUT in os.environ:
        measure(published, Path(os.environ[OUT]))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = [[run(n, published, Path(folder) / "found.json") for n in (1, 2)] for _ in range(TIMES)]
    missed = False
    for name in found[0][0]:
        one, two = ([[of[n][name][k] for of in found] for k in (0, 1)] for n in (0, 1))
        wall, used = (statistics.median(two[k]) / statistics.median(one[k]) for k in (0, 1))
        print(f"{name}: wall {wall:.2f} x (at most {WALL}), processor {used:.2f} x (at most {PROCESSOR})")
        missed |= name != TITLES and (wall > WALL or used > PROCESSOR)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
