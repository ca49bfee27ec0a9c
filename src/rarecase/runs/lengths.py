"""What share of the texts a learner does not read to their end."""

from collections.abc import Iterable

from datasets import Dataset

from rarecase.core.progress import say
from rarecase.data.schema import texts
from rarecase.learn import Learner


def say_what_is_cut(learner: Learner, tables: Iterable[Dataset], model: str = "the model") -> None:
    """Says on stderr what share of the texts is longer than the learner reads, if any is."""
    every = [text for table in tables for text in texts(table)]
    reader = learner.reader()
    longer = reader.longer(every) if reader else 0
    if reader and longer:
        share = 100 * longer / len(every)
        shown = f"{share:.0f} %" if share >= 1 else "less than 1 %"
        say(
            f"{shown} of {len(every):,} texts are longer than the {reader.tokens:,} tokens that {model} "
            "reads; the rest of those is cut off"
        )
