"""
How fast and how lean BADGE chooses, as ratios to scikit-activeml's `Badge` in the same run: 50 of 200,000 x 384 with
two classes, the same float32 probabilities and features for both, at most 0.2 x the time and 0.2 x the memory.

    pip install 'rarecase[bench]'
    python benchmarks/badge.py [ROWS]

Each choice is made in a process of its own. The time is that of the choice alone, after all is loaded and a small
choice has been made; the memory is by how much the peak of the process exceeds what it holds before.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROWS, DIMENSIONS, CLASSES, PICKS = 200_000, 384, 2, 50
MARK = 0.2


def write(folder: Path, rows: int) -> None:
    """Features of length 1, as sentence encoders give them, and the probabilities of a learner that is mostly sure."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((rows, DIMENSIONS), dtype=np.float32)
    np.save(folder / "features", features / np.linalg.norm(features, axis=1, keepdims=True))
    np.save(folder / "probs", rng.dirichlet(np.full(CLASSES, 0.5), rows).astype(np.float32))


def ours(features: np.ndarray, probs: np.ndarray) -> Callable[[], object]:
    from rarecase.acquire.badge import badge
    from rarecase.data.arrow import from_table
    from rarecase.data.schema import pa

    def lists(values: np.ndarray) -> pa.Array:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])

    texts = [f"{key:08x}" for key in np.random.default_rng(1).permutation(len(probs))]
    pool = from_table(pa.table({"id": texts, "text": texts, "features": lists(features), "probs": lists(probs)}))
    return lambda: badge(pool, PICKS, seed=0)


def theirs(features: np.ndarray, probs: np.ndarray) -> Callable[[], object]:
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.pool import Badge

    class Known(SkactivemlClassifier):
        """A classifier whose probabilities and features are known, so that only the choice is measured."""

        def fit(self, X: np.ndarray, y: np.ndarray) -> "Known":
            return self

        def predict_proba(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return probs, X

    y, classifier = np.full(len(probs), np.nan), Known(classes=list(range(CLASSES)))
    return lambda: Badge(random_state=0).query(features, y, classifier, fit_clf=False, batch_size=PICKS)


def measure(who: str, folder: Path) -> tuple[float, float]:
    """Seconds of one choice, and MB of the peak above what is held before; in a process of its own."""
    choose = {"ours": ours, "theirs": theirs}[who]
    features, probs = np.load(folder / "features.npy"), np.load(folder / "probs.npy")
    choose(features[:500].copy(), probs[:500].copy())()
    call = choose(features, probs)
    held, begun = memory("VmRSS"), time.perf_counter()
    call()
    return time.perf_counter() - begun, memory("VmHWM") - held


def memory(field: str) -> float:
    """MB that this process holds (`VmRSS`) or held at most (`VmHWM`: `ru_maxrss` would take in its parent's)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def in_a_process(who: str, folder: str) -> list[float]:
    command = [sys.executable, __file__, who, folder]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main(rows: int = ROWS) -> int:
    if not importlib.util.find_spec("skactiveml"):
        print("badge     not measured: needs scikit-activeml; pip install 'rarecase[bench]'")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), rows)
        own, other = (in_a_process(who, folder) for who in ("ours", "theirs"))
    seconds, megabytes = own[0] / other[0], own[1] / other[1]
    print(
        f"badge     {seconds:.3f} x the time ({other[0]:.1f} s) and {megabytes:.3f} x the memory ({other[1]:.0f} MB) "
        f"of scikit-activeml for {PICKS} of {rows} x {DIMENSIONS}, at most {MARK}"
    )
    return int(seconds > MARK or megabytes > MARK)


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["theirs"]):
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
    else:
        sys.exit(main(*map(int, sys.argv[1:2])))
