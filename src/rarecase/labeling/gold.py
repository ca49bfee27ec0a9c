"""Labels that exist already: for a simulation, and for a pool that people have labelled before."""

from collections.abc import Mapping, Sequence

from datasets import Dataset

from rarecase.core.errors import DataError, shown_id
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.annotator import Annotator, labelled


class Gold(Annotator):
    """
    Gives every row the gold label of its id, which no strategy has seen.

    Args:
        labels (`Mapping[str, int]`): the class of each id, set aside when the pool was read.
        names (`Sequence[str]`): the classes of the taxonomy, in order.

    Example:
        >>> Gold({"a": 1}, ["harmful", "not-harmful"]).annotate(chosen)["label"][:]
        [1]
    """

    def __init__(self, labels: Mapping[str, int], names: Sequence[str]):
        self.labels = labels
        self.names = names

    def annotate(self, dataset: Dataset) -> Dataset:
        """
        All rows with their gold label; `annotator` is `gold`, and `votes` is null since nobody was asked.

        Args:
            dataset (`Dataset`): column `id`.

        Raises:
            `DataError`: naming the first id without a gold label.
        """
        ids = dataset["id"][:]
        for row, id_ in enumerate(ids, 1):
            if id_ not in self.labels:
                raise DataError(
                    f"id{shown_id(id_)}, row {row} of those to label, has no gold label; give it one in the pool, or "
                    "have people label it with --annotator file"
                )
        labels = [self.labels[id_] for id_ in ids]
        return labelled(dataset, labels, self.names, annotator="gold", votes=[None] * len(ids))


def gold_annotator(gold: Dataset, taxonomy: Taxonomy) -> Gold:
    """The annotator that knows the labels which were set aside."""
    return Gold(dict(zip(gold["id"][:], gold["label"][:], strict=True)), taxonomy.names)
