"""Variations that exist already, such as the published ones: no model is asked."""

import hashlib
import json
from collections import defaultdict
from typing import Any

from datasets import Dataset

from rarecase.core.errors import GeneratorError
from rarecase.data import arrow, schema
from rarecase.generate import parents, variation_row, variations_table


class Replay:
    """
    The generator `replay`: hands out the variations that a table holds.

    A post finds its variations by its text where the table holds their parent too, so ids need not agree (a pool has
    other ids than a release); where the table holds variations alone, by `parent_id`.

    Args:
        dataset (`Dataset`): variations (`parent_id` set, or `origin` `generated`) and, where they are known, the posts
            that they vary; `id`, `text` and `parent_id`.

    Attributes:
        digest (`str`): a hash over all that it can hand out, whatever the order of the posts.

    Raises:
        `MissingColumnError`: where a column is missing.
        `GeneratorError`: where the table holds no variation at all.

    Example:
        >>> replay = Replay(load_dataset(release, "cluster", split="train"))
        >>> variations = replay.generate(labels, 5)
    """

    def __init__(self, dataset: Dataset):
        for column in ("id", "text", "parent_id"):
            arrow.require(dataset, column)
        wanted = ("id", "text", "parent_id", "origin", "generator", "prompt_hash", "checks")
        columns = [column for column in wanted if column in dataset.column_names]
        rows = arrow.to_table(dataset.select_columns(columns)).to_pylist()
        text_of = {row["id"]: row["text"] for row in rows if not _is_variation(row)}
        self._by_text: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._by_id: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in filter(_is_variation, rows):
            if row["parent_id"] in text_of:
                self._by_text[text_of[row["parent_id"]].strip()].append(row)
            elif row["parent_id"] is not None:
                self._by_id[row["parent_id"]].append(row)
        content = json.dumps([self._by_text, self._by_id], sort_keys=True)
        self.digest = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
        if not self._by_text and not self._by_id:
            raise GeneratorError(
                "the data to replay holds no variations (no row has a `parent_id`); give a table of variations with "
                "--generator-data, or choose --generator none"
            )

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        """
        The first `k` variations of each post, with the label that the post has in `seeds`.

        Args:
            seeds (`Dataset`): labelled posts.
            k (`int`): how many of each; a post that has fewer gives what there is.

        Raises:
            `GeneratorError`: where the data holds a variation of none of the posts.
        """
        posts = parents(seeds)
        found = [self._by_text.get(post["text"].strip()) or self._by_id.get(post["id"]) or [] for post in posts]
        if posts and not any(found):
            raise GeneratorError(
                f"none of the {len(posts)} posts has variations in the data to replay, which knows those of "
                f"{len(self._by_text) + len(self._by_id)} others; check --generator-data"
            )
        rows = [
            variation_row(post, i, row["text"] or "", **_provenance(row))
            for post, variations in zip(posts, found, strict=True)
            for i, row in enumerate(variations[:k], 1)
        ]
        return variations_table(seeds, rows)


def _is_variation(row: dict[str, Any]) -> bool:
    return row["parent_id"] is not None or row.get("origin") == schema.GENERATED


def _provenance(row: dict[str, Any]) -> dict[str, Any]:
    known = {"generator": row.get("generator") or "replay", "prompt_hash": row.get("prompt_hash")}
    # A variation that failed a check when it was made stays failed.
    return {**known, "checks": row["checks"]} if row.get("checks") else known
