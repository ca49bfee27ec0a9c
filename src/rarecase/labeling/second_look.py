"""Labelled rows that are put before people once more; the label that a row has is shown after the vote alone."""

import hashlib
import json
from contextlib import closing

from datasets import Dataset

from rarecase.data.schema import label_names
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.store.label_store import open_store
from rarecase.labeling.store.state import Row, class_infos


def ask_again(rows: Dataset, most: int, taxonomy: Taxonomy, address: str) -> int:
    """Puts the first `most` labelled rows into the label store at an address; how many were not there yet."""
    names, columns = label_names(rows), [rows[name][:] for name in ("id", "text", "label")]
    content = json.dumps([taxonomy.names, sorted(zip(*columns[:2], strict=True))])  # so that more of them can follow
    batch = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    with closing(open_store(address)) as store:
        first = [Row(id_, text, names[label]) for id_, text, label in list(zip(*columns, strict=True))[:most]]
        new = store.service.add(batch, taxonomy.names, first, about=class_infos(taxonomy))
        store.sync()
        return new
