"""
k-means++ with lazy distances: rows that are far from each other, drawn by the square of their distance.

The textbook loop brings every row's distance to its nearest centre up to date before each draw. Here a draw is a race:
the row with the largest D²_i / E_i, where the E_i are exponential and new in each round, is a draw by D² (Efraimidis
and Spirakis, 2006, *Weighted random sampling with a reservoir*). A largest value needs no other row to be up to date
whose old distance, an upper bound, already loses: the idea of `coreset`. The picks are those of the textbook loop with
the same draws.
"""

from collections.abc import Callable

import numpy as np

# Rows brought up to date first, to learn how far the best is: enough to hold it nearly always, few enough to cost
# nothing.
BLOCK = 512

Distances = Callable[[np.ndarray, np.ndarray], np.ndarray]


def k_means_plus_plus(
    squared_distances: Distances, rows: int, n: int, first: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """
    Picks rows one after another, each drawn by its squared distance to the nearest of those before it: Arthur and
    Vassilvitskii (2007), *k-means++: The Advantages of Careful Seeding*, section 2.2.

    `squared_distances(some, centres)` gives those between two sets of row numbers. Returns the picks, and the squared
    distance of each to its nearest centre when it was picked, infinite for the first. Where no row is away from the
    centres the earliest is picked.
    """
    picks, picked_at = np.empty(n, np.int64), np.empty(n)
    picks[0], picked_at[0] = first, np.inf
    distance = np.full(rows, np.inf)
    known = np.zeros(rows, np.int64)  # how many of the picks `distance` has taken in

    def update(some: np.ndarray, step: int) -> None:
        for start in range(0, len(some), BLOCK):
            block = some[start : start + BLOCK]
            fresh = squared_distances(block, picks[known[block].min() : step])
            distance[block] = np.minimum(distance[block], fresh.min(axis=1))
        known[some] = step

    distance[first] = -1.0  # below every distance: never drawn again
    known[first] = n
    if n > 1:
        update(np.flatnonzero(known < 1), 1)
    for step in range(1, n):
        time = rng.exponential(size=rows)
        speed = distance / time
        if known[np.argmax(speed)] < step:
            block = np.argpartition(speed, max(rows - BLOCK, 0))[-BLOCK:]
            update(block[known[block] < step], step)
            # Only rows whose bound reaches the best of the block can still win.
            rivals = np.flatnonzero((speed >= (distance[block] / time[block]).max()) & (known < step))
            update(rivals, step)
            speed = distance / time
        picks[step] = np.argmax(speed)
        picked_at[step] = distance[picks[step]]
        distance[picks[step]] = -1.0
        known[picks[step]] = n
    return picks, picked_at
