"""The released columns, the same in every split, see `features`. What is unknown is null, never inferred."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, Features, List, Value

from rarecase.core.errors import DataError, is_plain
from rarecase.data.arrow import as_arrow, from_columns, from_table, require, to_table

HUMAN, GENERATED = "human", "generated"
LANGUAGE_MODEL = "llm"  # what the name of an annotator begins with who is none of the people


def features(names: Sequence[str]) -> Features:
    """
    The features of every released split, for the classes of a taxonomy.

    Beside `id`, `text` and `label` the provenance: `source` (subreddit or file), `origin` (`human` or `generated`),
    `parent_id` (of a variation), `round`, `strategy`, `annotator`, `generator`, `prompt_hash`, `votes`, `checks` (what
    verification found) and `reading` (the label in the other reading, where there are two).
    """
    text, label = Value("string"), ClassLabel(names=list(names))
    return Features(
        {
            "id": text,
            "text": text,
            "label": label,
            "source": text,
            "origin": text,
            "parent_id": text,
            "round": Value("int32"),
            "strategy": text,
            "annotator": text,
            "generator": text,
            "prompt_hash": text,
            "votes": List({"annotator": text, "label": label, "seconds": Value("float32")}),
            "checks": List({"check": text, "passed": Value("bool"), "value": Value("float32")}),
            "reading": label,
        }
    )


def conform(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """
    The table with exactly the columns of `features(names)`: missing ones null, others left out.

    It needs `id` and `text`; a `label` is given as class indices in the order of `names`, or null.
    """
    require(dataset, "id", "text")
    table, schema = to_table(dataset), features(names).arrow_schema
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return from_table(pa.table(columns, schema=schema))


def is_language_model(annotator: str | None) -> bool:
    """Whether an annotator is a language model: `llm`, or `llm` and its name, such as `llm:qwen`."""
    return annotator is not None and annotator.partition(":")[0] == LANGUAGE_MODEL


def public_id(id_: str) -> str:
    """The id for what others see: its hash where it could be a post, since texts may have been taken for ids."""
    return id_ if is_plain(id_) else hash_of(id_)


def hash_of(text: str) -> str:
    """A hash by which an id or another text is recognised, and from which it cannot be read."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def texts(dataset: Dataset) -> list[str]:
    """The column `text` as a list, in the order of the rows."""
    require(dataset, "text")
    return dataset["text"][:]


def as_table(texts: Dataset | Sequence[str]) -> Dataset:
    """A table of texts: a `Dataset` as it is, or one with the column `text` made of a list."""
    if isinstance(texts, Dataset):
        return texts
    # What is read once, as a generator is, would be empty for whoever reads it next; and a set has no order.
    is_list = isinstance(texts, Sequence) or (hasattr(texts, "__array__") and getattr(texts, "ndim", 1) == 1)
    if isinstance(texts, str) or not is_list or not all(isinstance(text, str) for text in texts):
        raise DataError("expected a Dataset or a list of texts, such as ['How do I fix a flat tyre?']")
    return from_columns({"text": list(texts)}, Features({"text": Value("string")}))


def canonical_order(dataset: Dataset) -> np.ndarray:
    """
    The rows (int64) sorted by text, and where there are labels by these: the order in which every draw, tie and sum
    goes, so that the order of the rows changes nothing. Equal rows keep their order.
    """
    require(dataset, "text")
    keys = [name for name in ("text", "label") if name in dataset.column_names]
    view = as_arrow(dataset)
    table = pa.table({key: view[key] for key in keys})
    return pc.sort_indices(table, [(key, "ascending") for key in keys]).to_numpy().astype(np.int64)


def label_names(dataset: Dataset) -> list[str]:
    """The classes of the column `label`, in order."""
    require(dataset, "label")
    feature = dataset.features["label"]
    if not isinstance(feature, ClassLabel):
        raise DataError(
            f"column 'label' is {type(feature).__name__}, expected ClassLabel: "
            "dataset.cast_column('label', ClassLabel(names=taxonomy.names))"
        )
    return list(feature.names)
