"""What a learner predicted for dev and test: the table `predictions.parquet`."""

from collections.abc import Mapping, Sequence

import numpy as np
from datasets import Dataset, concatenate_datasets

from rarecase.data.arrow import matrix, with_column
from rarecase.evaluate.metrics import AllMetrics, all_metrics


def predictions_of(scored: Mapping[str, Dataset]) -> Dataset:
    """The predictions for splits that are scored: `id`, `label`, `probs` and the name of the `split`."""
    kept = {name: table.select_columns(["id", "label", "probs"]) for name, table in scored.items()}
    return concatenate_datasets([with_column(t, "split", [name] * len(t)) for name, t in kept.items()])


def labels_and_guesses(predictions: Dataset, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The true and the predicted classes of a split."""
    of = np.array(predictions["split"][:]) == split
    return matrix(predictions, "label")[of], matrix(predictions, "probs").argmax(axis=1)[of]


def measured(predictions: Dataset, names: Sequence[str]) -> dict[str, AllMetrics]:
    """All figures on dev and on test."""
    return {name: all_metrics(*labels_and_guesses(predictions, name), names) for name in ("dev", "test")}
