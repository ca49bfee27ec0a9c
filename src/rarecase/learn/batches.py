"""
Which rows share a batch: texts of like length, so that little of the work goes into padding.

Training rows are sorted by text, then by label, before anything is drawn; so neither the order of the rows nor the
other columns of the table change what is learned.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset

from rarecase.core.errors import DataError
from rarecase.core.randomness import generator
from rarecase.data import arrow, schema


def training_rows(train: Dataset, names: Sequence[str]) -> tuple[Dataset, np.ndarray]:
    """The `labelled_rows` of a training set, which must have a row."""
    rows, labels = labelled_rows(train, names, "train")
    if not len(rows):
        raise DataError("train has no rows; a learner needs at least one labelled text")
    return rows, labels


def labelled_rows(dataset: Dataset, names: Sequence[str], what: str) -> tuple[Dataset, np.ndarray]:
    """The rows in canonical order, and their classes, int64 `(rows,)`; `what` names the set in messages."""
    found = schema.label_names(dataset)
    if found != list(names):
        raise DataError(
            f"{what}: column 'label' has {len(found)} classes that are not the learner's {len(names)} in their order; "
            "cast_column('label', ClassLabel(names=taxonomy.names))"
        )
    labels = dataset["label"][:]
    if None in labels:
        raise DataError(f"{what} row {labels.index(None)} has no label; label it or leave it out")
    order = schema.canonical_order(dataset)
    return arrow.rows(dataset, order), np.array(labels, np.int64)[order]


class LengthGrouped:
    """
    Batches of rows of like length, drawn anew each epoch; the last one of an epoch may have fewer rows.

    The rows are shuffled and cut into chunks of up to 50 batches, each chunk is sorted by length and cut into batches,
    and the batches are shuffled: `transformers`' `group_by_length`, except that an epoch does not go from long to
    short.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int):
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        rng = generator(self.seed, "batches", self.epoch)
        rows = rng.permutation(len(self.lengths))
        # At least four chunks, or a small set would be sorted outright and have the same batches every epoch.
        chunk = self.batch_size * max(1, min(50, len(self) // 4))
        chunks = (rows[start : start + chunk] for start in range(0, len(rows), chunk))
        grouped = np.concatenate([part[np.argsort(-self.lengths[part], kind="stable")] for part in chunks])
        for i in rng.permutation(len(self)):
            yield grouped[i * self.batch_size : (i + 1) * self.batch_size].tolist()


@dataclass(frozen=True)
class Shares:
    """
    Batches as `accelerator.prepare` shares them out: of N processes each gets every N-th that it is given, so each
    batch is there N times, every time with the rows of one process.

    A row comes with what its loss is divided by, so that the losses of all processes sum to that of the batch. It is
    infinite where a process has none of the rows, and takes the first: each has to have gradients.

    Example:
        >>> list(Shares([[4, 2, 7], [5]], lambda place, rows: len(rows), processes=2))
        [[(4, 3), (7, 3)], [(2, 3)], [(5, 1)], [(5, inf)]]
    """

    batches: LengthGrouped | Sequence[list[int]]  # of an epoch, as lists of rows
    divisor: Callable[[int, list[int]], float]  # for the place of a batch in the epoch, and its rows
    processes: int

    def __len__(self) -> int:
        return len(self.batches) * self.processes

    def __iter__(self) -> Iterator[list[tuple[int, float]]]:
        for place, rows in enumerate(self.batches):
            divisor = self.divisor(place, rows)
            for process in range(self.processes):
                own = rows[process :: self.processes]
                yield [(row, divisor) for row in own] or [(rows[0], math.inf)]


def token_batches(lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """
    Batches for scoring: sorted by length, each of at most `budget` tokens with its padding (but at least one row).

    Example:
        >>> [batch.tolist() for batch in token_batches(np.array([5, 2, 2, 9]), budget=10)]
        [[1, 2], [0], [3]]
    """
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    for end in range(1, len(order)):
        if (end - start + 1) * lengths[order[end]] > budget:  # the longest so far: every row is padded to it
            batches.append(order[start:end])
            start = end
    return [*batches, order[start:]] if len(order) else []
