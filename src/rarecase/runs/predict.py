"""
`rarecase predict`: what a learner says of every row of a table.

The columns of the output are `id`, with `--with-text` `text`, `label`, and one for each class: the probability of the
class that it is called after. A row without text has no label and no probabilities: nothing was classified.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, Features, Value

from rarecase.core.errors import RunFolderError, command_line
from rarecase.core.processes import on_main
from rarecase.core.progress import Progress, parts
from rarecase.data.arrow import from_columns, matrix
from rarecase.data.read import Columns, read_argument
from rarecase.data.write import require_new_table, write_table
from rarecase.learn import FitOptions, Learner, load_learner
from rarecase.models.encoder import distinct
from rarecase.runs.folder import Manifest, is_begun, model_folder
from rarecase.runs.lengths import say_what_is_cut

AT_ONCE = 500  # texts between two steps of the progress line
_OWN = ("id", "text", "label")  # the columns that no class has


def predict(
    model: str,
    data: str,
    out: Path,
    *,
    columns: Columns,
    encoding: str = "utf-8",
    with_text: bool = False,
    max_length: int | None = None,
) -> dict[str, int]:
    """Writes the class of every row of a table, and the probability of each; gives how many rows have which class."""
    on_main(require_new_table, out)
    FitOptions(max_length=max_length)  # which knows its range, before a long table is read
    folder = on_main(loadable, model)
    posts = on_main(partial(read_argument, data, "pool", columns=columns, encoding=encoding, keep_empty=True))
    with Progress(1) as progress:
        progress.step(f"loading {model}")
        learner = load_learner(folder, max_length=max_length)
        say_what_is_cut(learner, [posts])
    found = table_of(posts, learner, with_text=with_text)
    on_main(write_table, out, found)
    labels = found["label"][:]
    without = labels.count(None)
    if without:
        print(f"{without:,} of {len(posts):,} rows have no text, and so no label", file=sys.stderr)
    counts = Counter(labels)
    return {name: counts[name] for name in learner.names}


def table_of(posts: Dataset, learner: Learner, *, with_text: bool) -> Dataset:
    """What is written, row by row in the order of the posts."""
    texts: list[str] = posts["text"][:]
    rows = [row for row, text in enumerate(texts) if text.strip()]
    # Equal texts are scored once, and neither the order of the rows nor their number changes a bit.
    unique, index = distinct([texts[row] for row in rows])
    probs = np.zeros((len(unique), len(learner.names)), np.float32)
    for part in parts(len(unique), AT_ONCE):
        probs[part] = matrix(learner.score(unique[part]), "probs")
    probs = probs[index]
    columns = {"id": posts["id"][:]} | ({"text": texts} if with_text else {})
    columns["label"] = _spread(rows, [learner.names[place] for place in probs.argmax(axis=1)], len(texts))
    # The shortest number that is the same float32, not the many digits that a float64 has of it.
    shown = probs.astype(str).astype(np.float64)
    for place, column in enumerate(probability_columns(learner.names)):
        columns[column] = _spread(rows, shown[:, place].tolist(), len(texts))
    features = {name: Value("string" if name in _OWN else "float64") for name in columns}
    return from_columns(columns, Features(features))


def probability_columns(names: Sequence[str]) -> list[str]:
    """
    The column of each class: its name; of a class called like another column with `_probability` behind it.

    Example:
        >>> probability_columns(["spam", "label"])
        ['spam', 'label_probability']
    """
    columns = []
    for name in names:
        column = name
        while column in _OWN or (column != name and column in names):
            column += "_probability"
        columns.append(column)
    return columns


def _spread(rows: Sequence[int], values: Sequence[Any], length: int) -> list[Any]:
    """The values in their rows, and None in all others."""
    known = dict(zip(rows, values, strict=True))
    return [known.get(row) for row in range(length)]


def loadable(model: str) -> str:
    """The folder or Hub id to load: of a run the folder of its last learner."""
    given = Path(model)
    if not is_begun(given):
        return model
    Manifest.read(given, "run")
    if not model_folder(given).is_dir():
        raise RunFolderError(f"{given}: has no learner yet; go on with: {command_line('run', '--resume', given)}")
    return str(model_folder(given))
