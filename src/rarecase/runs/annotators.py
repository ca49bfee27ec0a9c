"""From the settings of a run or a start to who labels."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rarecase.data.parquet import read_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.annotator import Annotator
from rarecase.labeling.gold import gold_annotator
from rarecase.labeling.people import people
from rarecase.labeling.spreadsheet import File
from rarecase.settings.config import RunConfig, StartConfig


@contextmanager
def annotator_of(
    folder: Path, config: RunConfig | StartConfig, taxonomy: Taxonomy, context: str
) -> Iterator[Annotator]:
    """
    Who labels in a folder; a label store that it takes is closed in the end.

    Args:
        folder (`Path`): of a run or a start; it has gold.parquet where the labels exist already.
        config (`RunConfig | StartConfig`): its settings.
        taxonomy (`Taxonomy`): the classes.
        context (`str`): what asks, see `rarecase.labeling.people.People`.

    Raises:
        `ConfigError`: where the label store cannot be opened.

    Example:
        >>> with annotator_of(folder, config, taxonomy, "run 4f1c") as annotator:
        ...     labels = annotator.annotate(chosen)
    """
    if config.annotator == "people":
        with people(folder, config.store, taxonomy, context) as annotator:
            yield annotator
    elif config.annotator == "gold":
        yield gold_annotator(read_parquet(folder / "gold.parquet"), taxonomy)
    else:
        command, shown = ("start", ("set",)) if isinstance(config, StartConfig) else ("run", ())
        yield File(folder / "to_label.csv", taxonomy, f"rarecase {command} --resume {folder}", shown)
