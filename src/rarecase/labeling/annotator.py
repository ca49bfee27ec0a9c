"""
Who labels the chosen texts: a gold column (`gold.Gold`), people with a spreadsheet (`file.File`), or people on the
labeling page (`people.People`).

An annotator is any object with the two methods of `Annotator`. It may give back fewer rows than it was given, and it
may raise `WaitingForLabels`: the run then stops, and goes on once people have done their part. One whose attribute
`suggests` is true is given the learner's guess of each text as the column `suggestion`, which nothing else sees. What
one whose attribute `leaves_out` is true gives back no label for was left out for good, and does not go back to the
pool.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from datasets import Dataset

from rarecase.data import arrow, schema


class Annotator(Protocol):
    """The O(x) of Algorithm 1."""

    def annotate(self, dataset: Dataset) -> Dataset:
        """
        Labels the rows, or those of them that it can.

        Args:
            dataset (`Dataset`): columns `id` and `text`; other columns stay as they are.

        Returns:
            `Dataset`: the labelled rows, in the order given, with `label`, `annotator` and `votes`.

        Raises:
            `WaitingForLabels`: where people have to act first.
        """
        ...

    def stored(self, labels: Dataset) -> None:
        """
        Told once the labels it gave are stored, and again whenever a run that goes on reads them.

        Args:
            labels (`Dataset`): what `annotate` returned.
        """
        ...


def labelled(
    dataset: Dataset,
    labels: Sequence[int],
    names: Sequence[str],
    *,
    annotator: str | Sequence[str],
    votes: Sequence[list[dict[str, Any]] | None],
) -> Dataset:
    """
    The table with what an annotator adds.

    Args:
        dataset (`Dataset`): the rows that have been labelled.
        labels (`Sequence[int]`): their classes, shape `(rows,)`.
        names (`Sequence[str]`): the classes of the taxonomy, in order.
        annotator (`str | Sequence[str]`): who labelled them, or each of them.
        votes (`Sequence[list[dict] | None]`): per row each person's `annotator`, `label` and `seconds`, or None.

    Returns:
        `Dataset`: the rows with `label` (ClassLabel), `annotator` and `votes`, whatever these held before.

    Example:
        >>> labelled(chosen, [0, 1], ["harmful", "not-harmful"], annotator="gold", votes=[None, None])
    """
    by = [annotator] * len(dataset) if isinstance(annotator, str) else annotator
    added = {"label": labels, "annotator": by, "votes": votes}
    released = schema.features(names)
    for column, values in added.items():
        dataset = arrow.with_column(dataset, column, values, released[column])
    return dataset
