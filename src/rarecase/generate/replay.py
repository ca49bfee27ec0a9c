"""Variations that exist already, such as the published ones: no model is asked."""

import json
from collections import defaultdict
from typing import Any

from datasets import ClassLabel, Dataset

from rarecase.core.errors import GeneratorError, listed
from rarecase.data import arrow, schema
from rarecase.generate import Variation, variations_table

_COLUMNS = ("id", "text", "label", "parent_id", "origin", "generator", "prompt_hash", "checks")
Row = dict[str, Any]  # of these columns those that the table has


class Replay:
    """
    The generator `replay`: returns the variations that a table holds.

    A post finds its variations by its text where the table holds their parent too, so ids need not agree (a pool has
    other ids than a release); where the table holds variations alone, by `parent_id`. A variation has the label of its
    post; one that the check `contrast` marks has that of the table. In a table that also has the posts, variations are
    the rows with a `parent_id`, or with the `origin` `generated`.
    """

    def __init__(self, dataset: Dataset):
        arrow.require(dataset, "id", "text", "parent_id")
        rows: list[Row] = dataset.select_columns([c for c in _COLUMNS if c in dataset.column_names]).to_list()
        for row in rows:
            own = row.pop("label", None)
            if own is not None and _is_contrast(row):
                feature = dataset.features["label"]
                row["label"] = feature.int2str(own) if isinstance(feature, ClassLabel) else own
        text_of = {row["id"]: row["text"] or "" for row in rows if not _is_variation(row)}
        self._by_text: dict[str, list[Row]] = defaultdict(list)
        self._by_id: dict[str, list[Row]] = defaultdict(list)
        for row in filter(_is_variation, rows):
            parent = row["parent_id"]
            if parent in text_of:
                self._by_text[text_of[parent].strip()].append(row)
            elif parent is not None:
                self._by_id[parent].append(row)
        # Over all variations, whatever the order of the posts.
        self.digest = schema.hash_of(json.dumps([self._by_text, self._by_id], sort_keys=True))
        if not self._by_text and not self._by_id:
            raise GeneratorError(
                "the data to replay has no variations (no row has a `parent_id`); give a table of variations with "
                "--generator-data, or choose --generator none"
            )

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        """The first `k` variations of each post, or as many as there are; an error where no post has any."""
        arrow.require(seeds, "id", "text")
        posts = zip(seeds["id"][:], schema.texts(seeds), strict=True)
        found = [self._by_text.get(text.strip()) or self._by_id.get(id_) or [] for id_, text in posts]
        if found and not any(found):
            raise GeneratorError(
                f"the data to replay has variations of {len(self._by_text) + len(self._by_id)} posts, and of none of "
                f"these {len(found)}; check --generator-data"
            )
        names = schema.label_names(seeds)
        for label in {row["label"] for own in found for row in own[:k] if "label" in row} - {*names}:
            raise GeneratorError(
                f"the data to replay has contrasts of {label[:40]!r}, which is no class here; expected one of "
                f"{listed(names)}, check --generator-data"
            )
        return variations_table(seeds, [[_variation(row) for row in own[:k]] for own in found])


def _is_variation(row: Row) -> bool:
    return row["parent_id"] is not None or row.get("origin") == schema.GENERATED


def _is_contrast(row: Row) -> bool:
    return any(one["check"] == "contrast" for one in row.get("checks") or ())


def _variation(row: Row) -> Variation:
    # A variation that failed a check when it was made stays failed.
    return Variation(
        row["text"] or "",
        row.get("generator") or "replay",
        row.get("prompt_hash"),
        row.get("checks"),
        row.get("label"),
    )
