"""Labels that exist already: for a simulation, and for a pool that people have labelled before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datasets import Dataset

from rarecase.core.errors import DataError, shown_id
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.annotator import Annotator, labelled


@dataclass
class Gold(Annotator):
    """Gives every row the gold label of its id, which was set aside when the pool was read."""

    labels: Mapping[str, int]
    names: Sequence[str]

    def annotate(self, dataset: Dataset) -> Dataset:
        """All rows with their gold label; `votes` is null since nobody was asked."""
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
    """The annotator for the table of labels that were set aside."""
    return Gold(dict(zip(gold["id"][:], gold["label"][:], strict=True)), taxonomy.names)
