"""
Variations of labelled posts: the template `T(x, O(x))` of Hassan, Sicilia and Alikhani (2024), section 3.2.

A generator takes labelled posts and gives a table of variations that carry their parent's label. There are five:
`endpoint.Endpoint` (any OpenAI-compatible server), `local.Local` (a `transformers` model in this process),
`replay.Replay` (variations that exist already), `cheap.Cheap` (no model at all) and `NoVariations`.
"""

from collections.abc import Mapping, Set
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from datasets import Dataset

from rarecase.data import arrow, schema


class Generator(Protocol):
    """Anything that makes variations of labelled posts."""

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        """
        Args:
            seeds (`Dataset`): labelled posts: `id`, `text`, `label`, and `round` and `strategy` where they are known.
            k (`int`): how many variations of each.

        Returns:
            `Dataset`: the columns of `schema.features`, the posts in order and the variations of each one after the
            other; what failed a check is there too, marked, see `accepted`.
        """
        ...


class NoVariations:
    """
    The generator `none`: learning from the human labels alone.

    Example:
        >>> len(NoVariations().generate(labels, 5))
        0
    """

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        """An empty table with the columns of `schema.features`."""
        return variations_table(seeds, [])


def accepted(variations: Dataset) -> Dataset:
    """
    The variations that may be learned from: those without a failed check.

    Args:
        variations (`Dataset`): from `Generator.generate`.

    Returns:
        `Dataset`: the same columns, the rows in the order they had.

    Example:
        >>> train = concatenate_datasets([train, labels, accepted(variations)])
    """
    arrow.require(variations, "checks")
    found = arrow.to_table(variations.select_columns(["checks"]))["checks"].to_pylist()
    passed = [all(check["passed"] is not False for check in checks or []) for checks in found]
    return arrow.rows(variations, np.flatnonzero(passed))


def parents(seeds: Dataset) -> list[dict[str, Any]]:
    """What a variation takes over from its parent: one dictionary per row, `label` as the index of the class."""
    for column in ("id", "text", "label"):
        arrow.require(seeds, column)
    columns = [c for c in ("id", "text", "label", "round", "strategy") if c in seeds.column_names]
    return arrow.to_table(seeds.select_columns(columns)).to_pylist()


def variation_row(parent: Mapping[str, Any], i: int, text: str, **provenance: Any) -> dict[str, Any]:
    """
    The row of one variation.

    Args:
        parent (`Mapping[str, Any]`): a row of `parents`.
        i (`int`): the how manyeth variation of its parent it is, from 1.
        text (`str`): the variation; an empty one is marked as failed.
        provenance: the columns `generator`, `prompt_hash` and, where they are known already, `checks`.
    """
    checks = [{"check": "not-empty", "passed": bool(text), "value": None}]
    return {
        "id": f"{parent['id']}-{i}",
        "text": text,
        "label": parent["label"],
        "origin": schema.GENERATED,
        "parent_id": parent["id"],
        "round": parent.get("round"),
        "strategy": parent.get("strategy"),
        "checks": checks,
        **provenance,
    }


def with_own_ids(variations: Dataset, taken: Set[str]) -> Dataset:
    """
    The variations, the id of one that stands for a post already made longer: `23-1` may be the first variation of
    `23`, and a post as well.

    Args:
        variations (`Dataset`): from `Generator.generate`.
        taken (`Set[str]`): the ids of all posts.

    Example:
        >>> with_own_ids(variations, {"23", "23-1"})["id"][:]
        ['23-1v', '23-2']
    """
    ids = variations["id"][:]
    if not taken & set(ids):
        return variations
    # Every id that `variation_row` makes ends in a digit, so none of those to come is hit either.
    return arrow.with_column(variations, "id", [_free(id_, taken) for id_ in ids])


def _free(id_: str, taken: Set[str]) -> str:
    while id_ in taken:
        id_ += "v"
    return id_


def variations_table(seeds: Dataset, rows: list[dict[str, Any]]) -> Dataset:
    """The rows of `variation_row` as a table with the columns of `schema.features`, its classes those of `seeds`."""
    target = schema.features(schema.label_names(seeds)).arrow_schema
    return arrow.from_table(pa.Table.from_pylist(rows, schema=target))
