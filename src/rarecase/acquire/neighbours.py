"""Nearest neighbours, without a matrix of all rows times all rows."""

import numpy as np


def nearest(points: np.ndarray, others: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """
    The `k` nearest of `others` to each point: scikit-learn's search through all, which keeps only the best at hand.

    Args:
        points (`np.ndarray`): float32, shape `(points, dimensions)`.
        others (`np.ndarray`): float32, shape `(others, dimensions)`.
        k (`int`): how many, at most `len(others)`.

    Returns:
        `(np.ndarray, np.ndarray)`: Euclidean distances, rising, and rows of `others`, both of shape `(points, k)`.

    Example:
        >>> nearest(np.array([[0.0]]), np.array([[5.0], [1.0], [-2.0]]), 2)[1]
        array([[1, 2]])
    """
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(others).kneighbors(points)


def neighbours_within(points: np.ndarray, others: np.ndarray, radius: float) -> np.ndarray:
    """
    How many of `others` lie within `radius` of each point, counted block by block.

    Args:
        points (`np.ndarray`): float32, shape `(points, dimensions)`.
        others (`np.ndarray`): float32, shape `(others, dimensions)`.
        radius (`float`): the Euclidean distance at most.

    Returns:
        `np.ndarray`: int64, shape `(points,)`.

    Example:
        >>> neighbours_within(np.array([[0.0]]), np.array([[5.0], [1.0], [-2.0]]), 2.0)
        array([2])
    """
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
    """
    How far it is from some of the points to the nearest point of another group.

    Args:
        points (`np.ndarray`): float32, shape `(points, dimensions)`.
        group (`np.ndarray`): int, shape `(points,)`.
        some (`np.ndarray`): int64, shape `(some,)`: rows of `points`.

    Returns:
        `np.ndarray`: float64, shape `(some,)`; infinite where there is no other group.

    Example:
        >>> distance_to_other_group(np.array([[0.0], [1.0], [4.0]]), np.array([0, 0, 1]), np.array([1]))
        array([3.])
    """
    far = np.full(len(some), np.inf)
    for own in np.unique(group[some]):
        of_own, others = np.flatnonzero(group[some] == own), np.flatnonzero(group != own)
        for rows in _blocks(len(others), 16384) if len(others) else ():
            distance, _ = nearest(points[some[of_own]], points[others[rows]], 1)
            far[of_own] = np.minimum(far[of_own], distance[:, 0])
    return far


def _blocks(rows: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
