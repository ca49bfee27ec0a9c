"""`rarecase generate reparse`: the variations of a run made anew from its stored replies; nothing is asked."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from datasets import Dataset, Value, concatenate_datasets

from rarecase.core.errors import ConfigError, DataError, RunFolderError
from rarecase.data.arrow import with_column
from rarecase.data.counts import class_counts
from rarecase.data.schema import label_names
from rarecase.data.write import require_new_table, write_table
from rarecase.generate import with_own_ids
from rarecase.llm.replies import Replies
from rarecase.runs.folder import TABLES, Manifest, RoundFiles, stored_sets
from rarecase.runs.generation import stored_variations
from rarecase.settings.config import RunConfig
from rarecase.verify.policy import accepted

COLUMNS = ["id", "text", "label", "origin", "parent_id", "round", "strategy", "generator", "prompt_hash"]


def reparse(folder: Path, out: Path) -> dict[str, tuple[int, int]]:
    """Writes the variations that pass to a new table; gives of each class how many passed in the run, and now."""
    require_new_table(out)
    config = Manifest.read(folder, "run").config
    rounds = RoundFiles(folder)
    if not config.asks_a_model or not any(map(len, rounds.tables("variations"))):
        raise RunFolderError(
            f"{folder}: has no variations by a language model; give a run with --generator openai or local"
        )
    before = concatenate_datasets([accepted(table, config.policy) for table in rounds.tables("variations")])
    now = concatenate_datasets([accepted(table, config.policy) for table in _read_anew(folder, config, rounds)])
    names = label_names(now)
    named = with_column(now, "label", [names[label] for label in now["label"][:]], Value("string"))
    marks = [[one for one in checks or () if one["check"] == "contrast"] for checks in now["checks"][:]]
    if any(marks) and out.suffix.lower() != ".parquet":
        raise ConfigError(f"{out}: cannot say which variations are contrasts; name a file that ends in .parquet")
    # What says to `replay` that they have a label of their own.
    marked = with_column(named, "checks", marks, now.features["checks"])
    write_table(out, marked.select_columns([*COLUMNS, "checks"] if any(marks) else COLUMNS))
    counts = class_counts(before, names), class_counts(now, names)
    return {name: (counts[0][name], counts[1][name]) for name in names}


def _read_anew(folder: Path, config: RunConfig, rounds: RoundFiles) -> Iterator[Dataset]:
    """The variations of each round that has some."""
    sets = stored_sets(folder)
    taken = {id_ for name in TABLES for id_ in getattr(sets, name)["id"][:]}
    with closing(Replies(folder / "replies.sqlite")) as replies:
        for number in rounds.numbers("variations.parquet"):
            made = stored_variations(config, sets.taxonomy, replies, rounds.stored(number, "labels"))
            if made is None:
                raise DataError(
                    f"{folder}: replies.sqlite has no reply to what round {number} would ask now; was the file of "
                    "--template changed, or replies.sqlite removed? Put it back"
                )
            yield _with_findings(with_own_ids(made, taken), rounds.stored(number, "variations"))


def _with_findings(made: Dataset, before: Dataset) -> Dataset:
    """What was found of a variation in its round holds as long as its text is the same."""
    rows = zip(before["id"][:], before["text"][:], before["checks"][:], strict=True)
    found = {(id_, text): checks for id_, text, checks in rows}
    own = zip(made["id"][:], made["text"][:], made["checks"][:], strict=True)
    checks = [found.get((id_, text), checks) for id_, text, checks in own]
    return with_column(made, "checks", checks, made.features["checks"])
