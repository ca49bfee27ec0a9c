"""
What a model folder says of itself, in `rarecase.json`: how it was made, of how many texts, and how well it does.

    {"format": 1, "learner", "model", "precision", "seed", "settings", "names",
     "data": {"configs", "train_rows", "class_counts"}, "dev": {…}, "test": {…}, "test_digest"}

Numbers and names: no text of the data, and no path of the machine it was made on. The same run and seed give the same
bytes.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rarecase.core.errors import ModelError
from rarecase.data.counts import class_counts
from rarecase.data.schema import label_names, texts

if TYPE_CHECKING:
    from datasets import Dataset

    from rarecase.learn import Learner

RECORD = "rarecase.json"
FORMAT = 1


def record_of(
    learner: "Learner",
    *,
    configs: Sequence[str],
    train: "Dataset",
    test: "Dataset",
    measured: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """
    The record of a learner, ready for `learner.save(folder, record)`.

    Args:
        learner (`Learner`): fitted.
        configs (`Sequence[str]`): the configs of the release whose training rows it learned from.
        train (`Dataset`): these rows, with `label`.
        test (`Dataset`): what it was measured on, with `text` and `label`.
        measured (`Mapping`): `dev` and `test`, see `rarecase.evaluate.metrics.all_metrics`.

    Example:
        >>> learner.save("guard", record_of(learner, configs=["cluster"], train=train, test=test, measured=measured))
    """
    return {
        "format": FORMAT,
        **learner.describe(),
        "data": {
            "configs": list(configs),
            "train_rows": len(train),
            "class_counts": class_counts(train, learner.names),
        },
        "dev": measured["dev"],
        "test": measured["test"],
        "test_digest": digest_of(test),
    }


def digest_of(test: "Dataset") -> str:
    """
    One hash over the texts of a set and the names of their labels, whatever the order of the rows: tells whether a
    model was measured on this set.

    Args:
        test (`Dataset`): with `text` and `label`.

    Example:
        >>> digest_of(test) == read_record(Path("guard"))["test_digest"]
        True
    """
    names = label_names(test)
    pairs = sorted(zip(texts(test), (names[label] for label in test["label"][:]), strict=True))
    return hashlib.blake2b(json.dumps(pairs).encode(), digest_size=16).hexdigest()


def read_record(folder: Path) -> dict[str, Any] | None:
    """
    The record of a model folder; None where it has none.

    Raises:
        `ModelError`: where it cannot be read, or is of another format.

    Example:
        >>> read_record(Path("guard"))["test"]["macro_f1"]
        71.2
    """
    path = folder / RECORD
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: no readable JSON; train the model again, or delete this file") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ModelError(f"{path}: of another format, this rarecase reads {FORMAT}; use the rarecase that wrote it")
    return record
