"""
How fast the strategies choose, as ratios to what the libraries' documented calls take in the same run.

    coreset: picking 100 of 100,000 x 384 float32, at most 0.6 x the time of 100 products `X @ x`
    cluster: assigning and picking, at most 1.1 x `MiniBatchKMeans(100).fit(X)` plus one gather and one sort

    python benchmarks/strategies.py
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from sklearn.cluster import MiniBatchKMeans

from rarecase.acquire.clusters import assign_clusters, cluster
from rarecase.acquire.coreset import coreset, k_center
from rarecase.core import randomness
from rarecase.data.arrow import from_table, with_column

ROWS, DIMENSIONS, PICKS = 100_000, 384, 100


def seconds(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def ratio(ours: Callable[[], object], theirs: Callable[[], object], repeats: int = 5) -> tuple[float, float]:
    """Medians of `repeats` alternating runs."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    mine, other = np.median(pairs, axis=0)
    return mine / other, other


def textbook(X: np.ndarray, n: int) -> np.ndarray:
    """Greedy k-center as it is printed: every distance brought up to date after each centre."""
    norms = np.einsum("ij,ij->i", X, X)
    mean = X.mean(axis=0)
    picks = [int(np.argmax(norms - 2 * (X @ mean) + mean @ mean))]
    distance = np.full(len(X), np.inf, dtype=np.float32)
    while len(picks) < n:
        last = picks[-1]
        distance = np.minimum(distance, norms - 2 * (X @ X[last]) + norms[last])
        picks.append(int(np.argmax(distance)))
    return np.array(picks)


def main() -> int:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, DIMENSIONS)).astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    probs = rng.dirichlet(np.ones(6), ROWS).astype(np.float32)
    texts = [f"{key:08x}" for key in rng.permutation(ROWS)]
    pool = from_table(pa.table({"id": [str(i) for i in range(ROWS)], "text": texts}))
    pool = with_column(with_column(pool, "embedding", X), "probs", probs)

    same = np.array_equal(k_center(X, PICKS)[0], textbook(X, PICKS))
    core, products = ratio(lambda: coreset(pool, PICKS), lambda: [X @ X[i] for i in range(PICKS)])
    print(f"coreset   {core:.2f} x 100 products X @ x ({products:.2f} s), at most 0.6; textbook picks: {same}")

    def kmeans() -> None:
        order = np.argsort(texts)
        MiniBatchKMeans(100, random_state=randomness.integer(0, "clusters")).fit(X[order])

    chosen, baseline = ratio(lambda: cluster(assign_clusters(pool, 100), PICKS), kmeans)
    print(f"cluster   {chosen:.2f} x MiniBatchKMeans with one gather and one sort ({baseline:.2f} s), at most 1.1")
    return int(not (same and core <= 0.6 and chosen <= 1.1))


if __name__ == "__main__":
    sys.exit(main())
