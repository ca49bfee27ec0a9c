"""
Variations of labelled posts: the template `T(x, O(x))` of Hassan, Sicilia and Alikhani (2024), section 3.2.

A generator takes labelled posts and gives a table of variations that carry their parent's label (or, of contrasts, the
class that was asked for). There are five:
`openai` and `local` ask a language model of `rarecase.llm` (`writer.Writer`), `replay` has variations that exist,
`cheap` needs no model at all, and `none` makes none.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Protocol, TypedDict

from datasets import Dataset

from rarecase.data import arrow, schema
from rarecase.data.read.columns import LONGEST


class Generator(Protocol):
    """
    Anything that makes variations of labelled posts.

    Example:
        >>> from rarecase.generate.cheap import Cheap
        >>> variations = Cheap(seed=0).generate(labeled, 5)
    """

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        """
        Makes `k` variations of each post.

        Args:
            seeds (`Dataset`): labelled posts: `id`, `text`, `label` (`ClassLabel`), and `round` and `strategy` where
                they are known.
            k (`int`): how many variations of each.

        Returns:
            `Dataset`: the columns of `schema.features`, the posts in order and the variations of each one after the
            other, with the id of their post (`parent_id`) and its label, or of contrasts the class that was asked for.
            What failed a check is there too, marked in `checks`, see `rarecase.verify`.

        Raises:
            `GeneratorError`: where the language model does not answer.
        """
        ...


class Check(TypedDict):
    """One check of a variation: its name, whether it passed (null: not decided) and what was measured."""

    check: str
    passed: bool | None
    value: float | None


@dataclass(frozen=True)
class Variation:
    """What a generator says of one variation; an empty text and one that is too long are marked as failed."""

    text: str
    generator: str
    prompt_hash: str | None = None
    checks: Sequence[Check] | None = None  # where they are known already
    label: str | None = None  # the class of a contrast; else it is that of the post


class NoVariations:
    """The generator `none`: learning from the human labels alone."""

    def generate(self, seeds: Dataset, k: int) -> Dataset:
        """An empty table with the columns of `schema.features`."""
        return variations_table(seeds, [[]] * len(seeds))


def variations_table(seeds: Dataset, variations: Sequence[Sequence[Variation]]) -> Dataset:
    """The variations of each post as a table with the columns of `schema.features`, the classes those of `seeds`."""
    arrow.require(seeds, "id", "text", "label")
    names = schema.label_names(seeds)
    posts = arrow.rows(seeds, [row for row, own in enumerate(variations) for _ in own])  # that of each variation
    made = [(i, one) for own in variations for i, one in enumerate(own, 1)]
    labels = zip(posts["label"][:], made, strict=True)
    columns = {
        **{name: posts[name][:] for name in ("round", "strategy") if name in posts.column_names},
        "label": [label if one.label is None else names.index(one.label) for label, (_, one) in labels],
        "id": [f"{id_}-{i}" for id_, (i, _) in zip(posts["id"][:], made, strict=True)],
        "text": ["" if _is_too_long(one.text) else one.text for _, one in made],
        "origin": [schema.GENERATED] * len(made),
        "parent_id": posts["id"][:],
        "generator": [one.generator for _, one in made],
        "prompt_hash": [one.prompt_hash for _, one in made],
        "checks": [one.checks or checks_of(one.text) for _, one in made],
    }
    return arrow.from_columns(columns, schema.features(names))


def checks_of(text: str) -> list[Check]:
    """The check that every new variation goes through, or the one of a text that no release may hold."""
    if _is_too_long(text):
        return [{"check": "not-too-long", "passed": False, "value": float(len(text))}]
    return [{"check": "not-empty", "passed": bool(text), "value": None}]


def _is_too_long(text: str) -> bool:
    return len(text) > LONGEST


def with_own_ids(variations: Dataset, taken: Set[str]) -> Dataset:
    """
    The variations, with a longer id where a post has the same one.

    `23-1` may be the first variation of `23`, and a post as well: the variation becomes `23-1v`.
    """
    ids = variations["id"][:]
    if not taken & set(ids):
        return variations
    # Every id that `variations_table` makes ends in a digit, so none of those to come is hit either.
    return arrow.with_column(variations, "id", [_free(id_, taken) for id_ in ids])


def _free(id_: str, taken: Set[str]) -> str:
    while id_ in taken:
        id_ += "v"
    return id_
