"""Nearest neighbours, without a matrix of all rows times all rows."""

import numpy as np


def nearest(points: np.ndarray, others: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """
    The Euclidean distances, rising, to the `k` nearest of `others` to each point, and their rows.

    It is scikit-learn's search through all, which keeps only the best at hand.
    """
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(others).kneighbors(points)


def neighbours_within(points: np.ndarray, others: np.ndarray, radius: float) -> np.ndarray:
    """How many of `others` lie within `radius` of each point, counted block by block."""
    # |x - y|² <= r²  ⇔  x·y - |y|²/2 >= (|x|² - r²)/2: few passes over the products, which are most of the work. The
    # slack is what float32 loses, or a row could lie outside a small radius of itself.
    square, half = np.einsum("ij,ij->i", points, points), np.einsum("ij,ij->i", others, others) / 2
    reach = (square - np.float32(min(radius, 1e15) ** 2) - 2e-6 * square) / 2
    counts = np.zeros(len(points), np.int64)
    for rows in _blocks(len(points), 1024):
        for columns in _blocks(len(others), 4096):
            products = points[rows] @ others[columns].T
            products -= half[columns]
            counts[rows] += np.count_nonzero(products >= reach[rows, None], axis=1)
    return counts


def distance_to_other_group(points: np.ndarray, group: np.ndarray, some: np.ndarray) -> np.ndarray:
    """The distance from each of `some` rows to the nearest point of another group; infinite where there is none."""
    far = np.full(len(some), np.inf)
    for own in np.unique(group[some]):
        of_own, others = np.flatnonzero(group[some] == own), np.flatnonzero(group != own)
        for rows in _blocks(len(others), 16384) if len(others) else ():
            distance, _ = nearest(points[some[of_own]], points[others[rows]], 1)
            far[of_own] = np.minimum(far[of_own], distance[:, 0])
    return far


def _blocks(rows: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
