"""Files of a release that somebody has written anew before it is published: what goes along, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Value, load_dataset
from huggingface_hub import hf_hub_download
from pushed import PLACE, publish, release
from small import NAMES

from rarecase.core.errors import DataError
from rarecase.data.arrow import with_column
from rarecase.data.parquet import read_parquet
from rarecase.data.schema import features
from rarecase.hub.commit import Snapshot
from rarecase.publish.dataset import dataset_files, read_release


def changed(folder: Path, change: Callable[[Dataset], Dataset]) -> Path:
    """A release whose rows to learn from are others."""
    path = release(folder, "cluster") / "cluster" / "train.parquet"
    change(read_parquet(path)).to_parquet(path)
    return folder


def test_a_column_that_no_release_has_stays_here_and_one_that_is_gone_is_null(fresh_hub, tmp_path):
    def change(table: Dataset) -> Dataset:
        return table.remove_columns("votes").add_column("email", ["maria@example.org"] * len(table))

    publish(changed(tmp_path / "data", change))
    there = load_dataset("acme/safety")["train"]  # which refuses other columns than those that the card names
    assert there.features == features(NAMES)
    assert there["votes"][:] == [None] * 3
    path = hf_hub_download("acme/safety", "cluster/train.parquet", repo_type="dataset")
    assert pq.read_schema(path).names == list(features(NAMES))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda table: table.cast_column("label", ClassLabel(names=sorted(NAMES))), "its classes are not those of"),
        (lambda table: with_column(table, "round", ["a post of somebody"] * 3, Value("string")), "a column is not of"),
    ],
)
def test_other_classes_and_types_are_one_line_without_a_row(tmp_path, change, says):
    with pytest.raises(DataError, match=rf"train\.parquet: {says} .*; put the file back$") as said:
        dataset_files(read_release(changed(tmp_path / "data", change)), Snapshot(PLACE), license="mit", about={})
    assert said.value.__suppress_context__ or said.value.__context__ is None  # which could show the post
